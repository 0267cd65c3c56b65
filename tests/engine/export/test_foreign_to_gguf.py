"""What a foreign folder says of its tokens and conversations stands in the GGUF file, and what does not is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.engine.export.process import main
from minigpt_tui.engine.results import ExportResult

from .runs_to_export import foreign_tokenizer

gguf = pytest.importorskip("gguf")
transformers = pytest.importorskip("transformers")


def test_template_and_special_tokens_are_in_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = foreign_tokenizer(home, "smollm").vocab_size
    folder, output = home / "foreign", home / "x.gguf"
    config = transformers.LlamaConfig(
        vocab_size=size + 4, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=1, eos_token_id=[0, 5, 9], pad_token_id=2,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(generation | {"temperature": 0.2, "top_k": 7}))
    assert main([str(folder), "--to", "gguf", "--output", str(output), "--dtype", "f32"]) == 0
    result = loads(ExportResult, capsys.readouterr().out.splitlines()[-1])
    fields = {name: field.contents() for name, field in gguf.GGUFReader(output).fields.items()}
    assert fields["tokenizer.chat_template"] == "{{ messages[0]['content'] }}"
    keys = ("bos", "padding", "eos", "eot", "eom")
    assert [fields[f"tokenizer.ggml.{key}_token_id"] for key in keys] == [1, 2, 0, 5, 9]
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["tokenizer.ggml.suppress_tokens"] == [*range(size, size + 4)]
    assert (
        "the sampling values of generation_config.json are not in the file: temperature 0.2, top_k 7" in result.notices
    )
