"""What a pickle describes, without building it: nothing is imported, nothing is called. Light: no torch here.

A pickle is a program for a small stack machine. This reader walks its opcodes and accepts only those that describe
data; what the program would import or call becomes an inert record. Format: Lib/pickletools.py of Python.

A `pickle.Unpickler` with its own `find_class` and `persistent_load`, and torch's `weights_only`, refuse the same calls
but leave the data itself to the pickle. Three kinds of hostile files, all of them in the tests, make the difference:

- a key that is a tuple of two of itself, forty levels deep: both hash its 2^40 parts, which does not end;
- a memo index of 2^31 in a pickle of nine bytes: the unpickler in C clears a table of so many entries, 32 GB;
- containers that hold themselves or lie thousands deep: both build them, and what walks through them later recurses.
"""

from __future__ import annotations

import pickletools
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.storage.errors import UserError
from ...data.storage.printable import printable

MAX_SIZE = 1 << 24  # bytes; a pickle holds names and shapes, tensors lie beside it
MAX_OPCODES = 1 << 21
MAX_DEPTH = 64  # containers inside containers

ORDERED_DICT = "collections.OrderedDict"

_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NEW = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8",
}  # fmt: skip
_PLAIN_KEYS = (str, bytes, int, float, type(None))  # hashed in constant time, however deep the pickle is nested


class _Refused(Exception):
    """A pickle that is damaged or would do something; the text is the end of a sentence about its file."""


@dataclass(frozen=True)
class Global:
    """What the pickle would import: a class or a function, as a name."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, eq=False)
class Call:
    """What the pickle would call, and with what."""

    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Persistent:
    """An object outside the pickle (a persistent id): in torch's files the storage of a tensor."""

    id: Any


def read_pickle(content: bytes, path: Path, calls: Collection[str] = ()) -> Any:
    """The value that `content` describes: plain values, with Global, Call and Persistent in the place of the rest.

    An OrderedDict becomes a dict, and attributes set on one are left out. Only functions named in `calls`
    ("module.name") become a Call. Raises UserError, which names the file at `path`, for any other, for damage, and for
    what is too large or too deep; containers that hold themselves count as too deep.
    """
    try:
        return _read(content, calls)
    except _Refused as refusal:
        raise UserError(f"{path} {refusal}; it was not opened, use another file") from None


def _read(content: bytes, calls: Collection[str]) -> Any:
    if len(content) > MAX_SIZE:
        raise _Refused(f"has {len(content):,} bytes of pickle, more than the {MAX_SIZE:,} that are read")
    machine = _Machine(calls)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count >= MAX_OPCODES:
                raise _Refused(f"has a pickle of more than {MAX_OPCODES:,} operations")
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _Refused(f"has a damaged pickle ({type(error).__name__})") from error


class _Machine:
    """The stack machine of the pickle format, with the operations that describe data."""

    def __init__(self, calls: Collection[str]) -> None:
        self._calls = calls
        self._stack: list[Any] = []
        self._marks: list[int] = []  # how high the stack stood at each MARK
        self._memo: dict[int, Any] = {}
        # A container is filled before another one takes it in, and not after: so its depth is known by then, and it
        # cannot come to hold itself. Containers stay alive through `_kept`, so that no id is used twice.
        self._depths: dict[int, int] = {}
        self._taken_in: set[int] = set()
        self._kept: list[Any] = []

    def step(self, name: str, argument: Any) -> None:
        """Carry out one operation, by its name in pickletools."""
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _VALUES:
            stack.append(_VALUES[name])
        elif name in _NEW:
            stack.append(self._keep(_NEW[name](), ()))
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._tuple(self._pop(int(name[-1])))
        elif name == "TUPLE":
            self._tuple(self._pop_marked())
        elif name == "LIST":
            items = self._pop_marked()
            stack.append(self._keep(items, items))
        elif name == "DICT":
            items = self._pop_marked()
            stack.append(self._keep({}, ()))
            self._set(items)
        elif name in ("APPEND", "APPENDS"):
            items = self._pop(1) if name == "APPEND" else self._pop_marked()
            self._open(list, items).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._pop(2) if name == "SETITEM" else self._pop_marked())
        elif name == "ADDITEMS":
            items = self._pop_marked()
            self._open(set, items).update(self._plain(items))
        elif name == "FROZENSET":
            stack.append(frozenset(self._plain(self._pop_marked())))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, found = argument.split(" ", 1) if name == "GLOBAL" else self._pop(2)
            stack.append(Global(_text(module), _text(found)))
        elif name in ("REDUCE", "NEWOBJ"):
            self._call(*self._pop(2))
        elif name == "NEWOBJ_EX":
            self._call(*self._pop(3))
        elif name == "INST":
            self._call(Global(*argument.split(" ", 1)), tuple(self._pop_marked()))
        elif name == "OBJ":
            function, *arguments = self._pop_marked()
            self._call(function, tuple(arguments))
        elif name == "BUILD":
            self._pop(1)  # attributes, which plain data does not have
        elif name == "BINPERSID":
            (found,) = self._pop(1)
            stack.append(self._keep(Persistent(found), (found,)))
        elif name in ("POP", "POP_MARK"):
            self._pop(1) if name == "POP" else self._pop_marked()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise _Refused(f"has a pickle that does more than describe data ({name})")

    def result(self) -> Any:
        """What the program ended with."""
        if len(self._stack) != 1 or self._marks:
            raise _Refused("has a damaged pickle (it ends in the middle)")
        return self._stack[0]

    def _call(self, function: Any, arguments: Any, keywords: Any = ()) -> None:
        if not isinstance(function, Global):
            raise _Refused("has a pickle that would call something without a name")
        if str(function) == ORDERED_DICT and arguments == () and not keywords:
            self._stack.append(self._keep({}, ()))
        elif str(function) in self._calls and isinstance(arguments, tuple) and not keywords:
            self._stack.append(self._keep(Call(str(function), arguments), arguments))
        else:
            raise _Refused(f"has a pickle that would call {printable(str(function))}")

    def _tuple(self, items: list[Any]) -> None:
        self._stack.append(self._keep(tuple(items), items))

    def _set(self, items: list[Any]) -> None:
        target, keys, values = self._open(dict, items), items[::2], items[1::2]
        target.update(zip(self._plain(keys), values, strict=True))

    def _plain(self, items: list[Any]) -> list[Any]:
        """Keys and members of sets, which must be plain."""
        if not all(isinstance(item, _PLAIN_KEYS) for item in items):
            raise _Refused("has a pickle with keys that are no plain values")
        return items

    def _open(self, kind: type, items: list[Any]) -> Any:
        """The container on top of the stack, which is about to take in `items`."""
        target = self._stack[-1]
        if type(target) is not kind:
            raise _Refused(f"has a damaged pickle (no {kind.__name__} where one is filled)")
        if id(target) in self._taken_in or any(item is target for item in items):
            raise _Refused("has a pickle with a container that holds itself")
        self._take_in(target, items)
        return target

    def _keep(self, container: Any, items: Collection[Any]) -> Any:
        self._kept.append(container)
        self._depths[id(container)] = 1
        self._take_in(container, items)
        return container

    def _take_in(self, container: Any, items: Collection[Any]) -> None:
        inner = [id(item) for item in items if id(item) in self._depths]
        self._taken_in.update(inner)
        depth = 1 + max(map(self._depths.__getitem__, inner), default=0)
        self._depths[id(container)] = max(depth, self._depths[id(container)])
        if depth > MAX_DEPTH:
            raise _Refused(f"has a pickle with more than {MAX_DEPTH} containers inside each other")

    def _pop(self, count: int) -> list[Any]:
        """The last `count` values, none of which stands below a MARK."""
        start = len(self._stack) - count
        if start < (self._marks[-1] if self._marks else 0):
            raise IndexError
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _pop_marked(self) -> list[Any]:
        return self._pop(len(self._stack) - self._marks.pop())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
