"""A pickle is read for what it describes; what it would do is refused by name, and nothing of it happens."""

from __future__ import annotations

import collections
import io
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.models.interop.inert_pickle import (
    MAX_DEPTH,
    MAX_OPCODES,
    MAX_SIZE,
    Call,
    Global,
    Persistent,
    read_pickle,
)

PLAIN = {
    "numbers": [0, 1, -1, 255, 70_000, 2**40, -(2**80), 1.5, float("inf")],
    "texts": ["", "a", "é🙂\n", "x" * 300],
    "bytes": [b"", b"\x00\xff", b"y" * 300],
    "others": [None, True, False, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "keys": {1: "one", 2.5: "float", None: "none", b"b": "bytes"},
    "nested": {"list": [[], [[]], {}], "empty": {}},
    "large": list(range(3000)),
    "many": {i: str(i) for i in range(3000)},
}


def read(content: bytes, calls: list[str] | None = None) -> Any:
    return read_pickle(content, Path("some.pkl"), calls or [])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_what_pickle_itself_reads(protocol: int) -> None:
    plain = PLAIN if protocol > 2 else {key: value for key, value in PLAIN.items() if key not in ("bytes", "keys")}
    assert read(pickle.dumps(plain, protocol)) == plain


def test_sets_are_read_where_the_protocol_has_them() -> None:
    assert read(pickle.dumps([{1, "a"}, frozenset("bc"), set()], 4)) == [{1, "a"}, frozenset("bc"), set()]


def test_a_value_that_occurs_twice_is_one_value() -> None:
    shared = [1, 2]
    found = read(pickle.dumps([shared, shared]))
    assert found == [shared, shared]
    assert found[0] is found[1]


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_ordered_dict_is_a_dict_without_its_attributes(protocol: int) -> None:
    ordered: Any = collections.OrderedDict(a=1, b=[2])
    ordered._metadata = {"version": 1}
    found = read(pickle.dumps(ordered, protocol))
    assert type(found) is dict
    assert found == {"a": 1, "b": [2]}


class Anything:
    """Reduces to whatever it is given."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.reduced


def test_what_would_be_imported_called_or_looked_up_is_a_record() -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", "0") if isinstance(obj, io.BytesIO) else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump([Anything(os.path.join, ("a", io.BytesIO())), os.path.join])
    call, function = read(buffer.getvalue(), ["posixpath.join", "ntpath.join"])
    assert isinstance(call, Call)
    assert isinstance(function, Global)
    assert str(function) == call.function == f"{os.path.__name__}.join"
    name, persistent = call.arguments
    assert name == "a"
    assert isinstance(persistent, Persistent)
    assert persistent.id == ("storage", "0")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_refused_by_name_and_does_not_happen(protocol: int, tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    hostile = pickle.dumps({"model": Anything(os.system, (f"touch {proof}",))}, protocol)
    with pytest.raises(
        UserError,
        match=r"^some\.pkl has a pickle that would call (posix|nt)\.system; it was not opened",
    ):
        read(hostile)
    assert not proof.exists()
    pickle.loads(hostile)
    assert proof.exists()  # so the pickle was what it claimed to be


def new(cls: str, *operations: bytes) -> bytes:
    module, name = cls.split(".")
    return b"".join((b"\x80\x02c", module.encode(), b"\n", name.encode(), b"\n", *operations))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"(S'touch it-ran'\nios\nsystem\n.", "would call os.system"),  # INST
        (b"(cos\nsystem\nS'touch it-ran'\no.", "would call os.system"),  # OBJ
        (new("subprocess.Popen", b")\x81."), "would call subprocess.Popen"),  # NEWOBJ
        (new("subprocess.Popen", b")}\x92."), "would call subprocess.Popen"),  # NEWOBJ_EX
        (new("collections.OrderedDict", b"]\x85R."), "would call collections.OrderedDict"),
        (new("collections.OrderedDict", b"}R."), "would call collections.OrderedDict"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "would call os.system"),  # STACK_GLOBAL
        (b"\x80\x02c\nx\ny\n)R.", "damaged"),
        (b"\x80\x02]]R.", "would call something without a name"),
        (b"\x80\x02\x82\x01.", "does more than describe data (EXT1)"),
        (b"\x80\x02Pelsewhere\n.", "does more than describe data (PERSID)"),
        (b"\x80\x05\x97.", "does more than describe data (NEXT_BUFFER)"),
        (b"\x80\x02}]Ns.", "keys that are no plain values"),
        (b"\x80\x04\x8f(]\x90.", "keys that are no plain values"),
        (b"\x80\x04()\x91.", "keys that are no plain values"),
        (b"\x80\x02]q\x00h\x00a.", "holds itself"),
        (b"\x80\x02]q\x00]q\x01ah\x01h\x00a.", "holds itself"),  # by way of another one
        (b"\x80\x02]q\x00\x850h\x00Na.", "holds itself"),  # filled after another one took it in
        (b"\x80\x02Na.", "damaged"),
        (b"\x80\x02NNNs.", "no dict where one is filled"),
        (b"\x80\x02}(Nu.", "damaged"),
        (b"\x80\x02a.", "damaged"),
        (b"\x80\x02(.", "it ends in the middle"),
        (b"\x80\x02NN.", "it ends in the middle"),
        (b"\x80\x02N(\x85.", "damaged"),  # takes what stands below a MARK
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02.", "it ends in the middle"),
        (b"\x80\x02N", "damaged"),
        (b"", "damaged"),
        (b"no pickle", "damaged"),
        (b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x.", "damaged"),  # BINBYTES8 of 4 exabytes
        (b"\x80\x04\x8d" + b"\xff" * 8 + b"x.", "damaged"),
        (b"\x8b\xff\xff\xff\x7fx.", "damaged"),  # LONG4 of two gigabytes
        (b"L" + b"9" * 100_000 + b"L\n.", "damaged"),
    ],
)
def test_damage_and_tricks_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(UserError) as refusal:
        read(content)
    assert says in str(refusal.value)
    assert not Path("it-ran").exists()


def test_depth_is_bounded_however_it_is_made() -> None:
    fits = [*range(1)]
    for _ in range(MAX_DEPTH - 1):
        fits = [fits]
    assert read(pickle.dumps(fits)) == fits
    with pytest.raises(UserError, match="inside each other"):
        read(pickle.dumps([fits]))
    for deep in (b"N" + b"\x85" * 10_000, b"]" * 10_000 + b"a" * 9_999, b"]" + b"q\x00h\x00\x86" * 1000):
        with pytest.raises(UserError):
            read(b"\x80\x02" + deep + b".")


def test_keys_that_would_take_forever_to_hash_are_refused() -> None:
    doubled = b")" + b"q\x00h\x00\x86" * 40  # a tuple of two of itself, forty times: 2^40 parts
    assert read(b"\x80\x02" + doubled + b".")
    with pytest.raises(UserError, match="no plain values"):
        read(b"\x80\x02}" + doubled + b"Ns.")


def test_a_memo_index_takes_no_memory() -> None:
    content = b"\x80\x02Nr\xff\xff\xff\x7f."  # LONG_BINPUT at 2^31 - 1
    tracemalloc.start()
    try:
        assert read(content) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_size_and_number_of_operations_are_bounded() -> None:
    with pytest.raises(UserError, match=f"has {MAX_SIZE + 1:,} bytes of pickle"):
        read(b"\x80\x02N.".ljust(MAX_SIZE + 1, b"N"))
    assert len(read(pickle.dumps([None] * 100_000))) == 100_000
    with pytest.raises(UserError, match=f"more than {MAX_OPCODES:,} operations"):
        read(b"\x80\x02" + b"N0" * (MAX_OPCODES // 2) + b"N.")
