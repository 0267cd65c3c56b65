"""The process that exports: what it refuses and names instead, and that nothing is left half written."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.data.tokenizers import load_tokenizer
from minigpt_tui.engine.export.nearest import nearest_preset
from minigpt_tui.engine.export.process import USER_ERROR, main
from minigpt_tui.engine.results import ExportResult
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.interop.huggingface_layouts import places
from minigpt_tui.models.presets import PRESETS

from .runs_to_export import BASE, GPT2, TEXT, export, make_run, tokenizer_of

pytest.importorskip("gguf")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == USER_ERROR
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    return output.err


def test_a_block_without_counterpart_names_a_preset_that_has_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(replace(GPT2, norm_position="post", mlp="relu"), tokenizer_of("byte"))
    sentence = refused(capsys, str(run.path), "--to", "gguf", "--output", str(home / "x.gguf"), "--name", "mine")
    assert "'mine' cannot become a GGUF file: llama.cpp has no block with norms after the residual sum" in sentence
    assert "norm_position pre" in sentence
    assert any(sentence.endswith(f"is {name}\n") for name in PRESETS)
    run = make_run(replace(GPT2, norm_position="post", mlp="gelu"), tokenizer_of("byte"), "other")
    sentence = refused(capsys, str(run.path), "--to", "huggingface", "--output", str(home / "folder"))
    assert "transformers has no model with this block; it could with norm_position pre" in sentence
    assert not (home / "x.gguf").exists()
    assert not (home / "folder").exists()


def test_the_nearest_preset_has_the_most_options_in_common() -> None:
    nearest = nearest_preset(replace(PRESETS["gpt2"].model, vocab_size=65, mlp="relu"), lambda c: c.mlp != "relu")
    assert PRESETS[nearest.preset].model.position == "learned"
    assert nearest.changes.startswith("mlp gelu")
    large = replace(PRESETS["modern-124m"].model, vocab_size=65, qk_norm=False, n_layer=11)
    assert nearest_preset(large, lambda c: c.qk_norm).preset == "modern-124m"


def test_the_nearest_preset_keeps_the_mlp_and_leaves_the_sizes_alone() -> None:
    lecture = nearest_preset(replace(PRESETS["tiny-shakespeare"].model, vocab_size=65), lambda c: c.mlp != "relu")
    assert PRESETS[lecture.preset].model.mlp != "none"
    assert lecture.changes.startswith("mlp gelu")
    first_gpt = replace(GPT2, n_head=3, d_model=48, norm_position="post", bias=True)
    nearest = nearest_preset(first_gpt, lambda c: c.norm_position == "pre")
    assert nearest.changes == "norm_position pre"


def test_an_existing_file_is_replaced_only_when_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = make_run(BASE, tokenizer_of("byte")), home / "x.gguf"
    path.write_text("precious")
    assert "--force" in refused(capsys, str(run.path), "--to", "gguf", "--output", str(path))
    assert path.read_text() == "precious"
    assert export(capsys, run, path, "--force").bytes == path.stat().st_size
    for place, words in ((home, "is a folder"), (home / "nowhere" / "x.gguf", "no folder")):
        assert words in refused(capsys, str(run.path), "--to", "gguf", "--output", str(place), "--force")


def test_a_damaged_checkpoint_leaves_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(BASE, tokenizer_of("byte"))
    weights = run.checkpoints / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (home / "out").mkdir()
    assert "damaged" in refused(capsys, str(run.path), "--to", "gguf", "--output", str(home / "out" / "x.gguf"))
    assert not any((home / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX's")
@pytest.mark.parametrize("target", ["gguf", pytest.param("huggingface", marks=pytest.mark.long)])
def test_a_full_disk_leaves_nothing(target: str, home: Path) -> None:
    run = make_run(BASE, tokenizer_of("byte"))
    (home / "out").mkdir()
    program = f"""
import resource, sys
from minigpt_tui.engine.export.process import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main([{str(run.path)!r}, "--to", {target!r}, "--output", {str(home / "out" / "x")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == USER_ERROR, done.stderr
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not any((home / "out").iterdir())


def test_a_hugging_face_folder_is_the_checkpoint_without_the_training(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    run, output = make_run(BASE, tokenizer_of("char")), home / "folder"
    assert main([str(run.path), "--to", "huggingface", "--output", str(output)]) == 0
    result = loads(ExportResult, capsys.readouterr().out.splitlines()[-1])
    assert (result.path, result.architecture) == (str(output), "qwen3")
    best = run.checkpoints / "best"
    assert {path.name for path in best.iterdir()} - {path.name for path in output.iterdir()} == {"state.safetensors"}
    assert result.bytes == sum(path.stat().st_size for path in output.iterdir())
    assert "is there already" in refused(capsys, str(run.path), "--to", "huggingface", "--output", str(output))
    (output / "notes.txt").symlink_to(run.path / "run.json")
    sentence = refused(capsys, str(output), "--to", "huggingface", "--output", str(home / "copy"))
    assert "notes.txt is a link that leaves its folder" in sentence
    assert [path.name for path in home.iterdir() if "copy" in path.name] == []
    (output / "notes.txt").unlink()
    model = transformers.AutoModelForCausalLM.from_pretrained(output)
    ids = transformers.AutoTokenizer.from_pretrained(output)(TEXT[:20], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, load_checkpoint(best).model(ids), atol=1e-4, rtol=1e-4)


def test_a_checkpoint_of_nanogpt_goes_both_ways(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n abcdefghij"
    model = GPT(replace(GPT2, vocab_size=len(text), context_length=16, n_layer=1, tied=True, mlp="gelu"))
    weights = dict(model.named_parameters())
    shapes = {name: weight.shape for name, weight in weights.items()}
    state = {
        name: place.of(weights[place.parameter]) for name, place in places(model.config, shapes, "nanogpt").items()
    }
    sizes = {"n_layer": 1, "n_head": 4, "n_embd": 64, "block_size": 16, "bias": False, "vocab_size": len(text)}
    state["lm_head.weight"] = state["transformer.wte.weight"]
    torch.save({"model": state, "model_args": sizes | {"dropout": 0.0}, "config": {}, "iter_num": 7}, home / "ckpt.pt")
    letters = {"vocab_size": len(text), "itos": dict(enumerate(text)), "stoi": {c: n for n, c in enumerate(text)}}
    (home / "meta.pkl").write_bytes(pickle.dumps(letters))
    assert main([str(home / "ckpt.pt"), "--to", "gguf", "--output", str(home / "x.gguf"), "--dtype", "f32"]) == 0
    assert loads(ExportResult, capsys.readouterr().out.splitlines()[-1]).architecture == "gpt2"
    assert main([str(home / "ckpt.pt"), "--to", "huggingface", "--output", str(home / "folder")]) == 0
    assert loads(ExportResult, capsys.readouterr().out.splitlines()[-1]).architecture == "gpt2"
    again = load_checkpoint(home / "folder").model
    assert all(torch.equal(weight, weights[name]) for name, weight in again.named_parameters())
    assert load_tokenizer(home / "folder").decode(range(len(text))) == text
