"""The text of a session: edits, continuations, undo and branches, beside a plain model of the tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.engine.sessions.database import StoreError
from minigpt_tui.engine.sessions.records import TokenRecord
from minigpt_tui.engine.sessions.session_text import SessionText
from minigpt_tui.engine.sessions.store import SessionStore
from minigpt_tui.engine.sessions.tree import Origin

ORIGIN = Origin("/runs/a", "a", 100, 7, SamplingSettings(temperature=0.5), "abc")


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SessionStore]:
    store = SessionStore(path)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def text(store: SessionStore, clock: Clock) -> SessionText:
    return SessionText.create(store, "document", clock=clock)


def reopened(store: SessionStore, text: SessionText) -> SessionText:
    """The same session as another app would read it."""
    store.release(text.session)
    other = SessionStore(store.path)
    return SessionText(other, text.session)


def tokens(words: str, first: int = 0) -> list[TokenRecord]:
    """A record for each character."""
    return [TokenRecord(first + n, 0.5, 0.25, 1, 1.0, 1) for n in range(len(words))]


def generate(text: SessionText, words: str, offset: int | None = None) -> int:
    """A continuation whose tokens are its characters."""
    (node,) = text.begin(len(text) if offset is None else offset, ORIGIN)
    text.append(node, words, [TokenRecord(ord(c), 0.5, 0.25, 1, 1.0, 1) for c in words])
    text.finish(node, "length", tokens=len(words), origin=ORIGIN)
    return node


def written(text: SessionText) -> list[tuple[str, str]]:
    """Who wrote what."""
    return [(span.author, text.between(span.start, span.end)) for span in text.spans()]


def edit(text: SessionText, clock: Clock, start: int, end: int, words: str) -> None:
    """An edit that is no keystroke of the one before it."""
    clock.now += 10
    text.replace(start, end, words)


def test_an_edit_in_the_middle_keeps_whose_words_are_whose_and_the_text_before_it(
    text: SessionText, clock: Clock, store: SessionStore
) -> None:
    edit(text, clock, 0, 0, "Once upon ")
    generate(text, "a time")
    before = text.leaf
    edit(text, clock, 12, 16, "place")
    assert text.text == "Once upon a place"
    assert written(text) == [("person", "Once upon "), ("model", "a "), ("person", "place")]
    edit(text, clock, 0, 4, "Deep")
    assert written(text) == [("person", "Deep"), ("person", " upon "), ("model", "a "), ("person", "place")]
    assert text.tree.text(before) == "Once upon a time"
    again = reopened(store, text)
    assert (again.text, written(again)) == (text.text, written(text))
    for expected in ("Once upon a place", "Once upon a time", "Once upon ", ""):
        assert again.undo()
        assert again.text == expected
    assert not again.undo()
    for expected in ("Once upon ", "Once upon a time", "Once upon a place", "Deep upon a place"):
        assert again.redo()
        assert again.text == expected
    assert not again.redo()


def test_keystrokes_at_one_place_are_one_step(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "The end.")
    clock.now += 10
    for number, letter in enumerate("very "):
        clock.now += 0.2
        text.replace(4 + number, 4 + number, letter)
    assert text.text == "The very end."
    for number in range(7):  # Backspace over what was typed and over what stood there
        clock.now += 0.2
        text.replace(8 - number, 9 - number, "")
    assert text.text == "Thend."
    for _ in range(2):  # Delete
        text.replace(2, 3, "")
    assert text.text == "Thd."
    assert len(text.tree.nodes) == 3, "a beginning, its rest, and a copy of what stands behind the edit"
    assert text.undo()
    assert text.text == "The end."
    assert text.redo()
    assert text.text == "Thd."
    clock.now += 10
    text.replace(4, 4, "a")
    clock.now += 10
    text.replace(5, 5, "b")
    text.undo()
    assert text.text == "Thd.a", "after a pause it is another step"


def test_what_is_typed_and_taken_back_at_once_is_no_step(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "word")
    edit(text, clock, 4, 4, "s")
    text.replace(4, 5, "")
    assert (text.text, len(text.tree.nodes)) == ("word", 1)
    assert text.undo()
    assert text.text == ""


def test_a_paste_is_a_step_of_its_own(text: SessionText) -> None:
    text.replace(0, 0, "a")
    text.replace(1, 1, "a whole sentence that was pasted")
    text.undo()
    assert text.text == "a"


def test_samples_are_siblings_and_the_place_is_in_the_first(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "go: ")
    nodes = text.begin(4, ORIGIN, 3)
    for number, node in enumerate(nodes):
        text.append(node, f"way {number}")
        text.finish(node, "length")
    assert text.text == "go: way 0"
    assert [node.id for node in text.siblings(nodes[1])] == nodes
    text.choose(nodes[2])
    edit(text, clock, 9, 9, " on")
    text.choose(nodes[0])
    assert text.text == "go: way 0"
    text.choose(nodes[2])
    assert text.text == "go: way 2 on", "the end that was open below it"
    for expected in ("go: way 0", "go: way 2 on", "go: way 2", "go: way 0", "go: ", ""):
        text.undo()
        assert text.text == expected


def test_a_continuation_from_the_middle_leaves_what_stood_behind_as_a_sibling(text: SessionText) -> None:
    text.replace(0, 0, "Once upon a time there was")
    generate(text, "a mill", 10)
    assert text.text == "Once upon a mill"
    assert [node.text for node in text.siblings(text.path[-1])] == ["a time there was", "a mill"]


def test_an_alternative_is_taken_by_its_token(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "say ")
    node = generate(text, "hello")
    new = text.take(node, 2, TokenRecord(500, 0.1, 0.2, 3, 1.0), "y!")
    assert text.text == "say hey!"
    assert [one.text for one in text.siblings(new)] == ["llo", "y!"]
    assert text.parts(8) == ("say ", (ord("h"), ord("e"), 500))
    assert text.records(new)[0].length == 2
    generate(text, " you")
    assert text.parts(10) == ("say ", (ord("h"), ord("e"), 500, ord(" "), ord("y")))
    assert text.parts(10, "/runs/a") == text.parts(10)
    assert text.parts(10, "/runs/other") == ("say hey! y", ())
    assert text.parts(7) == ("say hey", ()), "half a token has no id"
    edit(text, clock, 12, 12, "?")
    assert text.parts(13) == ("say hey! you?", ())
    first = text.take(node, 0, TokenRecord(7, 0.1, 0.2, 3, 1.0), "l")
    assert (text.text, text.tree.nodes[first].parent) == ("say hel", text.tree.nodes[node].parent)


def test_bytes_of_one_character_stay_with_the_token_that_follows_them(text: SessionText) -> None:
    (node,) = text.begin(0, ORIGIN)
    text.append(node, "a😀", [TokenRecord(n, 0.5, 0.5, 1, 1.0, length) for n, length in enumerate((1, 0, 0, 1))])
    text.finish(node, "length")
    new = text.take(node, 2, TokenRecord(9, 0.5, 0.5, 2, 1.0), "")
    assert text.text == "a"
    assert [record.token for record in text.records(new)] == [1, 9]
    assert text.parts(1) == ("", (0, 1, 9))


def test_an_edit_where_nodes_were_merged_leaves_what_stood_there_in_its_branch(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "one ")
    edit(text, clock, 4, 4, "two")
    node = text.path[-1]
    text.merge(node)
    edit(text, clock, 4, 7, "")
    assert text.text == "one "
    assert text.tree.text(node.id) == "one two"
    text.undo()
    assert text.text == "one two"


def test_a_node_is_merged_into_its_parent_and_parted_again(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "one ")
    node = generate(text, "two ")
    edit(text, clock, 8, 8, "three")
    text.merge(node)
    assert [one.text for _, one in text.tree.walk()] == ["one two ", "three"]
    assert written(text) == [("person", "one "), ("model", "two "), ("person", "three")]
    assert [record.length for record in text.records(node)] == [4, 1, 1, 1, 1]
    assert text.tree.nodes[node].author == "both"
    text.undo()
    assert [one.text for _, one in text.tree.walk()] == ["one ", "two ", "three"]
    other = generate(text, "2", 4)
    text.merge(other)
    assert [one.text for one in text.tree.roots] == ["one ", "one 2"], "others follow the parent"
    with pytest.raises(UserError, match="begins the text"):
        text.merge(text.tree.roots[0])
    (streaming,) = text.begin(0, ORIGIN)
    text.append(streaming, "x")
    edit(text, clock, 1, 1, "y")
    with pytest.raises(UserError, match="still writes"):
        text.merge(text.path[-1])


def test_what_is_deleted_can_be_restored_and_the_place_leaves_it(text: SessionText, clock: Clock) -> None:
    edit(text, clock, 0, 0, "one ")
    node = generate(text, "two ")
    edit(text, clock, 8, 8, "three")
    text.mark(node, deleted=True)
    assert text.text == "one "
    assert [one.text for _, one in text.tree.walk()] == ["one "]
    text.undo()
    assert text.text == "one two three"
    text.redo()
    text.mark(node, deleted=False, bookmarked=True)
    text.choose(node)
    assert text.text == "one two three"
    assert text.tree.nodes[node].bookmarked


def test_a_stream_is_saved_as_it_comes_and_may_be_cut_meanwhile(
    text: SessionText, clock: Clock, store: SessionStore
) -> None:
    edit(text, clock, 0, 0, "> ")
    (node,) = text.begin(2, ORIGIN)
    text.append(node, "abc", tokens("abc"))
    text.append(node, "de", tokens("de"))
    other = SessionStore(store.path)
    assert other.tree(text.session).text(node) == "> ", "what comes within a short time is saved together"
    clock.now += 0.5
    text.append(node, "f", tokens("f"))
    assert other.tree(text.session).text(node) == "> abcdef"
    edit(text, clock, 4, 5, "-")
    assert text.text == "> ab-def"
    text.append(node, "ghi", tokens("ghi"))
    text.finish(node, "length", tokens=9)
    assert text.text == "> ab-def"
    text.undo()
    assert text.text == "> abcdefghi"
    assert len(text.records(node)) == 7, "the rest behind the cut"
    assert other.tree(text.session).text(node) == "> abcdefghi"
    other.close()


def test_a_piece_that_could_not_be_saved_is_not_there_twice_when_it_comes_again(
    text: SessionText, clock: Clock, store: SessionStore
) -> None:
    (node,) = text.begin(0, ORIGIN)
    text.append(node, "abc", tokens("abc"))
    ((pages,),) = store.rows("PRAGMA page_count")
    list(store.rows(f"PRAGMA max_page_count = {pages}"))  # the disk is full
    clock.now += 1
    long = "x" * 100_000
    with pytest.raises(StoreError, match="free some space"):
        text.append(node, long, tokens(long))
    assert (text.text, len(text.records(node))) == ("abc", 3)
    text.move_to(SessionStore(in_memory=True))
    text.append(node, long, tokens(long))
    text.finish(node, "length")
    assert (text.text, len(text.records(node))) == (f"abc{long}", 100_003)
    assert text._store.tree(text.session).text(text.leaf) == text.text


def test_a_copy_of_what_streams_is_in_the_file_with_it(text: SessionText, clock: Clock, store: SessionStore) -> None:
    (node,) = text.begin(0, ORIGIN)
    text.append(node, "abc", tokens("abc"))
    text.append(node, "def", tokens("def"))
    edit(text, clock, 2, 3, "-")
    assert reopened(store, text).text == "ab-def"


def test_what_a_search_finds_is_found_where_it_stands_now(text: SessionText, clock: Clock, store: SessionStore) -> None:
    edit(text, clock, 0, 0, "a quiet mill by the sea, where a needle lies")
    edit(text, clock, 2, 7, "loud")
    text.settle()
    (found,) = store.search("needle")
    place = text.find(found.node, found.start)
    assert place is not None
    node, offset = place
    assert text.text[text.start_of(node) + offset :].startswith("needle")
    assert node in text.path
    text.mark(text.tree.nodes[found.node], deleted=True)
    assert [one.node for one in store.search("needle")] == [found.node], "the copy still shows it"
    assert list(store.search("loud"))
    text.mark(text.path[-2], deleted=True)
    assert list(store.search("loud")) == list(store.search("needle")) == [], "nor is what follows it"
    text.undo()
    assert len(list(store.search("lo"))) == len(list(store.search("loud"))) == 1


def test_the_list_says_how_the_text_begins_now(text: SessionText, clock: Clock, store: SessionStore) -> None:
    for number, letter in enumerate("Once"):
        text.replace(number, number, letter)
    assert [(one.title, one.characters) for one in store.sessions()] == [("Once", 4)]
    edit(text, clock, 0, 1, "At o")
    assert [(one.title, one.characters) for one in store.sessions()] == [("At once", 7)]
    edit(text, clock, 0, 7, "")
    assert [(one.title, one.characters) for one in store.sessions()] == [("At once", 0)]


def test_a_copy_of_a_session_is_made_of_its_own_words(text: SessionText, clock: Clock, store: SessionStore) -> None:
    edit(text, clock, 0, 0, "one two three")
    edit(text, clock, 4, 7, "2")
    store.release(text.session)
    copy = SessionText(store, store.duplicate(text.session))
    store.erase(text.session)
    assert copy.text == "one 2 three"
    assert len(copy.tree.nodes) == 4


def test_one_that_another_process_writes_is_refused(text: SessionText, path: Path) -> None:
    other = SessionStore(path)
    with pytest.raises(UserError, match="open in another window"):
        SessionText(other, text.session)
    other.close()
