"""A framed conversation is that of transformers, letter for letter, and no template does harm."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import TemplateError
from minigpt_tui.data.tokenizers import load_tokenizer
from minigpt_tui.data.tokenizers.chat_template import frame

from .chat_models import CONVERSATIONS, ROLES, TEMPLATES, write_tokenizer

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=sorted(TEMPLATES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("model") / request.param, request.param)


def test_the_text_is_that_of_transformers(folder: Path) -> None:
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    for name, messages in CONVERSATIONS.items():
        begun = messages[-1]["role"] == "assistant"
        if begun and folder.name == "odd":  # it says a message twice, and transformers leaves a mark of its own there
            continue
        try:
            expected = theirs.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun
            )
        except ValueError:  # the template says only a part of what is to be continued
            with pytest.raises(TemplateError, match="leaves out a part of the reply"):
                frame(ours.chat_templates["default"], messages, ours.role_names)
            continue
        text = frame(ours.chat_templates["default"], messages, ours.role_names)
        assert text == expected, name
        ids = theirs(expected, add_special_tokens=False)["input_ids"]
        assert ours.encode(text).tolist() == ids


def test_whatever_is_said_it_is_framed_as_transformers_frames_it(folder: Path, nasty_texts: list[str]) -> None:
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    for number in range(20):
        said = nasty_texts[number : number + 1 + 2 * (number % 3)]
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        if number % 2:
            messages.insert(0, {"role": "system", "content": nasty_texts[-number]})
        expected = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert frame(ours.chat_templates["default"], messages, ours.role_names) == expected


@pytest.mark.parametrize("placed", ["setting", "list", "file"])
def test_the_template_is_found_where_transformers_finds_it(placed: str, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "model", "chatml", placed)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    messages = CONVERSATIONS["several"]
    expected = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert frame(ours.chat_templates["default"], messages, ours.role_names) == expected
    ours.save(tmp_path / "copy")
    again = load_tokenizer(tmp_path / "copy")
    assert (again.chat_templates, again.role_names) == (ours.chat_templates, ours.role_names)


@pytest.mark.parametrize("kind", sorted(ROLES))
def test_the_special_tokens_are_the_variables_of_transformers(kind: str, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "model", kind)
    theirs = transformers.AutoTokenizer.from_pretrained(folder).special_tokens_map
    assert load_tokenizer(folder).role_names == theirs


def test_a_tokenizer_of_ours_carries_its_templates_along(tmp_path: Path) -> None:
    from minigpt_tui.data.tokenizers import CharTokenizer

    tokenizer = CharTokenizer("abc")
    names = {"default": "{{ 1 }}", "rag": "{{ 2 }}"}
    tokenizer.chat_templates = names | {"../../out": "{{ 3 }}", "": "{{ 4 }}", "a\x00b": "5", "x" * 300: "6"}
    tokenizer.save(tmp_path / "model")
    assert load_tokenizer(tmp_path / "model").chat_templates == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_template_that_refuses_says_why() -> None:
    with pytest.raises(TemplateError, match="only user and assistant may follow"):
        frame(TEMPLATES["headers"], [*CONVERSATIONS["one"], {"role": "system", "content": "x"}], {"bos_token": ""})


# ---------------------------------------------------------------------- templates that mean harm


def answer(template: str, **more: object) -> dict[str, str]:
    """What the process answers; where the system ended it instead, "problem" says so."""
    job = {"template": template, "messages": CONVERSATIONS["several"], "special_tokens": {}} | more
    command = [sys.executable, "-P", "-m", "minigpt_tui.data.tokenizers.chat_template"]
    done = subprocess.run(command, input=json.dumps(job) + "\n", capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if done.stdout else {"problem": f"ended by {-done.returncode}"}


def test_the_process_gives_the_same_text() -> None:
    messages = [{"role": "user", "content": "\ud83d 🙂"}]
    assert answer(TEMPLATES["small"], messages=messages) == {"text": frame(TEMPLATES["small"], messages, {})}


HARMFUL = {
    "attributes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "no template may"),
    "an attribute by name": ("{{ (''|attr('__class__')) }}{{ x.y.z }}", "not there"),
    "a namespace": ("{% set ns = namespace(__class__=1) %}", "no template may"),
    "a changed list": ("{{ messages.append(1) }}", "no template may"),
    "a global": ("{{ raise_exception.__globals__['sys'] }}", "not there|no template may"),
    "another file": ("{% include '/etc/passwd' %}", "loader"),
    "an import": ("{% import 'os' as os %}{{ os }}", "loader"),
    "nonsense": ("{% if %}", "an error in line 1"),
    "a macro in itself": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "without an end"),
    "nested lists": ("{{ " + "[" * 5000 + "]" * 5000 + " }}", "without an end|error in line|ended"),
    "much output": ("{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", "more than 8,000,000 characters"),
    "a huge text": ("{{ 'x' * 10 ** 10 }}", "memory"),
    "a padded text": ("{{ '%2000000000d' % 1 }}", "memory"),
    "a doubled text": (
        "{% set n = namespace(t='xx') %}{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
        "memory|ended",
    ),
    "a division": ("{{ 1 // 0 }}", "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
@pytest.mark.parametrize("name", sorted(HARMFUL))
def test_a_harmful_template_is_stopped(name: str) -> None:
    template, says = HARMFUL[name]  # a slow machine may reach the limit of time before that of memory
    assert re.search(says, answer(template)["problem"])


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
def test_a_template_without_end_is_ended() -> None:
    assert "ended" in answer("{{ 10 ** (10 ** 10) }}")["problem"]
