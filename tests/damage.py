"""Files as a failing disk, a killed program, another version or a stranger leaves them: a strategy of hypothesis."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ODD = (
    "null", "true", '""', '"x"', "[]", "{}", "-1", "0", "0.5", "1e308", "-1e308", "1e999", "NaN", "Infinity",
    "9223372036854775808", "18446744073709551617", "1" + "0" * 400, "1" + "0" * 5000, "[" * 3000 + "]" * 3000,
    '"' + "x" * 3000 + '"', '"\\ud800"', '"\\u001b[31m\\u0000"', '"../../../etc/passwd"', '[null,{"a":[1]}]', '{"":{}}',
)  # fmt: skip
WHOLE = (
    b"", b"\n", b"null", b"[]", b"{}", b'"x"', b"7", b"[" * 100_000, b"\xff\xfe\x00{", b"\xef\xbb\xbf", b"\0" * 99,
    b"1" * 5000, b"NaN", b"\x80", b'{"a":1}{"b":2}', b"{" * 9,
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """`content` with one thing wrong; where that is JSON, by lines or behind a length, often one value of it."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "whole", "value", "value", "value", "value"]))
    at = draw(st.integers(0, max(0, len(content) - 1)) | st.integers(0, max(0, min(400, len(content) - 1))))
    if kind == "cut":
        return content[:at]
    if kind == "flip" and content:
        return content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :]
    if kind == "insert":
        junk = draw(st.sampled_from([b"\0", b"\xff", b"\n", b"{", b'"', b"9" * 30, b"\x1b[2J", "\u2028".encode()]))
        return content[:at] + junk + content[at + draw(st.integers(0, 9)) :]
    if kind == "whole":
        return draw(st.sampled_from(WHOLE))
    return _with_odd_value(draw, content)


def _with_odd_value(draw: st.DrawFn, content: bytes) -> bytes:
    """One value of the JSON in it is another, or its key is gone, or written twice."""
    size = int.from_bytes(content[:8], "little")
    if content[8:9] == b"{" and size < len(content):  # safetensors
        header = _with_odd_value(draw, content[8 : 8 + size])
        length = size if draw(st.booleans()) else len(header)
        return length.to_bytes(8, "little") + header + content[8 + size :]
    lines = content.splitlines(keepends=True)
    try:
        json.loads(content)
        lines = [content]
    except ValueError:
        pass
    number = draw(st.integers(0, max(0, len(lines) - 1)))
    try:
        value = json.loads(lines[number])
    except (ValueError, IndexError):
        return content + draw(st.sampled_from(WHOLE))
    odd = draw(st.sampled_from(ODD))
    inner, way = value, []
    while isinstance(inner, (dict, list)) and inner and (not way or draw(st.integers(0, 3))):
        key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        way.append((inner, key))
        inner = inner[key]
    if not way:
        return odd.encode()
    holder, key = way[-1]
    if draw(st.integers(0, 5)):
        holder[key] = "?odd?"
    else:
        del holder[key]
    lines[number] = json.dumps(value).replace('"?odd?"', odd).encode() + b"\n"
    return b"".join(lines)


def for_each_damage(content: bytes, examples: int, check: Callable[[bytes], Any]) -> None:
    """Call `check` with that many damaged forms of `content`, always the same ones."""

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )  # fmt: skip
    @given(damaged(content))
    def each(damage: bytes) -> None:
        check(damage)

    each()
