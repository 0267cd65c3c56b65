r"""What a backslash means in a prompt and in a stop string."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import pytest
from minigpt_tui.tui.cli.main import build_parser
from minigpt_tui.tui.cli.options import given_fields
from minigpt_tui.tui.sampling_fields import FOLDED
from minigpt_tui.tui.text.escapes import unescaped


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"one\ntwo\tthree\r", "one\ntwo\tthree\r"),
        (r"\u2028\u00e9\u00E9\xe9\U0001f642", "\u2028ééé\U0001f642"),
        (r"\ud83d\ude42 \ud83d \ude42", "\U0001f642 \ud83d \ude42"),
        (r"\\n is a backslash and an n", r"\n is a backslash and an n"),
        (r"\section{x} \d+ C:\Windows", r"\section{x} \d+ C:\Windows"),
        (r"\u20 \x \Uffffffff", r"\u20 \x \Uffffffff"),
        ("ends with \\", "ends with \\"),
        ("", ""),
        ("no escape, é\n", "no escape, é\n"),
    ],
)
def test_the_escapes_of_python_are_meant_and_nothing_else(written: str, meant: str) -> None:
    assert unescaped(written) == meant


@pytest.mark.parametrize(
    ("verb", "option", "field"),
    [
        ("generate", "--prompt", "prompt"), ("generate", "--stop", "stop"), ("generate", "--forbid", "forbidden"),
        ("score", "--text", "text"), ("train", "--sample-prompt", "sample_prompt"),
    ],
)  # fmt: skip
def test_they_mean_the_same_in_every_option_that_takes_a_text(verb: str, option: str, field: str) -> None:
    written = r"one\ttwo\n\u2028\\n"
    arguments = build_parser([verb]).parse_args([verb, option, written] + ["tales"] * (verb == "train"))
    assert getattr(arguments, field) in (unescaped(written), [unescaped(written)])
    assert r"\n is a new line" in " ".join(help_of(verb).split())


def test_several_sample_prompts_are_the_runs_list() -> None:
    def given(*words: str) -> dict[str, object]:
        return given_fields(build_parser(["train"]).parse_args(["train", "tales", *words]))

    assert given("--sample-prompt", r"a\n") == {"sample_prompt": "a\n", "sample_prompts": ()}
    assert given("--sample-prompt", "a", "--sample-prompt", "b")["sample_prompts"] == ("a", "b")
    assert "sample_prompts" not in given()


def help_of(verb: str) -> str:
    parser = build_parser([verb])
    with pytest.raises(SystemExit), redirect_stdout(StringIO()) as output:
        parser.parse_args([verb, "--help"])
    return output.getvalue()


@pytest.mark.parametrize("written", [r"one\n", r"\t", r"\u2028", r"a\\b", r"\d", "é"])
def test_a_stop_string_means_the_same_in_the_field_of_the_app(written: str) -> None:
    (field,) = (field for field in FOLDED if field.name == "stop")
    assert field.value(written) == (unescaped(written),)
