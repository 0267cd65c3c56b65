"""Any sequence of changes gives the text that a plain model gives, also after a kill at any of them.

The model keeps a text for each place where the person was, and a list of the places that undo goes back to.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.documents import export, import_json
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SAVE_INTERVAL, SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Node, Origin

ORIGIN = Origin("/runs/a", "a", 100, 7, SamplingSettings(), "abc")

Letters = list[tuple[str, str]]  # each character with its author

ALTERNATIVES = ["x", "yz", "", "日"]  # of which the tokens are these numbers, and those of other characters
OTHERS = sys.maxunicode + 1  # their codes

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

words = st.text(st.sampled_from("ab c\n\0é日😀\u202e[]"), max_size=24)
some = st.integers(0, 10**6)


def decoded(token: int) -> str:
    return ALTERNATIVES[token - OTHERS] if token >= OTHERS else chr(token)


class Changes(RuleBasedStateMachine):
    """A session and its model, changed together."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = SessionStore(Path(self.folder.name) / "sessions.sqlite")
        self.now = 0.0
        self.text = SessionText.create(self.store, "document", clock=lambda: self.now)
        self.place: int | None = None
        self.known: dict[int | None, Letters] = {None: []}
        self.visits: dict[int, int] = {}
        self.undone: list[int | None] = []
        self.done: list[int | None] = []  # places before each step
        self.streams: dict[int, str] = {}  # what came of each, and
        self.saved: dict[int, int] = {}  # how much of it is certainly in the file

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @property
    def letters(self) -> Letters:
        return self.known[self.place]

    def went(self, letters: Letters | None, *, step: bool = True) -> None:
        """The session went to a place, which the model has not chosen: remember what must stand there."""
        leaf = self.text.leaf
        if step:
            self.done.append(self.place)
            self.undone.clear()
        if letters is not None:
            self.known[leaf] = letters
        self.place = leaf
        if leaf is not None:
            self.visits[leaf] = max(self.visits.values(), default=0) + 1

    def node(self, number: int) -> Node | None:
        nodes = [node for _, node in self.text.tree.walk(deleted=True)]
        return nodes[number % len(nodes)] if nodes else None

    # --- what persons and models do -------------------------------------------------------------------

    @rule(start=some, end=some, text=words)
    def edit(self, start: int, end: int, text: str) -> None:
        """Replace something by a change of its own."""
        self.now += 10
        size = len(self.letters)
        start, end = sorted((start % (size + 1), end % (size + 1)))
        before = self.letters
        self.text.replace(start, end, text)
        if "".join(letter for letter, _ in before[start:end]) != text:
            self.went([*before[:start], *((letter, "person") for letter in text), *before[end:]])

    @rule(at=some, keys=st.lists(st.sampled_from(["a", "b", "\n", "é", "Backspace", "Delete"]), min_size=1, max_size=8))
    def type(self, at: int, keys: list[str]) -> None:
        """Keys that follow each other at one place are one step, or none."""
        self.now += 10
        cursor = at % (len(self.letters) + 1)
        before, letters = self.letters, list(self.letters)
        place = self.place
        for key in keys:
            self.now += 0.3
            if key == "Backspace":
                if cursor > 0:
                    cursor -= 1
                    self.text.replace(cursor, cursor + 1, "")
                    del letters[cursor]
            elif key == "Delete":
                self.text.replace(cursor, cursor + 1, "")
                del letters[cursor : cursor + 1]
            else:
                self.text.replace(cursor, cursor, key)
                letters.insert(cursor, (key, "person"))
                cursor += 1
        assert self.text.text == "".join(letter for letter, _ in letters)
        letters = self.now_there()  # what was typed in the place of the same letter is still its first author's
        self.text.settle()
        steps = 0
        while self.text.leaf != place:  # how many steps these keys were: more than one where they took all back
            assert self.text.undo()
            steps += 1
        assert steps <= len(keys)
        self.known[place] = before
        for _ in range(steps):
            assert self.text.redo()
            self.went([*letters] if steps == 1 else None)
            self.known.setdefault(self.place, self.now_there())
        if steps == 0:
            self.went(before, step=False)

    def now_there(self) -> Letters:
        """The letters on the path, each with its author."""
        return [
            (letter, span.author) for span in self.text.spans() for letter in self.text.between(span.start, span.end)
        ]

    @rule(offset=some, samples=st.integers(1, 3), pieces=st.lists(words, max_size=3), ends=st.booleans())
    def generate(self, offset: int, samples: int, pieces: list[str], ends: bool) -> None:
        """Continuations begin somewhere; some end at once, others stream on."""
        offset %= len(self.letters) + 1
        before = self.letters[:offset]
        nodes = self.text.begin(offset, ORIGIN, samples)
        self.went(before)
        for number, node in enumerate(nodes):
            self.known[node] = list(before)
            self.streams[node], self.saved[node] = "", 0
            for piece in pieces:
                self.stream(node, f"{number}{piece}")
            if ends:
                self.finish(node)

    def stream(self, node: int, piece: str) -> None:
        self.text.append(node, piece, [TokenRecord(ord(letter), 0.5, 0.25, 1, 1.0, 1) for letter in piece])
        self.streams[node] += piece
        self.known[node] = [*self.known[node], *((letter, "model") for letter in piece)]

    def finish(self, node: int) -> None:
        self.text.finish(node, "length", tokens=len(self.streams.pop(node)), origin=ORIGIN)

    @precondition(lambda self: self.streams)
    @rule(number=some, piece=words, pause=st.sampled_from([0.01, 0.2, 1.0]), ends=st.booleans())
    def more(self, number: int, piece: str, pause: float, ends: bool) -> None:
        """A stream goes on, wherever the person is meanwhile."""
        node = list(self.streams)[number % len(self.streams)]
        self.now += pause
        self.stream(node, piece)
        if pause > SAVE_INTERVAL:
            self.saved = {node: len(came) for node, came in self.streams.items()}
        if ends:
            self.finish(node)

    @rule(number=some, token=some, text=st.sampled_from(ALTERNATIVES))
    def take(self, number: int, token: int, text: str) -> None:
        """Another token of any node of which the tokens are known."""
        node = self.node(number)
        if node is None or not (records := self.text.records(node)):
            return
        token %= len(records)
        end = self.known.get(node.id)
        at = sum(record.length for record in records[:token])
        before = None if end is None else end[: len(end) - node.length + at]
        self.text.take(node, token, TokenRecord(OTHERS + ALTERNATIVES.index(text), 0.1, 0.1, 9, 1.0), text)
        if before is None:
            before = self.now_there()[: len(self.text) - len(text)]
        self.went([*before, *((letter, "model") for letter in text)])

    # --- places ---------------------------------------------------------------------------------------

    @rule()
    def undo(self) -> None:
        assert self.text.undo() == bool(self.done)
        if self.done:
            self.undone.append(self.place)
            self.place = self.done.pop()
            self.visit()

    @rule()
    def redo(self) -> None:
        assert self.text.redo() == bool(self.undone)
        if self.undone:
            self.done.append(self.place)
            self.place = self.undone.pop()
            self.visit()

    def visit(self) -> None:
        assert self.text.leaf == self.place
        if self.place is not None:
            self.visits[self.place] = max(self.visits.values(), default=0) + 1

    @rule(number=some)
    def choose(self, number: int) -> None:
        """Any node: the place is then where the person was last below it."""
        if (node := self.node(number)) is None:
            return
        below = [one.id for _, one in self.text.tree.walk([node]) if one.id in self.visits]
        expected = max(below, key=self.visits.__getitem__) if below else node.id
        self.text.choose(node)
        assert self.text.leaf == expected
        if expected != self.place:
            self.went(self.known.get(expected) or self.now_there())

    @rule(number=some, deleted=st.booleans())
    def delete_or_restore(self, number: int, deleted: bool) -> None:
        node = self.node(number)
        if node is None or node.deleted == deleted:
            return
        inside = deleted and any(one.id == node.id for one in self.text.path)
        self.text.mark(node, deleted=deleted)
        assert self.text.leaf == (node.parent if inside else self.place)
        assert (node in [one for _, one in self.text.tree.walk()]) <= (not deleted)
        self.went(self.known.get(self.text.leaf) or self.now_there())

    @rule(number=some)
    def merge(self, number: int) -> None:
        if (node := self.node(number)) is None:
            return
        try:
            self.text.merge(node)
        except UserError:
            return
        self.went(self.known.get(self.text.leaf) or self.now_there())

    @rule(number=some)
    def bookmark(self, number: int) -> None:
        if node := self.node(number):
            self.text.mark(node, bookmarked=not node.bookmarked)

    # --- other processes ------------------------------------------------------------------------------

    @rule()
    def killed(self) -> None:
        """The process ends without a word, and another one opens the file."""
        self.store.release(self.text.session)
        old, self.store = self.store, SessionStore(self.store.path)
        self.text = SessionText(self.store, self.text.session, clock=lambda: self.now)
        for node, came in self.streams.items():
            source = self.text.tree.sources[node]
            assert came.startswith(source.text)
            assert len(source.text) >= self.saved[node]
            assert source.reason == "cancelled"
            lost = len(came) - len(source.text)
            self.known[node] = self.known[node][: len(self.known[node]) - lost]
        self.streams = {}
        old.close()

    @rule()
    def elsewhere(self) -> None:
        """A copy by way of JSON has the same nodes."""
        copy = import_json(self.store, export(self.store, self.text.session, "json"), "copy")
        old, new = self.store.tree(self.text.session), self.store.tree(copy)
        assert [(depth, n.text, n.author) for depth, n in new.walk()] == [
            (depth, n.text, n.author) for depth, n in old.walk()
        ]
        self.store.erase(copy)

    # --- what is always so ----------------------------------------------------------------------------

    @invariant()
    def the_text_is_that_of_the_model(self) -> None:
        if not hasattr(self, "text"):
            return
        assert self.text.leaf == self.place
        assert self.now_there() == self.letters
        text = "".join(letter for letter, _ in self.letters)
        assert (self.text.text, len(self.text)) == (text, len(text))
        for place, letters in self.known.items():
            assert self.text.tree.text(place) == "".join(letter for letter, _ in letters), place
        for node in self.text.path:
            if records := self.text.records(node):
                assert sum(record.length for record in records) == node.length
        prompt, then = self.text.parts(len(text))
        assert prompt + "".join(map(decoded, then)) == text


def test_any_changes() -> None:
    run_state_machine_as_test(
        Changes,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=SLOW,
        ),
    )  # fmt: skip


@pytest.mark.long
def test_many_changes() -> None:
    run_state_machine_as_test(
        Changes,
        settings=settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=SLOW),
    )


CHANGE = """
import json, random, sys
from pathlib import Path
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin

def change(path, seed, steps):
    draw, now = random.Random(seed), 0.0
    text = SessionText.create(SessionStore(Path(path)), "document", clock=lambda: now)
    origin = Origin("m", "m", 1, 1, SamplingSettings())
    for _ in range(steps):
        now += draw.choice([0.1, 2.0])
        at, nodes = draw.randint(0, len(text)), [node.id for _, node in text.tree.walk()]
        match draw.choice(["edit", "edit", "generate", "undo", "redo", "choose", "merge", "delete"]):
            case "edit":
                text.replace(at, at + draw.randint(0, 5), draw.choice(["", "a", "some words "]))
            case "generate":
                for node in text.begin(at, origin, 2):
                    text.append(node, "more of it ")
                    text.finish(node, "length")
            case "undo":
                text.undo()
            case "redo":
                text.redo()
            case "choose" if nodes:
                text.choose(draw.choice(nodes))
            case "merge" if nodes and text.tree.nodes[node := draw.choice(nodes)].parent:
                text.settle()
                text.merge(node)
            case "delete" if nodes:
                text.mark(draw.choice(nodes), deleted=True)
        yield text.text
"""


def test_a_process_that_is_killed_leaves_the_text_of_its_last_change(tmp_path: Path) -> None:
    script = CHANGE + "for text in change(sys.argv[1], int(sys.argv[2]), 10**6): print(json.dumps(text), flush=True)"
    namespace: dict[str, Any] = {}
    exec(CHANGE, namespace)
    for seed in range(3):
        killed = tmp_path / f"{seed}.sqlite"
        command = [sys.executable, "-c", script, str(killed), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [json.loads(next(process.stdout)) for _ in range(60 + 20 * seed)]
            process.send_signal(signal.SIGKILL)
            said += [json.loads(line) for line in process.stdout if line.endswith("\n")]
        expected = list(namespace["change"](tmp_path / f"again-{seed}.sqlite", seed, len(said) + 1))
        assert said == expected[:-1]
        store = SessionStore(killed)
        text = SessionText(store, 1)
        begun = expected[-1].removesuffix("more of it ")  # a continuation of which nothing was written yet
        assert text.text in (*expected[-2:], begun), "killed within the change that it had not said yet, or before it"
        while text.undo():
            pass
        assert text.text == ""
        store.close()
