from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.typed_path import typed_path
from minigpt_tui.models.config import ConfigError, ModelConfig
from minigpt_tui.models.presets import PRESETS, fine_tuning, preset
from minigpt_tui.models.recipe import Budget
from minigpt_tui.tui.cli.main import build_parser
from minigpt_tui.tui.cli.options import given_fields
from minigpt_tui.tui.screens.run_form import (
    FieldError,
    read_recipe,
    starting_values,
)
from minigpt_tui.tui.text.typed_paths import complete, looks_like_path


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "finetune"])
def test_an_untouched_form_is_the_preset(name: str):
    assert read_recipe(name, starting_values(name)) == preset(name)


def test_what_is_typed_is_in_the_recipe():
    values = starting_values("quick") | {
        "budget": "5 minutes", "tokenizer": "byte", "context_length": "1_28", "learning_rate": "1e-3", "seed": " 7 ",
    }  # fmt: skip
    recipe = read_recipe("quick", values)
    assert (recipe.tokenizer, recipe.training.budget) == ("byte", Budget(5, "minutes"))
    assert (recipe.model.context_length, recipe.training.learning_rate, recipe.training.seed) == (128, 1e-3, 7)


@pytest.mark.parametrize(
    ("field", "text"),
    [("budget", "soon"), ("n_layer", "two"), ("n_layer", "2.5"), ("learning_rate", ""), ("learning_rate", "nan")],
)
def test_what_cannot_be_read_names_its_field(field: str, text: str):
    with pytest.raises(FieldError) as refusal:
        read_recipe("quick", starting_values("quick") | {field: text})
    assert refusal.value.field == field


def test_what_does_not_go_together_is_one_sentence():
    with pytest.raises(ConfigError, match="not divisible by n_head 7"):
        read_recipe("quick", starting_values("quick") | {"n_head": "7"})


FINE_TUNING = "finetune"
MODEL = ModelConfig(vocab_size=300, context_length=256, n_layer=2, n_head=4, n_kv_head=2, d_model=64)


def test_a_fine_tuning_has_the_shape_of_its_model_and_the_numbers_of_its_preset():
    values = starting_values(FINE_TUNING, MODEL)
    assert (values["n_layer"], values["d_model"], values["context_length"]) == ("2", "64", "256")
    recipe = read_recipe(FINE_TUNING, values | {"context_length": "128", "n_layer": "nonsense"}, MODEL)
    assert recipe.model == replace(MODEL, context_length=128)
    assert recipe.training == fine_tuning(PRESETS[FINE_TUNING], MODEL).training  # its rate is the model's own


def test_a_context_longer_than_the_models_is_refused():
    with pytest.raises(FieldError, match="at most 256") as refusal:
        read_recipe("quick", starting_values("quick", MODEL) | {"context_length": "257"}, MODEL)
    assert refusal.value.field == "context_length"


def test_a_fine_tuning_without_a_model_asks_for_one():
    with pytest.raises(FieldError, match="name the one to start from") as refusal:
        read_recipe(FINE_TUNING, starting_values(FINE_TUNING))
    assert refusal.value.field == "start-from"


@pytest.mark.parametrize("size", ["100", "many", "2000000"])
def test_an_impossible_vocabulary_names_its_field_for_a_bpe_alone(size: str):
    values = starting_values("quick") | {"bpe_vocab_size": size}
    assert read_recipe("quick", values) == preset("quick")
    with pytest.raises(FieldError, match="vocabulary") as refusal:
        read_recipe("quick", values | {"tokenizer": "bpe"})
    assert refusal.value.field == "bpe_vocab_size"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("modern-10m", {"n_head": "8"}),
        ("quick", {"n_head": "12", "d_model": "192"}),
        ("modern-124m", {"batch_size": "20"}),
        ("laptop", {"tokenizer": "bpe", "bpe_vocab_size": "512"}),
        ("laptop", {"tokenizer": "char", "unknown_characters": "token"}),
    ],
    ids=str,
)
def test_the_form_and_the_command_line_override_a_preset_alike(name: str, fields: dict[str, str]):
    options = [f"--{field.replace('_', '-')}={text}" for field, text in fields.items()]
    arguments = build_parser(["train"]).parse_args(["train", "tales", "--preset", name, *options])
    assert preset(name).overridden(**given_fields(arguments)) == read_recipe(name, starting_values(name) | fields)


def test_paths_as_people_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    novel = tmp_path / "my novel.txt"
    novel.write_text("text")
    for text in (str(novel), f'"{novel}"', f" '{novel}' ", "~/my novel.txt", str(novel).replace(" ", "\\ ")):
        assert typed_path(text) == novel
        assert looks_like_path(text)
    assert typed_path(novel.as_uri()) == typed_path(f"'{novel.as_uri()}'") == novel
    assert all(
        map(looks_like_path, ("~/not-there.txt", "'~/not there'", "FILE:///not/there", r"/not\ there", '"./x y"'))
    )
    assert not any(map(looks_like_path, ("", "Once upon a time", "a\n/b", "x" * 5000, "and/or")))


def test_completion_takes_the_first_name_that_fits(tmp_path: Path):
    (tmp_path / "novels").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden").touch()
    assert complete(f"{tmp_path}/n") == f"{tmp_path}/notes.txt"
    assert complete(f"{tmp_path}/nov") == f"{tmp_path}/novels/"
    assert complete(f"{tmp_path}/") == f"{tmp_path}/notes.txt"
    assert complete(f"{tmp_path}/.h") == f"{tmp_path}/.hidden"
    assert complete(f"{tmp_path}/x") is None
    assert complete("/not/there/x") is None
    assert complete("") is None
