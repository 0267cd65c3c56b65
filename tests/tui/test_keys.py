"""The keys of a person's own: which are taken, and that footer, help, palette and sentences name those in force."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.tui import keys, screens
from minigpt_tui.tui.app import MinigptApp
from minigpt_tui.tui.key_names import key_of, shown, spoken
from minigpt_tui.tui.keyed_node import KeyedNode
from minigpt_tui.tui.keymap import ACTIONS, BY_ID, TOGETHER
from minigpt_tui.tui.screens.help import HelpScreen
from minigpt_tui.tui.screens.new_run import NewRunScreen
from minigpt_tui.tui.screens.write import WriteDesk
from minigpt_tui.tui.settings import Settings, load_settings, save_settings, settings_path
from textual.binding import Binding
from textual.dom import DOMNode

from .scripted_engine import ScriptedEngine
from .seen import notices, screen_text
from .waiting import wait_until


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    yield
    keys.use({})


@pytest.mark.parametrize(
    ("written", "key", "in_a_list", "in_a_sentence"),
    [
        ("ctrl+e", "ctrl+e", "^E", "Ctrl+E"),
        (" Ctrl+E ", "ctrl+e", "^E", "Ctrl+E"),
        ("^e", "ctrl+e", "^E", "Ctrl+E"),
        ("Control+Alt+Del", "alt+ctrl+delete", "Alt+Ctrl+Delete", "Alt+Ctrl+Delete"),
        ("F5", "f5", "F5", "F5"),
        ("Alt+Down", "alt+down", "Alt+Down", "Alt+Down"),
        ("esc", "escape", "Esc", "Esc"),
        ("?", "question_mark", "?", "?"),
        ("comma", "comma", ",", ","),
        ("/", "slash", "/", "/"),
        ("+", "plus", "+", "+"),
        ("B", "B", "B", "B"),
        ("ctrl+space", "ctrl+@", "^@", "Ctrl+@"),
    ],
)
def test_a_key_is_read_as_people_write_it(written: str, key: str, in_a_list: str, in_a_sentence: str):
    assert key_of(written) == key
    assert (shown(key), spoken(key)) == (in_a_list, in_a_sentence)


@pytest.mark.parametrize("text", ["", "foo", "ctrl+", "+e", "hyper+e", "ctrl+ctrl+e", "f99", "shift+e", "\x1b", "ab"])
def test_what_is_no_key_is_named(text: str):
    with pytest.raises(ValueError, match=r"'.*'"):
        key_of(text)


@pytest.mark.parametrize("text", ["ctrl+i", "^M", "Ctrl+H", "ctrl+[", "ctrl+c"])
def test_keys_that_a_terminal_or_the_app_needs_otherwise_are_refused(text: str):
    with pytest.raises(ValueError, match=r"to a terminal|copies"):
        key_of(text)


def test_the_usual_keys_can_all_be_chosen():
    chosen = {action.id: action.key for action in ACTIONS}
    assert keys.checked(chosen) == ({name: BY_ID[name].keys for name in chosen}, {})
    assert {action.scope for action in ACTIONS} == {scope for scopes in TOGETHER for scope in scopes}


def test_whatever_has_actions_of_the_table_follows_the_keys_in_force():
    for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
        importlib.import_module(module.name)
    classes, seen = [DOMNode], set[type[DOMNode]]()
    while classes:
        cls = classes.pop()
        seen.add(cls)
        classes += [below for below in cls.__subclasses__() if below not in seen]
    owners = [
        cls
        for cls in seen
        if cls.__module__.startswith("minigpt_tui.")  # and not of another test in this process
        and any(isinstance(binding, Binding) and binding.id in BY_ID for binding in cls.__dict__.get("BINDINGS", ()))
    ]
    assert {"CompareScreen", "SessionsScreen", "WriteDesk"} <= {cls.__name__ for cls in owners}
    assert [cls for cls in owners if not issubclass(cls, KeyedNode)] == []


@pytest.mark.parametrize(
    ("chosen", "refused"),
    [
        ({"run.new": "x"}, {"run.new": "one types there"}),
        ({"run.new": "f10,left"}, {"run.new": "one types there"}),
        ({"new-run.start": "enter"}, {"new-run.start": "one types there"}),
        ({"run.nwe": "f10"}, {"run.nwe": "no such action"}),
        ({"run.new": "f10, ctrl+i"}, {"run.new": "Tab"}),
        ({"run.new": "ctrl+g"}, {"run.new": "'Ctrl+G' is the key of 'Sessions'"}),
        ({"runs.pause": "ctrl+q"}, {"runs.pause": "'Ctrl+Q' is the key of 'Quit'"}),
        ({"run.new": "ctrl+e"}, {}),
        ({"run.new": "ctrl+e", "document.redo": "ctrl+e"}, {"document.redo": "New run"}),
        ({"tree": "f10", "way": "f10"}, {"way": "'F10' is the key of 'Tree'"}),
        ({"quit": ""}, {"quit": "needs a key"}),
        ({"run.new": "escape"}, {"run.new": "closes"}),
        ({"runs.show": "down"}, {"runs.show": "moves in a list"}),
        ({"reply.stop": "escape,f10", "runs.show": "enter", "runs.open": "v,f10"}, {}),
        ({"tree": "ctrl+w", "way": "ctrl+i"}, {"way": "Tab", "tree": "Way of writing"}),
        ({"tree": "ctrl+w", "way": "ctrl+x"}, {}),
        ({"reply.retry": "f10", "document.retry": "f10", "runs.show": "f10"}, {}),
        ({"runs.pause": "z", "run.new": "", "sessions.copy": "ctrl+t"}, {}),
        ({"quit": "f10", "run.new": "ctrl+q"}, {}),
    ],
    ids=range(19),
)
def test_of_the_keys_that_are_chosen_those_are_refused_with_which_two_actions_would_answer(
    chosen: dict[str, str], refused: dict[str, str]
):
    accepted, problems = keys.checked(chosen)
    assert problems.keys() == refused.keys()
    assert [name for name in refused if refused[name] not in problems[name]] == []
    assert accepted.keys() == chosen.keys() - refused.keys()


async def test_chosen_keys_act_and_are_named_wherever_keys_are_named(engine: type[ScriptedEngine]):
    chosen = {
        "run.new": "ctrl+e,f10", "quit": "alt+z", "palette": "f11", "help": "f8", "run.stop": "alt+h", "theme": "",
        "way": "alt+x",
    }  # fmt: skip
    save_settings(Settings(keys=chosen))
    async with MinigptApp().run_test(size=(200, 300)) as pilot:
        app = pilot.app
        await wait_until(pilot, lambda: "^e new run" in screen_text(app))
        footer = screen_text(app).splitlines()[-1]
        assert [key in footer for key in ("alt+z quit", "f11 palette", "f8 help")] == [True] * 3
        assert [key in footer for key in ("^t", "^q", "^p", "f1 ")] == [False] * 4
        await pilot.press("ctrl+t", "f9", "f1")
        assert (type(app.screen), app.theme) == (WriteDesk, Settings().theme)
        await pilot.press("f8")
        assert isinstance(app.screen, HelpScreen)
        await pilot.pause()
        text = screen_text(app)
        assert [word in text for word in ("^E ", "Alt+Z", "F11", "F8", "Alt+X turns")] == [True] * 5
        assert [word in text for word in ("^T ", "^Q", "^P", "F9")] == [False] * 4
        await pilot.press("f8")
        assert isinstance(app.screen, WriteDesk)
        titles = [command.title for command in MinigptApp.get_system_commands(app, app.screen)]  # type: ignore[arg-type]
        assert {"New run  (^E)", "Dark or light"} <= set(titles)
        await pilot.press("ctrl+e")  # with which the prompt would go to the end of its line
        assert isinstance(app.screen, NewRunScreen)


@pytest.mark.parametrize(
    ("chosen", "others"),
    [
        ({"run.new": "ctrl+e"}, {"document.redo": ()}),
        ({"run.new": "ctrl+j"}, {"document.go-on": ("ctrl+n", "ctrl+enter")}),
        ({"tree": "f7"}, {"reply.explain": (), "document.colour": ()}),
        ({"tree": "f7", "reply.explain": "f10"}, {"reply.explain": ("f10",), "document.colour": ()}),
        ({"runs.pause": "ctrl+t"}, {"run.new": ()}),
    ],
    ids=range(5),
)
def test_a_chosen_key_is_taken_away_from_actions_of_other_scopes(
    chosen: dict[str, str], others: dict[str, tuple[str, ...]]
):
    assert keys.use(chosen) == {}
    assert {name: keys.keys_of(BY_ID[name]) for name in others} == others
    keys.use({})
    assert {keys.keys_of(BY_ID[name]) == BY_ID[name].keys for name in others} == {True}


async def test_keys_that_cannot_be_used_are_named_with_their_line_and_the_usual_ones_stay(
    engine: type[ScriptedEngine], home: Path
):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('[keys]\nrun.new = "ctrl+g"\n"run.nwe" = "f10"\n"quit" = 3\n"theme" = "ctrl+i"\n')
    async with MinigptApp().run_test(size=(120, 40)) as pilot:
        await wait_until(pilot, lambda: len(notices(pilot)) >= 4)
        said = notices(pilot)
        for line, words in ((2, "'Sessions'"), (3, "no such action"), (4, "'keys.quit' must be"), (5, "is Tab")):
            assert any(f"settings.toml:{line}: " in sentence and words in sentence for sentence in said)
        await pilot.press("ctrl+t")
        assert isinstance(pilot.app.screen, NewRunScreen)


def test_keys_are_written_where_the_file_has_them(home: Path):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('[keys]\nrun.new = "f10"  # mine\n"tree" = "f11"\n')
    settings, problems = load_settings()
    assert (settings.keys, problems) == ({"run.new": "f10", "tree": "f11"}, [])
    save_settings(Settings(keys={"run.new": "alt+n", "reply.copy": ""}))
    assert settings_path().read_text() == '[keys]\nrun.new = "alt+n"  # mine\n"reply.copy" = ""\n'
    save_settings(Settings())
    assert load_settings() == (Settings(), [])
