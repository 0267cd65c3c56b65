"""JSON becomes a dataclass only if every value fits its annotation; anything else is refused by its field's name."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.storage.typed_json import SchemaError, dumps, from_plain, loads, to_plain


@dataclass(frozen=True)
class Inner:
    value: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 0
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    inner: Inner | None = None
    many: list[Inner] = field(default_factory=list)
    table: dict[str, int] = field(default_factory=dict)
    either: int | str = 0
    loose: Any = None


FULL = Outer("n", 3, True, "b", Inner(1.5, ("x", "y")), [Inner(2.0)], {"k": 1}, "text", {"any": [1]})


def test_a_dataclass_survives_the_round_trip():
    assert loads(Outer, dumps(FULL)) == FULL
    assert loads(Outer, dumps(FULL, indent=2)) == FULL
    assert loads(Outer, dumps(FULL).encode()) == FULL
    assert "\n" not in dumps(FULL)


def test_defaults_fill_gaps_and_unknown_keys_are_ignored():
    assert loads(Outer, '{"name": "n", "newer": [1, 2]}') == Outer("n")


def test_numbers_that_json_cannot_carry_become_null_and_come_back_as_nan():
    for value in (math.nan, math.inf, -math.inf):
        text = dumps(Inner(value))
        assert json.loads(text)["value"] is None
        assert math.isnan(loads(Inner, text).value)
    assert to_plain({"a": [math.nan, (1.0, math.inf)]}) == {"a": [None, [1.0, None]]}


def test_a_whole_number_may_stand_for_a_float_and_nothing_else_is_converted():
    assert loads(Inner, '{"value": 2}').value == 2.0
    assert isinstance(loads(Inner, '{"value": 2}').value, float)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": 1}, "Outer.name"),
        ({"name": None}, "Outer.name"),
        ({"count": "3"}, "Outer.count"),
        ({"count": 3.0}, "Outer.count"),
        ({"count": True}, "Outer.count"),
        ({"flag": 1}, "Outer.flag"),
        ({"kind": "c"}, "Outer.kind: one of a, b is needed"),
        ({"kind": ["a"]}, "Outer.kind"),
        ({"inner": []}, "Outer.inner: an object is needed"),
        ({"inner": {}}, "Outer.inner: 'value' is missing"),
        ({"inner": {"value": "1.5"}}, "Outer.inner.value"),
        ({"inner": {"value": True}}, "Outer.inner.value"),
        ({"inner": {"value": 1, "tags": ["x", 2]}}, r"Outer.inner.tags\[1\]"),
        ({"inner": {"value": 1, "tags": "xy"}}, "Outer.inner.tags"),
        ({"many": [{"value": 1}, {"value": []}]}, r"Outer.many\[1\].value"),
        ({"table": {"k": "v"}}, "Outer.table.k"),
        ({"table": []}, "Outer.table"),
        ({"either": 1.5}, "Outer.either"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(change, place):
    with pytest.raises(SchemaError, match=place):
        from_plain(Outer, to_plain(FULL) | change)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", '"x"', '{"name": }', "[" * 200_000, '{"name": "n"} {', b"\xff\xfe\x00", "9" * 5000],
)
def test_text_that_is_no_object_is_refused(text):
    with pytest.raises(SchemaError):
        loads(Outer, text, "file.json")


@pytest.mark.parametrize("name", ["count", "kind", "flag", "inner"])
def test_a_refusal_quotes_only_the_beginning_of_a_long_value(name):
    with pytest.raises(SchemaError) as caught:
        loads(Outer, json.dumps({"name": "n", name: "x" * 10_000}))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("error", [ValueError, UserError])
def test_the_dataclass_s_own_refusal_is_passed_on_with_its_place(error):
    @dataclass(frozen=True)
    class Even:
        number: int = 0

        def __post_init__(self):
            if self.number % 2:
                raise error(f"{self.number} is odd")

    assert loads(Even, '{"number": 2}') == Even(2)
    with pytest.raises(SchemaError, match=r"^run\.json: 3 is odd$"):
        loads(Even, '{"number": 3}', "run.json")
