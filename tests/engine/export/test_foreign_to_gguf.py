"""What a foreign folder says of its tokens and conversations stands in the GGUF file, and what does not is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.data.tokenizers import load_tokenizer
from minigpt_tui.engine.export.process import main
from minigpt_tui.engine.results import ExportResult

from .runs_to_export import foreign_tokenizer

gguf = pytest.importorskip("gguf")
transformers = pytest.importorskip("transformers")


CARD = """---
license: other
license_name: "a licence"
language:
- en
- de
tags: [text-generation, 'small']
base_model: somebody/model
---
# A model
"""


def put_model(home: Path, folder: Path, **options: Any) -> int:
    size = foreign_tokenizer(home, "smollm").vocab_size
    if folder != home / "foreign":
        folder.parent.mkdir(parents=True, exist_ok=True)
        (home / "foreign").rename(folder)
    config = transformers.LlamaConfig(
        vocab_size=size + 4, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, **options
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return size


def exported(folder: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], ExportResult]:
    """What the file says, and what the export told."""
    assert main([str(folder), "--to", "gguf", "--output", str(output), "--dtype", "f32"]) == 0
    result = loads(ExportResult, capsys.readouterr().out.splitlines()[-1])
    return {name: field.contents() for name, field in gguf.GGUFReader(output).fields.items()}, result


def test_template_special_tokens_and_sampling_values_are_in_the_file(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "foreign"
    size = put_model(home, folder, bos_token_id=1, eos_token_id=[0, 5, 9], pad_token_id=2)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    generation = json.loads((folder / "generation_config.json").read_text())
    values = {"temperature": 0.25, "top_k": 7, "repetition_penalty": 2, "top_p": -1, "no_repeat_ngram_size": 3}
    (folder / "generation_config.json").write_text(json.dumps(generation | {"do_sample": True} | values))
    fields, result = exported(folder, home / "x.gguf", capsys)
    assert fields["tokenizer.chat_template"] == "{{ messages[0]['content'] }}"
    keys = ("bos", "padding", "eos", "eot", "eom")
    assert [fields[f"tokenizer.ggml.{key}_token_id"] for key in keys] == [1, 2, 0, 5, 9]
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["tokenizer.ggml.suppress_tokens"] == [*range(size, size + 4)]
    sampling = {key: value for key, value in fields.items() if key.startswith("general.sampling.")}
    assert sampling == {
        f"general.sampling.{key}": n for key, n in [("temp", 0.25), ("top_k", 7), ("penalty_repeat", 2)]
    }
    assert [notice for notice in result.notices if "generation_config.json" in notice] == [
        "what generation_config.json says of the following is not in the file: no_repeat_ngram_size 3"
    ]


def test_the_end_that_a_template_writes_is_the_first_and_templates_keep_their_names(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "foreign"
    put_model(home, folder, eos_token_id=[0, 5, 9])
    name = next(name for name, n in load_tokenizer(folder).special_tokens.items() if n > 9)
    end = load_tokenizer(folder).special_tokens[name]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, end]}))
    templates = [{"name": "default", "template": "{{ 1 }}"}, {"name": "tool_use", "template": "{{ 2 }}"}]
    settings = {"eos_token": name, "chat_template": templates}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    fields, _ = exported(folder, home / "x.gguf", capsys)
    assert [fields[f"tokenizer.ggml.{key}_token_id"] for key in ("eos", "eot")] == [end, 0]
    assert fields["tokenizer.chat_templates"] == ["tool_use"]
    assert (fields["tokenizer.chat_template"], fields["tokenizer.chat_template.tool_use"]) == ("{{ 1 }}", "{{ 2 }}")
    further = folder / "additional_chat_templates"
    further.mkdir()
    (further / "rag.jinja").write_text("{{ 3 }}")
    (further / "outside.jinja").symlink_to("/etc/hostname")
    (folder / "chat_template.jinja").write_text("{{ 4 }}")
    fields, _ = exported(folder, home / "y.gguf", capsys)
    assert fields["tokenizer.chat_templates"] == ["rag"]
    assert (fields["tokenizer.chat_template"], fields["tokenizer.chat_template.rag"]) == ("{{ 4 }}", "{{ 3 }}")


def test_the_name_its_parts_and_the_model_card_are_in_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "models--somebody--Tiny-18K-Instruct" / "snapshots" / "0123"
    put_model(home, folder)
    (folder / "README.md").write_text(CARD)
    fields, _ = exported(folder, home / "x.gguf", capsys)
    general = {key.removeprefix("general."): value for key, value in fields.items() if key.startswith("general.")}
    said = {"name": "Tiny-18K-Instruct", "organization": "somebody", "basename": "Tiny", "finetune": "Instruct",
            "license": "other", "license.name": "a licence", "languages": ["en", "de"],
            "tags": ["text-generation", "small"]}  # fmt: skip
    assert {key: general.get(key) for key in said} == said
    assert general["size_label"].endswith("K")


@pytest.mark.parametrize(
    "card", ["", "no head", "---\nlicense: mit", "---\nlicense: \x1b[2J\ntags:\n- \n---\n", "---\n---"]
)
def test_a_card_that_says_nothing_plain_is_no_error(card: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_model(home, home / "foreign")
    (home / "foreign" / "README.md").write_text(card)
    fields, _ = exported(home / "foreign", home / "x.gguf", capsys)
    assert not {"general.license", "general.tags"} & fields.keys()
