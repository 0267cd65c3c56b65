import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.tui.settings import (
    HISTORY_LENGTH,
    Settings,
    SettingsStore,
    load_history,
    load_settings,
    save_history,
    save_settings,
    settings_path,
)

EVERYTHING = SamplingSettings(
    temperature=1.25, top_k=40, top_p=0.9, min_p=0.05, typical_p=0.95, repetition_penalty=1.1, presence_penalty=-0.5,
    frequency_penalty=0.25, penalty_window=64, max_tokens=100, seed=7, stop=("\n\n", 'quote " and \\', "tab\t\x7f☃"),
    forbidden=("\u2028", "[sampling]"), literal=True,
)  # fmt: skip


def written(text: str) -> None:
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text(text)


def test_without_a_file_there_are_defaults_and_no_notices(home: Path):
    assert load_settings() == (Settings(), [])


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(
            "minigpt-light",
            False,
            True,
            EVERYTHING,
            sampling_sets={"mine": EVERYTHING, "käse 2": SamplingSettings()},
            reply_end="both",
            reply_end_seconds=2.5,
            keys={"run.new": "ctrl+e, f5", "a": ""},
        ),
    ],
)
def test_what_is_saved_is_loaded(home: Path, settings: Settings):
    save_settings(settings)
    assert load_settings() == (settings, [])


def test_no_setting_is_left_out_above():
    default, tried = asdict(SamplingSettings()), asdict(EVERYTHING)
    assert not [name for name in default if default[name] == tried[name]]


def test_bad_values_fall_back_one_by_one_and_say_so(home: Path):
    written('theme = 5\npanels = false\ncolour = "red"\n[sampling]\ntemperature = -1\ntop_k = 12\ntop_p = "much"\n')
    settings, notices = load_settings()
    assert settings == Settings(panels=False, sampling=SamplingSettings(top_k=12))
    named = ["sampling.temperature", "sampling.top_p", "theme", "colour"]
    assert [name for name, notice in zip(named, notices, strict=True) if f"'{name}'" in notice] == named
    assert [f"settings.toml:{line}: " in notice for line, notice in zip((5, 7, 1, 3), notices, strict=True)] == [
        True
    ] * 4


@pytest.mark.parametrize(
    ("text", "line"), [("samples = 1\ntheme = \n", 2), ("\x00", 1), ("\n\nsampling = 3\n", 3)], ids=range(3)
)
def test_a_damaged_file_is_one_notice(home: Path, text: str, line: int):
    written(text)
    settings, notices = load_settings()
    assert settings == Settings()
    assert len(notices) == 1
    assert f"settings.toml:{line}" in notices[0]


HAND_WRITTEN = """\
# my settings, kept in a repository

theme = "minigpt-light"   # for the afternoon
future = [1,
          2]              # of a newer version

[sampling]
top_k = 40      # few
temperature = -1
seed = 7
mood = "calm"

[colours]
you = "blue"
"""


def test_a_change_leaves_comments_order_unknown_keys_and_bad_values_of_a_person_alone(home: Path):
    written(HAND_WRITTEN)
    settings, problems = load_settings()
    assert len(problems) == 4
    save_settings(replace(settings, panels=False, sampling=replace(settings.sampling, top_k=12, seed=None)))
    text = settings_path().read_text()
    expected = HAND_WRITTEN.replace("top_k = 40 ", "top_k = 12 ").replace("seed = 7\n", "")
    assert [line for line in text.splitlines() if line not in expected.splitlines()] == ["panels = false"]
    assert [line for line in expected.splitlines() if line not in text.splitlines()] == []
    assert load_settings()[0] == Settings("minigpt-light", False, sampling=SamplingSettings(top_k=12))


def test_own_sets_of_sampling_settings_are_read_changed_and_deleted_one_by_one(home: Path):
    calm = "[sampling_sets.calm]\ntemperature = 0.3 # low\n"
    written(f"# mine\n{calm}[sampling_sets.odd]\ntop_p = 7\n[sampling_sets.greedy]\n")
    settings, problems = load_settings()
    assert settings.sampling_sets == {"calm": SamplingSettings(temperature=0.3), "odd": SamplingSettings()}
    assert ["'sampling_sets.odd.top_p'" in problems[0], "'sampling_sets.greedy'" in problems[1]] == [True, True]
    save_settings(replace(settings, sampling_sets={"calm": SamplingSettings(temperature=0.2), "new": EVERYTHING}))
    assert load_settings()[0].sampling_sets == {"calm": SamplingSettings(temperature=0.2), "new": EVERYTHING}
    text = settings_path().read_text()
    assert text.startswith("# mine")
    assert "temperature = 0.2 # low" in text
    assert "odd" not in text


def test_saving_what_the_file_says_already_changes_nothing(home: Path):
    written(HAND_WRITTEN)
    save_settings(load_settings()[0])
    assert settings_path().read_text() == HAND_WRITTEN


@pytest.mark.parametrize("damaged", [b'theme = \n# "mine"', b"\x00", b"\xff\xfe"], ids=["cut", "zero", "utf-16"])
def test_a_damaged_file_is_kept_beside_the_new_one(home: Path, damaged: bytes):
    for number, name in enumerate(("settings.toml.damaged", "settings.toml.damaged-2")):
        written("")
        settings_path().write_bytes(damaged)
        settings, (problem,) = load_settings()
        assert "settings.toml.damaged" in problem
        save_settings(replace(settings, samples=number + 2))
        assert (settings_path().parent / name).read_bytes() == damaged
        assert load_settings() == (Settings(samples=number + 2), [])


def test_a_change_that_cannot_be_saved_is_told_and_holds_until_the_app_ends(home: Path):
    home.mkdir()
    (home / "config").write_text("a file where the folder should be")
    told: list[str] = []
    store = SettingsStore(told.append)
    store.change(samples=3)
    store.change(samples=3)
    assert store.settings == Settings(samples=3)
    assert ["cannot be saved" in sentence for sentence in told] == [True]


def test_history_keeps_the_newest_prompts_and_survives_damage(home: Path):
    prompts = [f"prompt {number}\nwith a line" for number in range(HISTORY_LENGTH + 5)]
    save_history(prompts)
    assert load_history() == prompts[5:]
    path = home / "state" / "history.jsonl"
    path.write_text(path.read_text() + '{"not": "a prompt"}\nhalf a li')
    assert load_history() == prompts[5 + 2 :]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe", b"theme = ", b"samples = 1" + b"0" * 5000, b"x = " + b"[" * 5000, b"[sampling]\ntemperature = nan",
        b"[sampling]\ntop_k = " + b"9" * 400, b"theme = 1979-05-27", b"sampling = [1]", b"[[sampling]]\na = 1",
        b"samples = -1", b'theme = "\\u001b[31m"', b"\0", b"[sampling]\nstop = [[]]", b"panels = inf",
    ],
)  # fmt: skip
def test_settings_of_any_content_give_defaults_and_a_word(home: Path, content: bytes):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_bytes(content)
    loaded, problems = load_settings()
    assert loaded.samples == 1
    assert problems or loaded.theme != Settings().theme
    save_settings(Settings(samples=3))
    assert load_settings()[0].samples == 3


def test_a_history_of_any_content_gives_the_prompts_that_can_be_drawn(home: Path):
    save_history(["one"])
    (path,) = home.rglob("history.jsonl")
    junk = [b'"\\ud800"', b"\xff", b"[" * 100_000, b"1" * 5000, b"NaN", b"null", b'"two"', b"{}", b"\0"]
    path.write_bytes(path.read_bytes() + b"\n".join(junk))
    assert load_history() == ["one", "two"]


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(home: Path):
    save_history(["one"])
    (history,) = home.rglob("history.jsonl")
    history.unlink()
    settings_path().parent.mkdir(parents=True)
    for path in (history, settings_path()):
        os.mkfifo(path)
    assert load_history() == []
    assert load_settings()[0] == Settings()
    assert "no plain file" in load_settings()[1][0]


def test_the_history_is_its_owners_alone(home: Path):
    save_history(["a secret"])
    (path,) = home.rglob("history.jsonl")
    path.chmod(0o644)
    save_history(["a secret", "another"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_settings_that_an_editor_of_windows_has_saved_are_read_and_written(home: Path):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_bytes(b"\xef\xbb\xbfsamples = 2\r\n")
    assert load_settings() == (Settings(samples=2), [])
    save_settings(Settings(samples=3))
    assert load_settings() == (Settings(samples=3), [])
    assert [path.name for path in settings_path().parent.iterdir()] == ["settings.toml"]
