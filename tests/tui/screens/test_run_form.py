from dataclasses import fields, replace
from pathlib import Path

import pytest
from minigpt_tui.data.typed_path import typed_path
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import PRESETS, fine_tuning, preset
from minigpt_tui.models.recipe import Budget
from minigpt_tui.tui.cli.main import build_parser
from minigpt_tui.tui.cli.options import given_fields
from minigpt_tui.tui.recipe_fields import FIELDS, overrides
from minigpt_tui.tui.screens.run_form import FieldError, base_recipe, problems_of, read_recipe, texts_of
from minigpt_tui.tui.text.typed_paths import complete, looks_like_path


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "finetune"])
def test_an_untouched_form_is_the_preset(name: str):
    assert read_recipe(name, texts_of(preset(name))) == preset(name)


def test_what_is_typed_is_in_the_recipe():
    values = {
        "budget": "5 minutes", "tokenizer": "byte", "context_length": "1_28", "learning_rate": "1e-3", "seed": " 7 ",
    }  # fmt: skip
    recipe = read_recipe("quick", values)
    assert (recipe.tokenizer, recipe.training.budget) == ("byte", Budget(5, "minutes"))
    assert (recipe.model.context_length, recipe.training.learning_rate, recipe.training.seed) == (128, 1e-3, 7)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("budget", "soon"), ("n_layer", "two"), ("n_layer", "2.5"), ("n_layer", "0"), ("learning_rate", ""),
        ("learning_rate", "nan"), ("learning_rate", "100"), ("momentum", "1"), ("seed", "-1"), ("seed", str(2**63)),
        ("norm", "batch"), ("tied", "perhaps"), ("validation_fraction", "1"), ("sample_temperature", "-1"),
        ("devices", "0"), ("d_ff", "1e3"), ("average", "2"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_its_field(field: str, text: str):
    with pytest.raises(FieldError) as refusal:
        read_recipe("quick", {field: text})
    assert refusal.value.field == field


def test_what_does_not_go_together_is_one_sentence():
    with pytest.raises(FieldError, match="not divisible by n_head 7") as refusal:
        read_recipe("quick", {"n_head": "7"})
    assert refusal.value.field == "n_head"


def test_of_values_that_do_not_go_together_the_newest_is_the_wrong_one():
    typed = {"devices": "2", "sharded": "on", "compile": "on"}
    for newest in ("sharded", "compile"):
        assert list(problems_of("quick", typed, newest=newest)) == [newest]


def test_every_field_that_is_wrong_is_named():
    typed = {"n_layer": "two", "learning_rate": "500", "d_model": "100", "beta1": "0.8"}
    found = problems_of("quick", typed)
    assert found.keys() == {"n_layer", "learning_rate", "d_model"}
    assert "above 0 and below 100" in found["learning_rate"]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "finetune"])
def test_a_field_is_read_as_it_is_written(name: str):
    recipe = PRESETS[name]
    for field in FIELDS.values():
        value = field.value_in(recipe)
        assert field.read(field.text(value)) == value, field.name
    third = Budget.parse("10 s")
    assert FIELDS["budget"].read(FIELDS["budget"].text(third)) == third
    assert FIELDS["learning_rate"].read(FIELDS["learning_rate"].text(1 / 3)) == 1 / 3
    prompt = "\tROMEO:\n \\ | é\u2028"
    assert FIELDS["sample_prompt"].read(FIELDS["sample_prompt"].text(prompt)) == prompt


def test_every_field_of_a_recipe_is_a_field_of_the_form():
    recipe = PRESETS["quick"]
    holders = (recipe, recipe.model, recipe.training)
    names = {field.name for holder in holders for field in fields(holder)}
    assert names - FIELDS.keys() == {"vocab_size", "name", "description", "source", "model", "training"}
    assert all(field.description for field in FIELDS.values())


@pytest.mark.parametrize("typed", [{"n_head": "6"}, {"n_head": "6", "n_kv_head": "1"}, {"n_kv_head": "3"}, {}], ids=str)
def test_the_fields_that_differ_make_the_same_recipe_of_the_preset(typed: dict[str, str]):
    recipe = read_recipe("quick", typed)
    given = {field.name: field.value_in(recipe) for field in overrides(preset("quick"), recipe, fine_tuning=False)}
    assert preset("quick").overridden(**given) == recipe


FINE_TUNING = "finetune"
MODEL = ModelConfig(vocab_size=300, context_length=256, n_layer=2, n_head=4, n_kv_head=2, d_model=64)


def test_a_fine_tuning_has_the_shape_of_its_model_and_the_numbers_of_its_preset():
    values = texts_of(base_recipe(FINE_TUNING, MODEL))
    assert (values["n_layer"], values["d_model"], values["context_length"]) == ("2", "64", "256")
    recipe = read_recipe(FINE_TUNING, values | {"context_length": "128", "n_layer": "nonsense"}, MODEL)
    assert recipe.model == replace(MODEL, context_length=128)
    assert recipe.training == fine_tuning(PRESETS[FINE_TUNING], MODEL).training  # its rate is the model's own


def test_a_context_longer_than_the_models_is_refused():
    with pytest.raises(FieldError, match="at most 256") as refusal:
        read_recipe("quick", {"context_length": "257"}, MODEL)
    assert refusal.value.field == "context_length"


def test_a_fine_tuning_without_a_model_asks_for_one():
    with pytest.raises(FieldError, match="name the one to start from") as refusal:
        read_recipe(FINE_TUNING, {})
    assert refusal.value.field == "start-from"


@pytest.mark.parametrize("size", ["100", "many", "2000000"])
def test_an_impossible_vocabulary_names_its_field_for_a_bpe_alone(size: str):
    values = {"bpe_vocab_size": size}
    assert read_recipe("quick", values) == preset("quick")
    with pytest.raises(FieldError, match="bpe_vocab_size") as refusal:
        read_recipe("quick", values | {"tokenizer": "bpe"})
    assert refusal.value.field == "bpe_vocab_size"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("modern-10m", {"n_head": "8"}),
        ("quick", {"n_head": "12", "d_model": "192"}),
        ("modern-124m", {"batch_size": "20"}),
        ("laptop", {"tokenizer": "bpe", "bpe_vocab_size": "512"}),
        ("laptop", {"tokenizer": "char", "unknown_characters": "token"}),
    ],
    ids=str,
)
def test_the_form_and_the_command_line_override_a_preset_alike(name: str, changed: dict[str, str]):
    options = [f"--{field.replace('_', '-')}={text}" for field, text in changed.items()]
    arguments = build_parser(["train"]).parse_args(["train", "tales", "--preset", name, *options])
    assert preset(name).overridden(**given_fields(arguments)) == read_recipe(name, changed)


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
