"""Random text of what a layout gets wrong: wide, joined and combining characters, controls, markup."""

import random

NASTY = [*"ab  []\\/\t", "\x1b", "\x1b[31m", "\x00", "\x7f", "\x9b", "\u0301", "\u200d", "\ufe0f", "\u202e", "\u2028"]
NASTY += ["\x1b]52;c;aGk=\x07", "\x1b]8;;x\x1b\\", "\u2066", "\u2069", "שלום", "سلام", "a\u0300\u0301\u0302"]
NASTY += ["😀", "👩\u200d💻", "🇩🇪", "❤\ufe0f", "你", "é", "ﷺ", "क्षि", "\U0010ffff", "[/]", "[bold", "{", "\ue000"]


def nasty_text(rng: random.Random, longest: int = 40) -> str:
    return "".join(rng.choice(NASTY) for _ in range(rng.randint(0, longest)))
