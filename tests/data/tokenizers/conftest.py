"""Texts that are hard to cut and to encode."""

import random
from pathlib import Path

import pytest

_LATIN = (
    "the a hello don't I'll we've THEY'RE it's x1 3.14 2024 naïve café e\u0301 o\u0302o Straße ﬁ Ⅷ ½ 0x1F camelCase"
)
_SCRIPTS = "ΣΑΣ русский язык हिन्दी में ภาษาไทย 日本語 中文 汉字 한국어 العربية עברית 𝔘𝕟𝕚 ٣٤ 👩‍👩‍👧 🏳️‍🌈 🙂"
_SIGNS = "<|endoftext|> <s> </s> <unk> [UNK] ## f(x): {'a':1} //--- === \\n ' 's 'll '' \" ... !!! ĠĊ▁ snake_case"
_WORDS = f"{_LATIN} {_SCRIPTS} {_SIGNS}".split(" ")
_SPACES = [
    *(
        " ",
        " ",
        " ",
        " ",
        "  ",
        "     ",
        "\n",
        "\n\n",
        "\t",
        "\r\n",
        " \n ",
        "\r",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1f",
        "\x85",
    ),
    *("\xa0", "\u2003", "\u2028", "\u3000", "\u200b", "\ufeff", "\x00", "", ""),
]


def nasty_text(seed: int, words: int) -> str:
    """Words, numbers, scripts, code, any character at all, and all kinds of space, in no sensible order."""
    choose = random.Random(seed)
    parts: list[str] = []
    for _ in range(words):
        parts += choose.choice(_WORDS), choose.choice(_SPACES)
        if choose.random() < 0.02:
            parts.append(chr(choose.choice((choose.randrange(0xD800), choose.randrange(0xE000, 0x110000)))))
    return "".join(parts)


@pytest.fixture(scope="session")
def mixed_text() -> str:
    """A megabyte, in UTF-8, of everything."""
    text = nasty_text(1, 130_000)
    assert len(text.encode()) > 1_000_000
    return text


@pytest.fixture(scope="session")
def nasty_texts() -> list[str]:
    """Many short ones."""
    return [nasty_text(seed, 10 + seed) for seed in range(60)]


@pytest.fixture(scope="session")
def tiktoken_cache() -> Path:
    """A folder with GPT-2's files under tiktoken's names."""
    folder = Path(__file__).parents[4] / "shared" / "data" / "tiktoken-cache"
    if not folder.is_dir():
        pytest.skip("GPT-2's merges are not on this machine")
    return folder
