"""A conversation as the text that a model continues, framed by its chat template as transformers does it.

    python -m minigpt_tui.data.tokenizers.chat_template

The template is a program in Jinja that came with a model, so nobody can tell what it does. It runs in jinja2's sandbox,
without files and without a loader for others, and in a process of its own that reads one JSON object from standard
input, writes one, and has limits for time, memory and output.
https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

MOST_CHARACTERS = 8_000_000  # of a framed conversation
_SECONDS = 1  # of computing; a conversation takes some thousandths
_MEMORY = 1 << 30  # bytes of address space

Message = Mapping[str, str]  # its role and content


def frame(template: str, messages: Sequence[Message], special_tokens: Mapping[str, str]) -> str:
    """The text of a conversation, up to where the assistant speaks next; a message of the assistant that comes last
    is left open, to be continued. `special_tokens` are the variables such as bos_token.

    Raises whatever the template makes jinja2 raise, and may never end: `main` is for templates from elsewhere.
    """
    compiled = _environment().from_string(template)
    continued = messages[-1]["content"] if messages and messages[-1]["role"] == "assistant" else None
    mark = _unused_mark(messages)
    said = [dict(message) for message in messages]
    if continued is not None:
        said[-1]["content"] += mark + " "
    pieces: list[str] = []
    length = 0
    for piece in compiled.generate(
        messages=said, tools=None, documents=None, add_generation_prompt=continued is None, **special_tokens
    ):
        pieces.append(piece)
        length += len(piece)
        if length > MOST_CHARACTERS:
            raise TemplateError(f"it writes more than {MOST_CHARACTERS:,} characters")
    text = "".join(pieces)
    return text if continued is None else _open_end(text, continued, mark)


def _unused_mark(messages: Sequence[Message]) -> str:
    """Characters that stand in none of the messages."""
    mark = "CONTINUED"
    while any(mark in message["content"] for message in messages):
        mark += "_"
    return mark


def _open_end(text: str, continued: str, mark: str) -> str:
    """`text` up to the mark at the end of the message that is continued. Raises TemplateError where it is not there."""
    end = text.rfind(mark)
    if end < 0 or continued.strip() not in text:
        raise TemplateError("it leaves out a part of the reply that is to go on")
    # where the blank behind the mark is gone, the template strips messages, and this one would have been
    opened = text[:end] if text.startswith(mark + " ", end) else text[:end].rstrip()
    return opened.replace(mark + " ", "").replace(mark, "")  # a template may say a message twice


# ---------------------------------------------------------------------- what templates of transformers find there


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=_strftime_now, dict=_Dictionaries(), namespace=_PublicNamespace
    )
    return environment


class _Generation(Extension):
    """{% generation %} ... {% endgeneration %} around what the assistant says: its words, and nothing else."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

    def _content(self, caller: Callable[[], str]) -> str:
        return caller()


class _Dictionaries:
    """`dict` without the attributes of the class."""

    def __call__(self, *args: Any, **values: Any) -> dict[Any, Any]:
        return dict(*args, **values)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _PublicNamespace(Namespace):
    """A namespace whose names begin with a letter: the others belong to Python."""

    def __init__(*args: Any, **values: Any) -> None:
        self, *rest = args  # a template may call one of its values self
        for name in dict(*rest, **values):
            _check_public(name)
        Namespace.__init__(self, *rest, **values)  # type: ignore[arg-type]

    def __setitem__(self, name: str, value: Any) -> None:
        _check_public(name)
        super().__setitem__(name, value)


def _check_public(name: Any) -> None:
    if str(name).startswith("_"):
        raise SecurityError(f"a namespace cannot hold {str(name)[:40]!r}")


def _raise_exception(message: Any) -> None:
    raise _RefusedError(str(message))


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON as it is, where jinja2's own filter would escape it for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class _RefusedError(TemplateError):
    """What the template itself says against a conversation."""


# ---------------------------------------------------------------------- as a process


def main() -> None:
    """Frame one conversation: {"template", "messages", "special_tokens"} becomes {"text"}, or {"problem"}."""
    job = json.loads(sys.stdin.buffer.readline() or b"{}")
    if not job:
        return  # nobody needed it
    _limit_work()
    try:
        answer = {"text": frame(job["template"], job["messages"], job["special_tokens"])}
    except (Exception, RecursionError) as error:
        answer = {"problem": _problem(error)}
    sys.stdout.write(json.dumps(answer))


def _limit_work() -> None:
    """From here on limit time and memory, and let nothing be written to a file; Windows knows no such limits."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        seconds = math.ceil(time.process_time()) + _SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _problem(error: Exception) -> str:
    """What went wrong, as the end of a sentence."""
    match error:
        case _RefusedError():
            return f"it refuses that: {error}"
        case TemplateSyntaxError(lineno=line):
            return f"it has an error in line {line}: {error.message}"
        case UndefinedError():
            return f"it needs what is not there: {error}"
        case SecurityError():
            return f"it does what no template may: {error}"
        case RecursionError():
            return "it calls itself without an end"
        case MemoryError():
            return "it needs too much memory"
        case TemplateError():
            return str(error)
        case _:
            return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
