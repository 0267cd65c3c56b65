"""Texts of any bytes, cut and damaged anywhere and in any encoding: a text or a sentence, the same for every verb."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.text_files import Reading, read_bytes

LANGUAGES = {
    "german": ("Der Müller fährt über die Brücke, „großer“ Bär.\n", ["cp1252", "latin-1", "cp850", "mac_roman"]),
    "russian": ("Старик видит гору и помнит дождь.\r\n", ["cp1251", "koi8_r", "cp866", "iso8859_5"]),
    "chinese": ("老人走过那座山，然后沉默了。\n", ["gbk", "gb18030", "hz"]),
    "japanese": ("空を見る、そしてわすれる。\n", ["shift_jis", "euc_jp", "iso2022_jp"]),
    "korean": ("노인은 산을 보고 기억한다.\n", ["euc_kr", "johab"]),
    "arabic": ("الرجل يمشي في الليل.\n", ["cp1256", "iso8859_6"]),
    "emoji": ("ok 👍 family 👨‍👩‍👧 \u2028 half\u00adway\t\x0b\n", ["utf-7"]),
}
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1140"]


@st.composite
def damaged_texts(draw: st.DrawFn) -> bytes:
    """A text of some language in some encoding, perhaps cut at both ends, perhaps with other bytes in it."""
    text, encodings = LANGUAGES[draw(st.sampled_from(sorted(LANGUAGES)))]
    encoding = draw(st.sampled_from(UNICODE + encodings))
    content = bytearray((text * draw(st.integers(1, 40))).encode(encoding, "replace"))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(content)))
        content[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    begin, end = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    return bytes(content[begin : len(content) - end])


Read = str | tuple[str, tuple[str, ...]]  # the sentence of a refusal, or the text and what was odd about it


def read_as(content: bytes, path: Path, reading: Reading) -> list[Read]:
    """What each of the two ways in makes of these bytes: a file of train and evaluate, a text of score and generate."""
    found: list[Read] = []
    path.write_bytes(content)
    try:
        corpus = open_corpus(str(path), reading=reading)
        found.append((corpus.read(), corpus.notices))
    except UserError as error:
        found.append(str(error))
    try:
        found.append(read_bytes(content, path.name, reading))
    except UserError as error:
        found.append(str(error))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any text")


@settings(max_examples=120, deadline=None, derandomize=True)
@given(content=damaged_texts() | st.binary(max_size=300), as_text=st.booleans())
def test_every_verb_reads_it_alike_or_says_the_same_sentence(folder: Path, content: bytes, as_text: bool) -> None:
    first, second = read_as(content, folder / "it", Reading(as_text=as_text))
    if content.strip():  # blanks alone are a prompt, and no corpus
        assert first == second
    for sentence in (first,) if isinstance(first, str) else first[1]:
        assert "\n" not in sentence


@settings(max_examples=60, deadline=None, derandomize=True)
@given(content=damaged_texts(), encoding=st.sampled_from([*UNICODE, "gb18030", "shift_jis", "cp1251", "utf-7", "idna"]))
def test_any_encoding_that_a_person_names_reads_it_or_says_why_not(folder: Path, content: bytes, encoding: str) -> None:
    first, second = read_as(content, folder / "it", Reading(encoding, as_text=True))
    if content.strip():
        assert first == second
    if not isinstance(first, str):
        assert first[0].encode(), "no half of a surrogate pair"
