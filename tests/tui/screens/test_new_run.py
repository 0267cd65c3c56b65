from __future__ import annotations

import re
import shlex
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.machine_speed import MachineSpeed, RecipeSpeed
from minigpt_tui.engine.results import DeviceReport
from minigpt_tui.engine.runs import list_runs
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import Budget, TrainingConfig
from minigpt_tui.tui import speed_probe
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.screens import new_run
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.questions import Question
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.widgets.recipe_row import RecipeRow
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Select, Static

from ..runs_on_disk import make_run, write_model
from ..scripted_engine import ScriptedEngine
from ..seen import notices, screen_text
from ..waiting import wait_until

Engine = type[ScriptedEngine]
DEVICE = DeviceReport("2.13", ("cpu",), "cpu", "a CPU", "float32", "float32", "", 2, None)


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)):
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None)
        await pilot.pause()
        yield pilot


def form(pilot: Pilot[Any]) -> NewRunScreen:
    assert isinstance(pilot.app.screen, NewRunScreen)
    return pilot.app.screen


def sentences_on(pilot: Pilot[Any]) -> str:
    """What stands on the screen, however it is wrapped there."""
    return " ".join(screen_text(pilot.app).replace("│", " ").split())


async def fill(pilot: Pilot[Any], field: str, text: str) -> None:
    box = form(pilot).query_one(f"#{field}", Input)
    box.focus()
    await pilot.pause()
    box.value = text
    await pilot.pause()


async def choose_file(pilot: Pilot[Any], path: Path) -> None:
    await fill(pilot, "corpus-name", str(path))


async def test_it_begins_with_the_built_in_text_and_says_what_it_comes_to(engine: Engine):
    async with opened() as pilot:
        await wait_until(pilot, lambda: "parameters  3" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        budget = str(PRESETS["quick"].training.budget)
        for words in (
            "tales",
            "1 MB",
            "characters",
            "quick",
            budget,
            "tales-01",
            "parameters  3",
            "600 steps",
            "memory",
        ):
            assert words in text


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((60, 20), id="60x20", marks=pytest.mark.long),
        pytest.param((80, 24), id="80x24"),
        pytest.param((100, 30), id="100x30", marks=pytest.mark.long),
    ],
)
async def test_the_preview_of_the_text_has_room_and_a_key_leads_to_it(engine: Engine, size: tuple[int, int]):
    async with MinigptApp().run_test(size=size) as pilot:
        await pilot.press("ctrl+t")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        preview = form(pilot).query_one("#preview")
        await wait_until(pilot, lambda: preview.size.height > 4)
        assert preview.size.width >= 30
        if size[0] >= 100:  # a column of its own
            await pilot.press("shift+tab", "shift+tab", "shift+tab")
            assert pilot.app.focused is form(pilot).query_one("#facts")
        await pilot.press(*["pagedown"] * 6)
        await wait_until(pilot, lambda: "met a sad goat" in sentences_on(pilot))


@pytest.mark.long
async def test_it_begins_with_the_text_that_the_app_was_started_with(engine: Engine, tmp_path: Path):
    text = tmp_path / "[b]mine.txt"
    text.write_text("to be or not to be, that is the question\n" * 300)
    for named in (str(text), "tales:20KB"):
        async with MinigptApp(named).run_test(size=(120, 40)) as pilot:
            await pilot.press("ctrl+t")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
            assert form(pilot).query_one("#corpus-name", Input).value == named
            await wait_until(pilot, lambda: "characters" in screen_text(pilot.app))
            name = form(pilot).query_one("#name", Input)
            await wait_until(pilot, lambda name=name: bool(name.value))


async def test_f5_makes_the_run_as_it_stands_in_the_form(engine: Engine):
    async with opened() as pilot:
        await fill(pilot, "budget", "2 minutes")
        await fill(pilot, "d_model", "48")
        await fill(pilot, "name", "mine")
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    manifest = list_runs()[0].manifest()
    assert (manifest.name, manifest.preset, manifest.training.budget) == ("mine", "quick", Budget(2, "minutes"))
    assert (manifest.model.d_model, manifest.corpus.spec, manifest.tokenizer) == (48, "tales", "char")


@pytest.mark.long
async def test_each_tokenizer_shows_what_it_needs_and_what_it_comes_to(engine: Engine):
    async with opened() as pilot:
        tokenizer = form(pilot).query_one("#tokenizer", Select)
        fields = {"vocabulary-field", "unknown-field"}

        def displayed() -> set[str]:
            return {name for name in fields if form(pilot).query_one(f"#{name}").display}

        assert displayed() == {"unknown-field"}
        for kind, shown, size in (
            ("byte", set(), "256"),
            ("gpt2", set(), "50,257"),
            ("bpe", {"vocabulary-field"}, "at most"),
        ):
            tokenizer.value = kind
            await wait_until(pilot, lambda size=size: f"vocabulary  {size}" in screen_text(pilot.app))
            assert displayed() == shown
        await fill(pilot, "bpe_vocab_size", "12")
        assert "bpe_vocab_size is 12; it must lie between 257 and" in form(pilot).problem
        await fill(pilot, "bpe_vocab_size", "1000")
        await wait_until(pilot, lambda: "vocabulary  at most 1,000 tokens" in screen_text(pilot.app))
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    manifest = list_runs()[0].manifest()
    assert (manifest.tokenizer, manifest.bpe_vocab_size, manifest.model.vocab_size) == ("bpe", 1000, 1000)


@pytest.mark.long
async def test_an_unknown_character_can_have_a_token_of_its_own(engine: Engine):
    async with opened() as pilot:
        await wait_until(pilot, lambda: "vocabulary  " in screen_text(pilot.app))
        before = vocabulary_on(pilot)
        form(pilot).query_one("#unknown_characters", Select).value = "token"
        await wait_until(pilot, lambda: vocabulary_on(pilot) == before + 1)
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    assert list_runs()[0].manifest().unknown_characters == "token"


def vocabulary_on(pilot: Pilot[Any]) -> int:
    match = re.search(r"vocabulary  (\d+) tokens", screen_text(pilot.app))
    assert match
    return int(match[1])


@pytest.mark.long
async def test_each_preset_has_a_line_a_description_and_a_source(engine: Engine):
    async with opened((120, 50)) as pilot:
        form(pilot).query_one("#preset", Select).focus()
        await pilot.press("enter")
        await wait_until(pilot, lambda: "finetune" in screen_text(pilot.app))
        assert [name for name in PRESETS if name not in screen_text(pilot.app)] == []
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: PRESETS["laptop"].source in screen_text(pilot.app))
        assert PRESETS["laptop"].description[:30] in screen_text(pilot.app)


async def test_a_preset_fills_the_form(engine: Engine):
    async with opened() as pilot:
        form(pilot).query_one("#preset", Select).value = "modern-124m"
        await pilot.pause()
        values = {name: form(pilot).query_one(f"#{name}", Input).value for name in ("n_layer", "d_model", "budget")}
        assert values == {"n_layer": "12", "d_model": "768", "budget": "2,500,000,000 tokens"}
        assert form(pilot).query_one("#tokenizer", Select).value == "gpt2"


async def test_what_is_wrong_is_said_in_place_and_nothing_starts(engine: Engine):
    async with opened() as pilot:
        for field, text, sentence in (
            ("budget", "soon", "the budget 'soon' is not understood"),
            ("n_layer", "two", "n_layer must be a whole number, not 'two'"),
            ("n_head", "7", "is not divisible by n_head 7"),
            ("name", "a/b", "'a/b' cannot be a run's name"),
        ):
            before = form(pilot).query_one(f"#{field}", Input).value
            await fill(pilot, field, text)
            assert sentence in screen_text(pilot.app)
            await pilot.press("f5")
            await pilot.pause()
            assert isinstance(pilot.app.screen, NewRunScreen)
            await fill(pilot, field, before)
            assert sentence not in screen_text(pilot.app)
    assert list_runs() == []


async def test_a_taken_name_is_refused_in_place(engine: Engine):
    make_run("mine")
    async with opened() as pilot:
        await fill(pilot, "name", "mine")
        await pilot.press("f5")
        await wait_until(pilot, lambda: "there is already a run called 'mine'" in screen_text(pilot.app))
    assert len(list_runs()) == 1


async def test_a_file_is_looked_at_while_its_path_is_typed(engine: Engine, tmp_path: Path):
    novel = tmp_path / "novel.txt"
    novel.write_text("It was a [dark] and stormy night.\n" * 300)
    async with opened() as pilot:
        await choose_file(pilot, tmp_path / "nov")
        await wait_until(pilot, lambda: "nov" in form(pilot).problem)
        await fill(pilot, "corpus-name", str(novel))
        await wait_until(pilot, lambda: "It was a [dark] and stormy" in screen_text(pilot.app))
        await wait_until(pilot, lambda: form(pilot).query_one("#name", Input).value == "novel-01")
        await wait_until(pilot, lambda: form(pilot).problem == "")
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    assert list_runs()[0].manifest().corpus.spec == str(novel)


@pytest.mark.long
async def test_a_path_completes_from_the_file_system(engine: Engine, tmp_path: Path):
    (tmp_path / "novel.txt").write_text("text")
    async with opened() as pilot:
        await choose_file(pilot, tmp_path / "no")
        path = form(pilot).query_one("#corpus-name", Input)
        await wait_until(pilot, lambda: path._suggestion == str(tmp_path / "novel.txt"))
        path.cursor_position = len(path.value)
        await pilot.press("right")
        assert path.value == str(tmp_path / "novel.txt")


async def test_a_text_that_is_too_short_for_the_context_is_refused_in_place(engine: Engine, tmp_path: Path):
    short = tmp_path / "short.txt"
    short.write_text("a few words, and no more")
    async with opened() as pilot:
        await choose_file(pilot, short)
        await wait_until(pilot, lambda: "distinct" in screen_text(pilot.app))
        await pilot.press("f5")
        await wait_until(pilot, lambda: "context" in form(pilot).problem)
    assert list_runs() == []


@pytest.mark.long
async def test_at_80x24_everything_can_be_reached_by_keys(engine: Engine):
    async with opened((80, 24)) as pilot:
        seen = set()
        for _ in range(30):
            focused = pilot.app.focused
            assert focused is not None
            assert focused.region.bottom <= 24
            seen.add(focused.id)
            await pilot.press("tab")
            await pilot.pause()
        assert {
            "corpus-name",
            "preset",
            "start-from",
            "tokenizer",
            "unknown_characters",
            "budget",
            "name",
            "seed",
            "field-search",
            "start",
        } <= seen


@pytest.mark.long
async def test_the_encoding_of_a_text_can_be_named_and_what_is_found_out_is_said(engine: Engine, tmp_path: Path):
    russian = "Старик видит гору, и Юноша помнит дождь.\n" * 40
    path = tmp_path / "poems.txt"
    path.write_bytes(russian.encode("cp1251"))
    async with opened((80, 24)) as pilot:
        await choose_file(pilot, path)
        await wait_until(pilot, lambda: "Windows-1251" in screen_text(pilot.app))
        assert "% sure" in sentences_on(pilot)
        await fill(pilot, "encoding", "klingon")
        await wait_until(pilot, lambda: "there is no encoding called 'klingon'" in form(pilot).problem)
        await fill(pilot, "encoding", "koi8-r")
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None)
        corpus = form(pilot).text.corpus
        assert corpus is not None
        assert corpus.preview.startswith(russian.encode("cp1251").decode("koi8-r")[:9])
        await pilot.press("f5")
        await wait_until(pilot, lambda: bool(list_runs()))
        assert list_runs()[0].manifest().corpus.encoding == "koi8-r"


async def test_markup_is_learned_after_a_question(engine: Engine, tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text("<html>" + "Once there was a fox. " * 200)
    async with opened() as pilot:
        assert not form(pilot).query_one("#markup-field").display
        await choose_file(pilot, path)
        await wait_until(pilot, lambda: "page.html is HTML, not plain text" in form(pilot).problem)
        assert form(pilot).query_one("#markup-field").display
        form(pilot).query_one("#as-text", Checkbox).value = True
        await wait_until(pilot, lambda: "<html>Once" in screen_text(pilot.app))
        assert form(pilot).problem == ""


@pytest.mark.long
async def test_a_document_is_refused_with_the_command_that_makes_a_text_of_it(engine: Engine, tmp_path: Path):
    path = tmp_path / "my novel.epub"
    path.write_bytes(b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/epub+zip")
    async with opened((80, 24)) as pilot:
        await choose_file(pilot, path)
        await wait_until(pilot, lambda: "an EPUB book" in form(pilot).problem)
        command = "pandoc -t plain --wrap=none -o 'my novel.txt' 'my novel.epub'"
        await wait_until(pilot, lambda: f"make a text of it with: {command}" in sentences_on(pilot))
        assert not form(pilot).query_one("#markup-field").display
        await pilot.press("f5")
        await pilot.pause()
        assert isinstance(pilot.app.screen, NewRunScreen)
    assert list_runs() == []


@pytest.mark.long
@pytest.mark.parametrize("answer", ["escape", "l"])
async def test_a_text_in_another_script_is_learned_after_a_question_alone(engine: Engine, tmp_path: Path, answer: str):
    model = write_model(tmp_path / "model")
    path = tmp_path / "poems.txt"
    path.write_text("Старик видит гору. " * 20 + "a plain line of letters " * 60)
    async with opened((80, 24)) as pilot:
        await choose_file(pilot, path)
        await fill(pilot, "start-from", f"'{model}'")
        await wait_until(pilot, lambda: form(pilot).start_from.found is not None)
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None and not form(pilot).problem)
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Question))
        words = "model has no token for 16% of the characters of"
        await wait_until(pilot, lambda: words in sentences_on(pilot))
        await pilot.press(answer)
        if answer == "l":
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
            assert [run.name for run in list_runs()] == ["poems-01"]
            return
        await wait_until(pilot, lambda: "would be left out" in form(pilot).problem)
    assert list_runs() == []


@pytest.mark.long
async def test_a_path_may_be_dropped_as_an_address_or_as_a_shell_quotes_it(engine: Engine, tmp_path: Path):
    novel = tmp_path / "it's my novel.txt"
    novel.write_text("It was a dark and stormy night.\n" * 300)
    async with opened() as pilot:
        for written in (novel.as_uri(), shlex.quote(str(novel)), str(novel).replace(" ", r"\ ").replace("'", r"\'")):
            await fill(pilot, "corpus-name", "")
            await fill(pilot, "corpus-name", written)
            await wait_until(pilot, lambda: form(pilot).text.corpus is not None)
            corpus = form(pilot).text.corpus
            assert corpus is not None
            assert corpus.spec == str(novel)


@pytest.mark.long
async def test_the_names_of_special_tokens_can_be_plain_text(engine: Engine):
    async with opened() as pilot:
        assert not form(pilot).query_one("#literal-field").display  # characters have none
        form(pilot).query_one("#literal", Checkbox).value = True
        form(pilot).query_one("#tokenizer", Select).value = "bpe"
        await pilot.pause()
        assert form(pilot).query_one("#literal-field").display
        await wait_until(pilot, lambda: form(pilot).problem == "")
        await pilot.press("f5")
        await wait_until(pilot, lambda: bool(list_runs()))
        assert list_runs()[0].manifest().literal


def row(pilot: Pilot[Any], name: str) -> RecipeRow:
    return next(row for row in form(pilot).query(RecipeRow) if row.field.name == name)


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_any_field_is_found_by_words_and_written(engine: Engine, size: tuple[int, int]):
    async with opened(size) as pilot:
        assert not form(pilot).query(RecipeRow)  # made when they are wanted
        await pilot.press("ctrl+f", *"moment")
        await wait_until(pilot, lambda: "beta2" in screen_text(pilot.app))
        await pilot.press("enter")
        assert row(pilot, "momentum").query_one(Input).has_focus
        await pilot.press("ctrl+u", *"1.5")
        await wait_until(pilot, lambda: "momentum is 1.5; it must be at least 0 and below 1" in sentences_on(pilot))
        assert "preset 0.95" in screen_text(pilot.app)
        await pilot.press("f5")
        assert isinstance(pilot.app.screen, NewRunScreen)
        await pilot.press("ctrl+u", *"0.9")
        await wait_until(pilot, lambda: not form(pilot).problem)
        await pilot.press("f5")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))
    assert list_runs()[0].manifest().training.momentum == 0.9


async def test_a_group_unfolds_and_marks_what_differs_from_the_preset(engine: Engine):
    async with opened() as pilot:
        await pilot.press("ctrl+f", "tab", "tab", "enter")
        await wait_until(pilot, lambda: "rope_theta" in screen_text(pilot.app))
        assert not [row for row in form(pilot).query(RecipeRow) if row.has_class("-differs")]
        await fill(pilot, "n_head", "6")
        await wait_until(pilot, lambda: "model  2 changed" in screen_text(pilot.app))  # heads that share follow
        assert {row.field.name for row in form(pilot).query(RecipeRow) if row.has_class("-differs")} == {
            "n_head",
            "n_kv_head",
        }
        row(pilot, "d_model").query_one(Input).value = "60"
        await wait_until(pilot, lambda: form(pilot).query_one("#d_model", Input).value == "60")
        form(pilot).query_one("#preset", Select).value = "laptop"
        await wait_until(pilot, lambda: row(pilot, "d_model").query_one(Input).value == "128")
        assert "changed" not in screen_text(pilot.app)


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_what_the_run_comes_to_follows_the_fields(engine: Engine, size: tuple[int, int]):
    async with opened(size) as pilot:
        await wait_until(pilot, lambda: "1.2M tokens, 1.4 epochs" in sentences_on(pilot))
        await fill(pilot, "budget", "5 epochs")
        await wait_until(pilot, lambda: "4.5M tokens, 5 epochs" in sentences_on(pilot))
        await fill(pilot, "n_layer", "600")
        await fill(pilot, "d_model", "48000")
        await wait_until(pilot, lambda: "too much" in sentences_on(pilot))


async def test_the_speed_is_measured_when_asked_and_when_nobody_types(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    async def measure(model: ModelConfig, training: TrainingConfig) -> MachineSpeed:
        asked.append(model.n_layer)
        if len(asked) == 1:
            raise UserError("the speed could not be measured: [b]no torch")
        return MachineSpeed("host", "", DEVICE, "", recipes=(RecipeSpeed(model, training, 61_440.0, 32),))

    monkeypatch.setattr(speed_probe, "measure", measure)
    async with opened() as pilot:
        await wait_until(pilot, lambda: "F6 does" in screen_text(pilot.app))
        await pilot.press("f6")
        await wait_until(pilot, lambda: "[b]no" in screen_text(pilot.app))
        await pilot.press("f6")
        await wait_until(pilot, lambda: "20 s here, at 61k" in screen_text(pilot.app))
        monkeypatch.setattr(new_run, "IDLE_SECONDS", 0.05)
        await fill(pilot, "budget", "1200 steps")
        await wait_until(pilot, lambda: "40 s here" in screen_text(pilot.app))
        assert asked == [3, 3]
        await fill(pilot, "n_layer", "2")
        await wait_until(pilot, lambda: asked == [3, 3, 2])


@pytest.mark.parametrize(
    "size", [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.long)]
)
async def test_a_text_is_found_while_it_is_typed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
):
    folder = tmp_path / "my books"
    folder.mkdir()
    (folder / "[b]novel.txt").write_text("It was a dark and stormy night.\nIt rained.\n" * 300)
    monkeypatch.chdir(tmp_path)
    async with opened(size) as pilot:
        await pilot.press("ctrl+u", *"shakes")
        await wait_until(pilot, lambda: "tinyshakespeare  40,000 lines" in screen_text(pilot.app))
        await pilot.press("ctrl+u", *"stormy")
        await wait_until(pilot, lambda: "tinyshakespeare  40,000" not in screen_text(pilot.app))
        await pilot.press("ctrl+u", *"novel")
        await wait_until(pilot, lambda: "./my books/[b]novel.txt  " in screen_text(pilot.app))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None)
        assert form(pilot).query_one("#corpus-name", Input).value == "./my books/[b]novel.txt"
        assert form(pilot).text.spec == "my books/[b]novel.txt"
        await pilot.press("enter")
        await wait_until(pilot, lambda: form(pilot).text.preview is not None)
        summary = str(form(pilot).query_one("#summary", Static).render())
        assert " ".join(summary.split()) == (
            "size 13 kB, UTF-8 characters 12,900, 19 of them distinct lines 600 repeated 99% of the lines"
        )


async def test_a_folder_is_read_when_its_name_is_complete(engine: Engine, tmp_path: Path):
    (tmp_path / "a.txt").write_text("one and two\n" * 300)
    async with opened() as pilot:
        await fill(pilot, "corpus-name", f"{tmp_path}/")
        await wait_until(pilot, lambda: "Enter reads all texts of this folder" in form(pilot).problem)
        assert form(pilot).text.corpus is None
        await pilot.press("enter")
        await wait_until(pilot, lambda: form(pilot).text.corpus is not None)


async def test_escape_leaves_what_was_found_and_then_the_form(engine: Engine):
    async with opened() as pilot:
        await pilot.press("down")
        await wait_until(pilot, lambda: "tinyshakespeare  40,000" in screen_text(pilot.app))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "tinyshakespeare" not in screen_text(pilot.app))
        assert form(pilot).query_one("#corpus-name").has_focus
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, WriteDesk))


async def test_the_command_line_is_copied(engine: Engine):
    async with opened((80, 24)) as pilot:
        await fill(pilot, "name", "mine")
        await fill(pilot, "n_head", "6")
        await pilot.press("ctrl+y")
        await pilot.pause()
        assert pilot.app.clipboard == ("minigpt-tui train tales --preset quick --name mine --n-head 6 --n-kv-head 2")
        await fill(pilot, "n_head", "7")
        await pilot.press("ctrl+y")
        await wait_until(pilot, lambda: any("no command line" in words for words in notices(pilot)))
