"""Conversations framed by a model's chat template, which runs in a process of its own: it may do anything but harm."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, NamedTuple

from ...data.storage.printable import printable
from ...data.tokenizers import Tokenizer, token_lengths
from ..child_process import child_environment, python_module
from ..requests import RequestError, Turn

_PATIENCE = 10.0  # seconds for a template that only waits; one that computes has less
_GUARD = "\ufdd0"  # a code point that is no character, and stands in no text
_MARK = "\ufdd1"  # another one
_LONGEST = 300  # characters of what a template says


class Frame(NamedTuple):
    """A framed conversation, and where in it stands what was said last, of which a template may leave out a part."""

    text: str  # for `encode_framed`
    start: int  # of the words, in the text as people read it
    stop: int
    left_out: int  # characters before these words
    cut: int  # and behind them


class ChatFraming:
    """Frames one conversation after another; the process for the next one is started ahead, and waits."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Start the process that frames the next conversation. Raises OSError."""
        if self._waiting is None:
            self._waiting = subprocess.Popen(
                python_module("minigpt_tui.data.tokenizers.chat_template"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=child_environment(),
            )

    def close(self) -> None:
        """End the process that waits."""
        if self._waiting is not None:
            self._waiting.communicate()
            self._waiting = None

    def frame(self, tokenizer: Tokenizer, turns: Sequence[Turn], literal: bool = False) -> str:
        """The text that the model continues, for `encode_framed`.

        With `literal` the names of special tokens are text where people have said them; those of the template never
        are. Raises RequestError, in one sentence, where the template frames nothing.
        """
        template = tokenizer.chat_templates.get("default")
        if template is None:
            raise RequestError("the model has no chat template, so it knows no turns; write a text that it continues")
        self.prepare()
        process, self._waiting = self._waiting, None
        assert process is not None
        answer = _answer(
            process,
            template=template,
            messages=[
                {"role": turn.role, "content": _guarded(turn.text, tokenizer) if literal else turn.text}
                for turn in turns
            ],
            special_tokens=dict(tokenizer.role_names),
        )
        self.prepare()
        text, problem = answer.get("text"), answer.get("problem")
        if isinstance(text, str):
            return text
        raise RequestError(
            f"the model's chat template cannot frame this conversation: {printable(str(problem), _LONGEST)}; write a "
            "text that it continues instead"
        )

    def frame_words(self, tokenizer: Tokenizer, turns: Sequence[Turn], literal: bool = False) -> Frame:
        """The same with the place of what was said last. Raises RequestError also where it is not to be found."""
        said, mark = turns[-1].text, _MARK
        while any(mark in turn.text for turn in turns):
            mark += _MARK
        words = said.rstrip()  # templates strip
        turn = replace(turns[-1], text=words + mark + said[len(words) :])
        before, found, behind = self.frame(tokenizer, (*turns[:-1], turn), literal).rpartition(mark)
        before = before.replace(mark, "")  # a template may say a message twice
        end, words, blanks = len(shown(before)), shown(words), said[len(words) :]
        n_words = _shared_length(reversed(words), reversed(shown(before)))
        n_blanks = _shared_length(blanks, behind)
        if not found or not n_words + n_blanks:
            raise RequestError("the model's chat template does not show what was said last, so it cannot be scored")
        return Frame(before + behind, end - n_words, end + n_blanks, len(words) - n_words, len(blanks) - n_blanks)


def encode_framed(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a framed conversation, without those that a model expects before other texts."""
    if _GUARD not in text:
        return tokenizer.encode(text).tolist()
    ids: list[int] = []
    for part, token in tokenizer.added_tokens.split(text):
        ids += tokenizer.encode(shown(part), literal=True)
        ids += () if token is None else (token,)
    return ids


def framed_token_lengths(text: str, tokenizer: Tokenizer) -> list[int]:
    """For each of these ids, how many characters of the `shown` text it stands for, as `token_lengths` counts."""
    if _GUARD not in text:
        return token_lengths(tokenizer, text)
    names = {token: name for name, token in tokenizer.special_tokens.items()}
    lengths: list[int] = []
    for part, token in tokenizer.added_tokens.split(text):
        lengths += token_lengths(tokenizer, shown(part), literal=True)
        lengths += () if token is None else (len(names.get(token, "")),)
    return lengths


def shown(text: str) -> str:
    """A framed conversation as people read it."""
    return text.replace(_GUARD, "")


def _shared_length(text: Iterable[str], other: Iterable[str]) -> int:
    """With how many of the same characters both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))


def _guarded(text: str, tokenizer: Tokenizer) -> str:
    """`text` with a guard within each name of a token, so that it is none."""
    parts: list[str] = []
    for part, token in tokenizer.added_tokens.split(shown(text)):
        name = next((name for name, number in tokenizer.special_tokens.items() if number == token), "")
        parts += part, name[:1] + _GUARD * bool(name) + name[1:]
    return "".join(parts)


def _answer(process: subprocess.Popen[bytes], **job: Any) -> Mapping[str, Any]:
    """What the process answers: a text, or a problem."""
    try:
        output, _ = process.communicate(json.dumps(job).encode() + b"\n", timeout=_PATIENCE)
        answer = json.loads(output)
        return answer if isinstance(answer, dict) else {}
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"problem": "it comes to no end"}
    except ValueError:
        ended = {-getattr(signal, name, 0) for name in ("SIGXCPU", "SIGKILL")}
        return {"problem": "it comes to no end" if process.returncode in ended else "it makes jinja2 break down"}
