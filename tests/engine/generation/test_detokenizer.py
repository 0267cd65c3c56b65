from __future__ import annotations

import random

from minigpt_tui.engine.generation.detokenizer import Detokenizer

TEXT = "naïve €5 — 日本語 🙂 end"


def stream(pieces: list[bytes], stop: tuple[str, ...] = ()) -> tuple[list[str], Detokenizer]:
    text, out = Detokenizer(stop), []
    for piece in pieces:
        out.append(text.feed(piece))
        if text.stopped:
            return out, text
    return [*out, text.finish()], text


def cut(data: bytes, seed: int) -> list[bytes]:
    """`data` in pieces of 1 to 4 bytes."""
    chance, pieces = random.Random(seed), []
    while data:
        n = chance.randint(1, 4)
        pieces.append(data[:n])
        data = data[n:]
    return pieces


def test_bytes_become_characters_only_when_they_are_whole() -> None:
    out, _ = stream([bytes([byte]) for byte in TEXT.encode()])
    assert "".join(out) == TEXT
    assert all(len(piece) <= 1 and "�" not in piece for piece in out)


def test_an_incomplete_character_at_the_end_is_dropped() -> None:
    out, _ = stream([bytes([byte]) for byte in "a🙂".encode()[:-1]])
    assert "".join(out) == "a"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    out, _ = stream([b"a", b"\xff", b"\xe2", b"b"])
    assert "".join(out) == "a��b"


def test_a_stop_string_across_tokens_ends_the_text_before_it() -> None:
    out, text = stream([b"one", b" T", b"H", b"E EN", b"D two"], ("THE END",))
    assert out == ["one", " ", "", "", ""]
    assert text.stopped


def test_what_only_began_like_a_stop_string_is_shown_in_the_end() -> None:
    out, text = stream([b"THE", b" E", b"AST", b" TH"], ("THE END",))
    assert out == ["", "", "THE EAS", "T ", "TH"]
    assert not text.stopped


def test_a_stop_string_that_begins_within_a_failed_one_is_found() -> None:
    out, text = stream([b"aab", b"a", b"ab", b"c"], ("aabc",))
    assert "".join(out) == "aab"
    assert text.stopped


def test_the_stop_string_that_is_complete_first_wins() -> None:
    for pieces in ([b"xabc"], [b"x", b"a", b"b", b"c"], [b"xa", b"bc"]):
        out, text = stream(pieces, ("abc", "b"))
        assert "".join(out) == "xa"
        assert text.stopped


def test_the_text_does_not_depend_on_how_it_falls_into_tokens_and_no_part_of_a_stop_string_is_shown() -> None:
    alphabet = "ab🙂"
    for seed in range(300):
        chance = random.Random(seed)
        whole = "".join(chance.choice(alphabet) for _ in range(30))
        stop = tuple("".join(chance.choice(alphabet) for _ in range(chance.randint(1, 4))) for _ in range(2))
        ends = [(whole.find(s) + len(s), whole.find(s)) for s in stop if s in whole]
        expected = whole[: min(ends)[1]] if ends else whole
        for number in range(5):
            out, text = stream(cut(whole.encode(), seed * 10 + number), stop)
            assert "".join(out) == expected
            assert text.stopped == bool(ends)


def test_a_text_that_goes_on_is_the_text_without_a_pause_wherever_it_paused() -> None:
    """Also in the middle of a character; what was shown is not shown again."""
    for seed in range(100):
        pieces = cut((TEXT + "\xff").encode("latin-1", "replace") + TEXT.encode(), seed)
        whole = "".join(stream(pieces)[0])
        for pause in range(len(pieces) + 1):
            before, after = Detokenizer(), Detokenizer()
            shown = "".join(map(before.feed, pieces[:pause])) + before.finish()
            after.resume(pieces[:pause])
            assert shown + "".join(map(after.feed, pieces[pause:])) + after.finish() == whole


def test_a_stop_string_that_began_before_a_pause_ends_the_text_behind_it() -> None:
    text = Detokenizer(("THE END",))
    text.resume([b"one TH", b"E E"])
    assert [text.feed(b"N"), text.feed(b"D two")] == ["", ""]
    assert text.stopped
    text = Detokenizer(("THE END",))
    text.resume([b"one TH"])
    assert [text.feed(b"E"), text.feed(b"AST THE")] == ["", "EAST "]
    assert text.finish() == "THE"


def test_a_stop_string_that_was_whole_before_a_pause_was_passed_over() -> None:
    text = Detokenizer(("END", "x"))
    text.resume([b"END"])
    assert text.feed(b" END") == " "
    assert text.stopped


def test_where_tokens_end_words_a_text_that_goes_on_begins_with_the_blank_that_was_held_back() -> None:
    before = Detokenizer(ends_words=True, opening=" ")
    assert before.feed(b"cat ") + before.finish() == " cat"
    after = Detokenizer((" ",), ends_words=True, opening=" ")
    after.resume([b"cat "])
    assert after.feed(b"sat") == " sat"
    assert not after.stopped


def test_each_token_has_the_characters_that_it_completes() -> None:
    text = Detokenizer(opening=" ")
    counts = []
    for piece in [b"ab", b"", "é".encode()[:1], "é".encode()[1:] + b"c", b"\xff"]:
        text.feed(piece)
        counts.append(text.characters)
    assert counts == [3, 0, 0, 2, 1]
