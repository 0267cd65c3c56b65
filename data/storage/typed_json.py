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
from functools import cache
from typing import Any, TypeVar

from .errors import UserError

T = TypeVar("T")

LARGEST = 2**64  # integers beyond it are refused: no count is so large, and Python's own have no end


class SchemaError(ValueError):
    """A value does not fit the dataclass it should become; the message names the field.

    It knows neither the file nor what to do about it: the caller says both, in a UserError.
    """


def to_plain(value: Any) -> Any:
    """The JSON form of dataclasses, tuples and dicts; NaN and infinities become null, which JSON can carry."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(cls: type[T], value: Any, where: str = "") -> T:
    """Build the dataclass `cls` from a JSON object.

    Unknown keys are ignored (a newer version wrote them), missing keys take the field's default, and every value is
    checked against its annotation. Raises SchemaError with the path of the field, counted from `where`; also where the
    dataclass itself refuses the values with a ValueError or a UserError.
    """
    where = where or cls.__name__
    if not isinstance(value, dict):
        raise SchemaError(f"{where}: an object is needed, found {_kind(value)}")
    hints = _hints(cls)
    known: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in value:
            known[field.name] = _check(hints[field.name], value[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SchemaError(f"{where}: '{field.name}' is missing")
    try:
        return cls(**known)
    except SchemaError:
        raise
    except (ValueError, UserError) as error:
        raise SchemaError(f"{where}: {error}") from error


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


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _check(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        return _check_union(arguments, value, where)
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise SchemaError(f"{where}: one of {', '.join(map(str, arguments))} is needed, found {_kind(value)}")
    if origin is list and isinstance(value, list):
        return [_check(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is tuple and isinstance(value, list):
        return tuple(_check(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _check(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return from_plain(typing.cast(type, kind), value, where)
    if kind is float and value is None:
        return math.nan
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise SchemaError(f"{where}: the number is too large") from None
    if kind is int and type(value) is int and abs(value) > LARGEST:
        raise SchemaError(f"{where}: the number is too large")
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise SchemaError(f"{where}: {getattr(kind, '__name__', kind)} is needed, found {_kind(value)}")


def _check_union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    problem: SchemaError | None = None
    for kind in arguments:
        if kind is type(None):
            continue
        try:
            return _check(kind, value, where)
        except SchemaError as error:
            problem = error
    raise problem or SchemaError(f"{where}: null is needed, found {_kind(value)}")


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"[:80]
