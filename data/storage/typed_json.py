"""Dataclasses to plain JSON values and back, each value checked against its annotation.

All JSON that other processes or files hold is decoded here, so a foreign or damaged file is refused by the name of the
field that is wrong instead of failing somewhere later.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from .errors import UserError

T = TypeVar("T")

_AS_THEY_ARE = frozenset((str, int, bool, types.NoneType))
LARGEST = 2**64  # integers beyond it are refused: no count is so large, and Python's own have no end


class SchemaError(ValueError):
    """A value does not fit the dataclass it should become; the message names the field.

    It knows neither the file nor what to do about it: the caller says both, in a UserError.
    """


def to_plain(value: Any) -> Any:
    """The JSON form of dataclasses, tuples and dicts; NaN and infinities become null, which JSON can carry."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def from_plain(cls: type[T], value: Any, where: str = "") -> T:
    """Build the dataclass `cls` from a JSON object.

    Unknown keys are ignored (a newer version wrote them), missing keys take the field's default, and every value is
    checked against its annotation. Raises SchemaError with the path of the field, counted from `where`; also where the
    dataclass itself refuses the values with a ValueError or a UserError.
    """
    try:
        return _check_for(cls)(value)
    except _MismatchError as mismatch:
        raise SchemaError(f"{where or cls.__name__}{mismatch.place}: {mismatch}") from mismatch.__cause__


def loads(cls: type[T], text: str | bytes, where: str = "") -> T:
    """Parse JSON text into the dataclass `cls`; raises SchemaError, also for text that is not JSON."""
    try:
        return from_plain(cls, parse(text), where)
    except (ValueError, RecursionError) as error:
        if isinstance(error, SchemaError):
            raise
        raise SchemaError(f"{where or cls.__name__}: not readable as JSON ({error})") from error


def parse(text: str | bytes) -> Any:
    """The value of a JSON text; NaN and Infinity, which Python reads but JSON does not know, are errors.

    Raises ValueError, or RecursionError where it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def dumps(value: Any, indent: int | None = None) -> str:
    """The JSON text of a dataclass; one line unless `indent` is given. It has a UTF-8 form, whatever it is about."""
    separators, plain = (",", ":") if indent is None else None, to_plain(value)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:  # a path whose bytes are not UTF-8
        text = json.dumps(plain, allow_nan=False, indent=indent, separators=separators)
    return text


# --- checks: each kind of annotation becomes a function once, since a stream has a hundred thousand values a second ---


class _MismatchError(Exception):
    """A value that does not fit; `place` is where it stands within the one that is checked."""

    place = ""


Check = Callable[[Any], Any]  # returns the value of the annotation, or raises _MismatchError


@cache
def _check_for(kind: Any) -> Check:
    """The check of an annotation."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return lambda value: value
    if kind is float:
        return _check_float
    if kind is int:
        return _check_int
    if origin in (types.UnionType, typing.Union):
        return _check_union(arguments)
    if origin is typing.Literal:
        return _check_literal(arguments)
    if origin in (list, tuple):
        return _check_items(kind, origin, _check_for(arguments[0]))
    if origin is dict:
        return _check_table(kind, _check_for(arguments[1]))
    if dataclasses.is_dataclass(kind):
        return _check_fields(typing.cast(type, kind))
    return _check_exact(kind)


def _check_fields(cls: type) -> Check:
    """Of a dataclass; what its fields need is found out at the first value, so it may hold others of itself."""

    @cache
    def fields() -> tuple[list[str], list[tuple[str, Check]]]:
        hints, known = typing.get_type_hints(cls), dataclasses.fields(cls)
        needed = [
            field.name
            for field in known
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        return needed, [(field.name, _check_for(hints[field.name])) for field in known]

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _MismatchError(f"an object is needed, found {_kind(value)}")
        needed, checks = fields()
        for name in needed:
            if name not in value:
                raise _MismatchError(f"'{name}' is missing")
        known: dict[str, Any] = {}
        name = ""
        try:
            for name, check_field in checks:
                if name in value:
                    known[name] = check_field(value[name])
        except _MismatchError as mismatch:
            mismatch.place = f".{name}{mismatch.place}"
            raise
        try:
            return cls(**known)
        except SchemaError:
            raise
        except (ValueError, UserError) as error:
            raise _MismatchError(str(error)) from error

    return check


def _check_items(kind: Any, make: Callable[[list[Any]], Any], check_item: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, list):
            raise _needed(kind, value)
        items: list[Any] = []
        try:
            for item in value:
                items.append(check_item(item))
        except _MismatchError as mismatch:
            mismatch.place = f"[{len(items)}]{mismatch.place}"
            raise
        return make(items)

    return check


def _check_table(kind: Any, check_item: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _needed(kind, value)
        key: Any = ""
        table: dict[Any, Any] = {}
        try:
            for key, item in value.items():
                table[key] = check_item(item)
        except _MismatchError as mismatch:
            mismatch.place = f".{key}{mismatch.place}"
            raise
        return table

    return check


def _check_union(kinds: tuple[Any, ...]) -> Check:
    checks = [_check_for(kind) for kind in kinds if kind is not types.NoneType]
    has_none = len(checks) < len(kinds)

    def check(value: Any) -> Any:
        if value is None and has_none:
            return None
        problem = _MismatchError(f"null is needed, found {_kind(value)}")
        for check_kind in checks:
            try:
                return check_kind(value)
            except _MismatchError as mismatch:
                problem = mismatch
        raise problem

    return check


def _check_literal(choices: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if value in choices:
            return value
        raise _MismatchError(f"one of {', '.join(map(str, choices))} is needed, found {_kind(value)}")

    return check


def _check_float(value: Any) -> float:
    if type(value) is float:
        return value
    if value is None:
        return math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _MismatchError("the number is too large") from None
    raise _needed(float, value)


def _check_int(value: Any) -> int:
    if type(value) is not int:
        raise _needed(int, value)
    if abs(value) > LARGEST:
        raise _MismatchError("the number is too large")
    return value


def _check_exact(kind: Any) -> Check:
    """Of text and truth values; anything else that is annotated has no form in JSON."""

    def check(value: Any) -> Any:
        if type(value) is kind and kind in (str, bool):
            return value
        raise _needed(kind, value)

    return check


def _needed(kind: Any, value: Any) -> _MismatchError:
    return _MismatchError(f"{getattr(kind, '__name__', kind)} is needed, found {_kind(value)}")


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"[:80]
