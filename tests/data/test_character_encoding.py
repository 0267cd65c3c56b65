"""In which encoding a text is read: what it says itself, what a library judges, what a person names."""

from __future__ import annotations

import codecs
import itertools
import struct
from array import array
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigpt_tui.data.corpus import Corpus, open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.text_files import Reading, read_bytes

CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path_factory.mktemp("home")))


def sentences(*words: str) -> str:
    """All sentences that can be made of these words, one a line."""
    return "\n".join("".join(choice) for choice in itertools.product(*(group.split("|") for group in words))) + "\n"


CHINESE = sentences(
    "老人|少年|船夫|书生", "走过|看见|想起|离开", "那座山|一条河|旧城门|桥上的灯", "，然后沉默了。|，心里很难过。"
)
TAIWANESE = sentences(
    "老人|少年|船夫|書生", "走過|看見|想起|離開", "那座山|一條河|舊城門|橋上的燈", "，然後沉默了。|，心裡很難過。"
)
JAPANESE = sentences("空|海|夜|花|風", "を見る|を聞く|に行く|を待つ", "ねえ|。|、そしてわすれる。")
KOREAN = sentences(
    "노인은 |소년은 |친구는 ", "산을 |강을 |비를 ", "보고 |듣고 ", "기억한다.|떠난다.|아무 말도 하지 않았다."
)
RUSSIAN = sentences(
    "Старик |Юноша |Рыбак ", "видит |помнит |ищет ", "гору,|реку,|дождь,", " и забыл письмо.| и слышит снег."
)
GREEK = sentences("Ο γέρος |Το παιδί ", "βλέπει |θυμάται ", "το βουνό|τη βροχή|το ποτάμι", " και φεύγει.| στο δάσος.")
GERMAN = sentences(
    "Der Müller |Die Königin |Ein Bär ", "fährt |träumt |läuft ", "über die Brücke.|mit „großer“ Freude.|ohne Gefühl."
)
POLISH = sentences(
    "Książę |Źrebię |Chłop ", "śpi |już wyjechał |mówił ", "na łące.|i był błąd.|w gęstej trawie, aż święto."
)
TEXTS = [
    ("gbk", CHINESE, "GBK (gb18030)"),
    ("gb18030", CHINESE, "GBK (gb18030)"),
    ("big5", TAIWANESE, "Big5 (big5)"),
    ("shift_jis", JAPANESE, "Shift-JIS (cp932)"),
    ("euc_jp", JAPANESE, "EUC-JP (euc_jp)"),
    ("euc_kr", KOREAN, "EUC-KR (cp949)"),
    ("cp1251", RUSSIAN, "Windows-1251 (cp1251)"),
    ("koi8_r", RUSSIAN, "KOI8-R (koi8_r)"),
    ("cp866", RUSSIAN, "DOS 866 (cp866)"),
    ("cp1253", GREEK, "Windows-1253 (cp1253)"),
    ("cp1252", GERMAN, "Windows-1252 (cp1252)"),
    ("cp1250", POLISH, "Windows-1250 (cp1250)"),
]


def opened(tmp_path: Path, content: bytes, reading: Reading | None = None) -> Corpus:
    path = tmp_path / "novel.txt"
    path.write_bytes(content)
    return open_corpus(str(path), reading=reading or Reading())


@pytest.mark.parametrize(("encoding", "text", "named"), TEXTS, ids=[encoding for encoding, _, _ in TEXTS])
def test_a_text_that_is_not_utf_8_is_read_as_what_it_is(tmp_path: Path, encoding: str, text: str, named: str) -> None:
    corpus = opened(tmp_path, text.encode(encoding))
    assert corpus.read() == text
    (notice,) = corpus.notices
    assert notice.startswith(f"novel.txt is not UTF-8; read as {named}, ")
    assert "% sure" in notice
    assert text.split("\n")[0] in notice, "the first lines show whether it is right"
    assert notice.endswith("; --encoding NAME, or that field of the app's form, reads it as another")


@pytest.mark.parametrize(("encoding", "text", "named"), TEXTS[:8], ids=[encoding for encoding, _, _ in TEXTS[:8]])
def test_what_stands_late_in_a_text_decides_as_well(tmp_path: Path, encoding: str, text: str, named: str) -> None:
    content = b"a line of plain letters\n" * 20_000 + text.encode(encoding)
    corpus = opened(tmp_path, content)
    assert corpus.read().endswith(text)
    assert named in corpus.notices[0]


@pytest.mark.parametrize(
    ("name", "encoding", "named"),
    [
        ("novel-gbk.txt", "gbk", "GBK"),
        ("lyrics-sjis.txt", "shift_jis", "Shift-JIS"),
        ("poems-cp1251.txt", "cp1251", "Windows-1251"),
        ("poems-koi8-r.txt", "koi8_r", "KOI8-R"),
    ],
)
def test_longer_texts_of_other_encodings(name: str, encoding: str, named: str) -> None:
    path = CASES / name
    if not path.exists():
        pytest.skip("the text is not here")
    corpus = open_corpus(str(path))
    assert corpus.read() == path.read_bytes().decode(encoding)
    assert f"read as {named} " in corpus.notices[0]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (CHINESE.encode()[:3001] + CHINESE.encode()[3002:], None),
        (GERMAN.encode() + b"ab\xffc\n", "1 bad byte, in line 28, column 3"),
        (codecs.BOM_UTF8 + GERMAN.encode() + b"ab\xffc\n", "1 bad byte, in line 28, column 3"),
        (b"ab\r\n\xff\xfe" + RUSSIAN.encode(), "2 bad bytes, the first in line 2, column 1"),
        (GERMAN.encode() + "Schöne „Grüße“\n".encode("cp1252") + GERMAN.encode(), "5 bad bytes, the first in line 28"),
    ],
    ids=["lost", "stray", "after a mark", "two", "another encoding"],
)
def test_bad_bytes_do_not_change_how_the_rest_is_read(tmp_path: Path, content: bytes, place: str | None) -> None:
    corpus = opened(tmp_path, content)
    assert corpus.read() == content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    assert corpus.notices[0].startswith("novel.txt is UTF-8 with ")
    assert place is None or place in corpus.notices[0]
    assert corpus.notices[0].endswith("; read as U+FFFD")


def test_a_bad_byte_in_another_encoding_is_counted_as_well(tmp_path: Path) -> None:
    content = RUSSIAN.encode("cp1251") + CHINESE.encode("gbk")
    damaged = CHINESE.encode("gbk") * 3 + b"\xff\n" + CHINESE.encode("gbk")
    corpus = opened(tmp_path, damaged)
    assert corpus.read() == damaged.decode("gb18030", "replace")
    assert "read as GBK" in corpus.notices[0]
    assert corpus.notices[1].startswith("novel.txt is GB18030 with 1 bad byte, in line 385, column 1")
    assert opened(tmp_path, content, Reading("gb18030")).reading.encoding == "gb18030"


WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
ARABIC = sentences("الرجل |الولد |البحر ", "يمشي |ينام |يقرأ ", "في الليل.|مع الريح.|قرب النهر.")
UNMARKED = {
    "german": GERMAN, "russian": RUSSIAN, "greek": GREEK, "chinese": CHINESE, "japanese": JAPANESE, "korean": KOREAN,
    "arabic": ARABIC, "one letter": "a" * 3000, "letters alone": "acgt" * 800, "emoji": "ok 👍 haha 😂😂\n" * 50,
}  # fmt: skip


@pytest.mark.parametrize("language", UNMARKED)
def test_utf_16_and_utf_32_need_no_mark(tmp_path: Path, language: str) -> None:
    text = UNMARKED[language]
    for encoding in WIDE:
        corpus = opened(tmp_path, text.encode(encoding))
        assert corpus.read() == text
        (notice,) = corpus.notices
        assert notice.startswith(
            f"novel.txt is not UTF-8; read as UTF-{encoding[4:6]} without a byte order mark ({encoding}), "
        )
        assert "% sure (“" in notice
        assert "--encoding NAME" in notice


def test_what_is_no_text_is_not_taken_for_utf_16(tmp_path: Path) -> None:
    random = Random(5)
    normal = [random.gauss(0, 0.02) for _ in range(20_000)]
    binaries = {
        "zeros": bytes(1000),
        "noise": random.randbytes(60_000),
        "float32": array("f", normal).tobytes(),
        "bfloat16": b"".join(struct.pack("<f", value)[2:] for value in normal),
        "float16": struct.pack("<20000e", *normal),
        "sound": array("h", [int(3000 * value / 0.02) for value in normal]).tobytes(),
        "tokens": array("H", [min(50_256, int(200 * random.paretovariate(0.6))) for _ in range(20_000)]).tobytes(),
        "characters": array("H", [random.randrange(65) for _ in range(20_000)]).tobytes(),
    }
    for name, content in binaries.items():
        with pytest.raises(UserError, match=r"novel\.txt is binary, not text; .* --encoding utf-16-le") as caught:
            opened(tmp_path, content)
        assert "\n" not in str(caught.value), name


def test_a_nul_in_a_log_does_not_make_it_binary(tmp_path: Path) -> None:
    assert read_bytes(b"hi\0there", "it") == (
        "hi\0there", ("it is a text with a NUL character, as programs write them that were stopped; read as it stands",)
    )  # fmt: skip
    for place in (40, 100_000):  # at the beginning, and behind what is looked at first
        log = "[10:31] Bo: hi there\n" * 8000
        log = log[:place] + "\0" + log[place:]
        corpus = opened(tmp_path, log.encode())
        assert corpus.read() == log
        assert corpus.notices[0].startswith("novel.txt is a text with a NUL character")


def test_an_encoding_that_a_person_names_is_used(tmp_path: Path) -> None:
    content = RUSSIAN.encode("cp1251")
    assert opened(tmp_path, content, Reading("koi8-r")).read() == content.decode("koi8-r")
    assert opened(tmp_path, content, Reading("cp1251")).notices == ()
    assert opened(tmp_path, RUSSIAN.encode("utf-16-le"), Reading("utf-16-le")).read() == RUSSIAN
    assert opened(tmp_path, codecs.BOM_UTF8 + b"ab\n", Reading("UTF-8")).read() == "ab\n"
    for written in ("utf-16", "utf-16-le", "utf-16-be"):  # by whatever name, with or without a mark
        assert opened(tmp_path, RUSSIAN.encode(written), Reading("UTF-16")).read() == RUSSIAN
    assert opened(tmp_path, RUSSIAN.encode("utf-16"), Reading("utf_16_le")).read() == RUSSIAN
    assert opened(tmp_path, "字字字".encode("utf-32-le"), Reading("utf32")).read() == "字字字"
    for name in ("klingon", "rot13", "undefined", "a\0b", "é"):
        with pytest.raises(UserError, match="there is no encoding called"):
            opened(tmp_path, content, Reading(name))
    with pytest.raises(UserError, match="it cannot be read as idna"):
        opened(tmp_path, content, Reading("idna"))


def test_texts_are_read_as_before_where_runs_have_learned_from_them_so(tmp_path: Path) -> None:
    content = CHINESE.encode("gbk")
    before = opened(tmp_path, content, Reading(rules=1)).read()
    assert before in (content.decode("latin-1"), content.decode("cp1252", "replace"))
    for content in (RUSSIAN.encode("utf-16-le"), GERMAN.encode() + b"\0"):
        with pytest.raises(UserError, match="is binary"):
            opened(tmp_path, content, Reading(rules=2))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251", "koi8_r"])
def test_a_text_is_the_same_from_a_pipe(tmp_path: Path, encoding: str) -> None:
    content = RUSSIAN.replace("\n", "\r\n").encode(encoding)
    text, notices = read_bytes(content, "standard input")
    corpus = opened(tmp_path, content)
    assert text == corpus.read() == RUSSIAN
    assert notices == tuple(notice.replace("novel.txt", "standard input") for notice in corpus.notices)
    assert read_bytes(b" \r\n", "standard input") == (" \n", ())


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused_in_a_sentence(content: bytes) -> None:
    try:
        text, _ = read_bytes(content, "it", Reading(as_text=True))
    except UserError as error:
        text = str(error)
    assert text.encode()
