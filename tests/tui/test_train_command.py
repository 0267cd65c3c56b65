"""The command line that the form shows, read by a shell and by the parser of the command."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.text_files import DEFAULT_READING, Reading
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Recipe
from minigpt_tui.tui.cli.main import build_parser
from minigpt_tui.tui.cli.train import recipe_of
from minigpt_tui.tui.recipe_fields import FIELDS
from minigpt_tui.tui.screens.run_form import base_recipe, read_recipe, texts_of
from minigpt_tui.tui.train_command import shell_line, train_command

MODEL = ModelConfig(vocab_size=300, context_length=256, n_layer=2, n_head=4, n_kv_head=2, d_model=64)
# another value of each field that goes with the preset quick
OTHERS = {
    "tokenizer": "bpe", "bpe_vocab_size": "1,000", "unknown_characters": "token", "literal": "on",
    "validation_fraction": "0.123456789", "context_length": "128", "n_layer": "5", "n_head": "6", "n_kv_head": "3",
    "d_model": "192", "head_dim": "24", "d_ff": "100", "position": "learned", "rope_theta": "500000.5",
    "rope_scaling": "llama3", "rope_factor": "8", "rope_low_frequency_factor": "2", "rope_high_frequency_factor": "5",
    "rope_original_context": "100", "norm": "layer", "norm_position": "post", "norm_eps": "1e-12", "mlp": "relu2",
    "qk_norm": "off", "tied": "on", "bias": "on", "qkv_bias": "on", "attention_dropout": "0.1",
    "residual_dropout": "0.30000000000000004", "embedding_dropout": "0.2", "budget": "10 s", "batch_size": "7",
    "micro_batch_size": "8", "data_order": "random", "seed": str(2**63 - 1), "patience": "3", "minimum_steps": "9",
    "optimizer": "adamw", "learning_rate": "1e-7", "embedding_learning_rate": "0.1", "head_learning_rate": "99.9",
    "momentum": "0.5", "beta1": "0", "beta2": "0.999", "weight_decay": "1e3", "gradient_clip": "1", "average": "0",
    "schedule": "cosine", "warmup_steps": "10", "decay_fraction": "1", "final_learning_rate_fraction": "0.1",
    "evaluation": "random", "evaluation_interval": "25", "evaluation_batches": "3", "evaluate_every_epoch": "on",
    "sample_interval": "100", "sample_prompt": r"-a 'b' \"c\" $d `e` \n\t\\|é", "sample_prompts": "one | -two | $three",
    "sample_temperature": "0", "checkpoint_interval": "9", "checkpoint_history": "10",
    "checkpoint_history_limit": "5", "device": "cuda:1", "dtype": "float32", "devices": "2", "sharded": "on",
    "threads": "1", "compile": "on", "cuda_graph": "off", "deterministic": "on",
}  # fmt: skip
NEEDED = {"sharded": {"devices": "2"}, "bpe_vocab_size": {"tokenizer": "bpe"}, "literal": {"tokenizer": "gpt2"}}


def parsed(line: str, start_from: ModelConfig | None = None) -> tuple[str, Recipe]:
    """The text and the recipe that the command makes of this line."""
    words = shlex.split(line)
    assert words[:2] == ["minigpt-tui", "train"]
    arguments = build_parser(["train"]).parse_args(words[1:])
    return arguments.corpus, recipe_of(arguments, start_from)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "finetune"])
def test_a_preset_alone_is_named_alone(preset: str):
    recipe = PRESETS[preset]
    line = shell_line(train_command("tales", recipe, recipe))
    assert line == f"minigpt-tui train tales --preset {preset}"
    assert parsed(line) == ("tales", recipe)


def test_there_is_another_value_of_each_field():
    assert OTHERS.keys() == FIELDS.keys()


@pytest.mark.parametrize("name", list(OTHERS))
def test_the_command_makes_the_recipe_of_the_form(name: str):
    recipe = read_recipe("quick", NEEDED.get(name, {}) | {name: OTHERS[name]})
    assert recipe != PRESETS["quick"]
    line = shell_line(train_command("tales", recipe, PRESETS["quick"]))
    assert parsed(line) == ("tales", recipe)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "finetune"])
def test_many_fields_at_once_on_any_preset(preset: str):
    alone = ("sharded", "compile", "sample_prompt", "literal", "unknown_characters")
    texts = {name: text for name, text in OTHERS.items() if name not in alone}
    texts |= {"micro_batch_size": "0", "rope_scaling": "none", "evaluate_every_epoch": "off"}
    recipe = read_recipe(preset, texts)
    assert parsed(shell_line(train_command("tales", recipe, PRESETS[preset])))[1] == recipe
    back = read_recipe(preset, texts_of(PRESETS["quick"]))
    assert texts_of(parsed(shell_line(train_command("tales", back, PRESETS[preset])))[1]) == texts_of(back)


def test_heads_that_share_as_the_preset_says_or_otherwise():
    for n_kv_head in ("1", "2", "3", "6", "0"):
        recipe = read_recipe("quick", {"n_head": "6", "n_kv_head": n_kv_head})
        assert parsed(shell_line(train_command("tales", recipe, PRESETS["quick"])))[1] == recipe


@pytest.mark.parametrize("preset", ["finetune", "quick", "nanogpt-char-cpu"])
def test_a_fine_tuning_names_its_model_and_only_what_it_may_change(preset: str):
    base = base_recipe(preset, MODEL)
    typed = {"context_length": "64", "residual_dropout": "0.25", "learning_rate": "0.001", "n_layer": "9"}
    recipe = read_recipe(preset, typed, MODEL)
    line = shell_line(train_command("tales", recipe, base, start_from="a model/of mine"))
    assert "--from 'a model/of mine'" in line
    assert parsed(line, MODEL) == ("tales", recipe)


@pytest.mark.parametrize(
    "name",
    ["my text.txt", "it's \"quoted\".txt", "naïve café 日本.txt", "$HOME `id` !x #y ~z.txt", "-begins.txt", "a\\b.txt",
     "tales", " blank ", "[b]x[b].txt", "line\nbreak\ttab\x1b[31m.txt", "nbsp\u00a0.txt", "rtl\u202e.txt",
     "not utf-8 \udcff.txt"],
    ids=ascii,
)  # fmt: skip
def test_any_path_comes_through_a_shell_and_is_safe_on_a_terminal(tmp_path: Path, name: str):
    path = tmp_path / name
    try:
        path.write_text("a text of some words\n" * 100)
    except (OSError, UnicodeError):
        pytest.skip("the file system has no such names")
    spec = open_corpus(str(path)).spec
    recipe = PRESETS["quick"]
    words = train_command(spec, recipe, recipe, name="mine", reading=Reading("utf-8", as_text=True))
    line = shell_line(words)
    assert line.isprintable()
    if "$'" not in line:
        assert shlex.split(line) == words
    if bash := shutil.which("bash"):
        script = f"printf '%s\\0' {line}"
        found = subprocess.run([bash, "-c", script], capture_output=True, check=True).stdout
        assert found.split(b"\0")[:-1] == [word.encode(errors="surrogateescape") for word in words]
    arguments = build_parser(["train"]).parse_args(words[1:])
    assert open_corpus(arguments.corpus).spec == spec
    assert (arguments.name, arguments.encoding, arguments.read_as) == ("mine", "utf-8", "text")


def test_a_text_that_is_read_as_usual_needs_no_options():
    recipe = replace(PRESETS["quick"])
    assert train_command("tales", recipe, recipe, reading=DEFAULT_READING)[2:] == ["tales", "--preset", "quick"]
