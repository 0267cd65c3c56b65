"""All places of a stored text in the order of the text that follows them, sorted in bounded memory.

The places are distributed to files by the next eight bytes, a file that is still too long is distributed again, and
what fits is sorted in memory: a radix sort by DEPTH / 8 keys of eight bytes, least significant first, and again by the
next DEPTH bytes for those of which MANY agree. No step holds more than so many places, whatever the text is.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from .stored_text import BORDER, DEEPEST, DEPTH, MANY, typecode

IN_MEMORY = 1 << 21  # places; with their keys some 200 MB
_KEY = 8  # bytes of one key
_SAMPLE = 1 << 14  # places by whose keys the others are distributed
_MAX_SPLITTERS = 31  # an open file for each, and one between two; some systems allow 256 to a process
_TYPES = {"I": torch.int32, "q": torch.int64}  # of places on disk, by typecode; torch knows no "I", so they may wrap

Chunks = Callable[[], Iterator[Tensor]]
"""Places in ascending order, int64, a part at a time, as often as they are asked for."""


class SuffixSorter:
    """Sorts the places of the stored text at `path`, which has `n_bytes`, with at most `in_memory` of them at once.

    `scratch` is a folder for files without a name that are together as large as the result. `progress` receives the
    fraction that is sorted; an exception that it raises ends the sorting.
    """

    def __init__(
        self, path: Path, n_bytes: int, scratch: Path, progress: Callable[[float], None], in_memory: int = IN_MEMORY
    ) -> None:
        with path.open("rb") as file:  # torch.from_file takes no path that is not UTF-8
            content = mmap.mmap(file.fileno(), n_bytes, access=mmap.ACCESS_COPY)  # torch warns of what is read-only
        self._text = torch.frombuffer(content, dtype=torch.uint8)
        self._type = _TYPES[typecode(n_bytes)]
        self._scratch, self._progress, self._in_memory = scratch, progress, in_memory
        self._n_sorted = self._n_places = 0

    def write(self, output: IO[bytes]) -> int:
        """Write all places at which a character begins, sorted, and return how many they are. Raises OSError."""
        self._n_places = sum(map(len, self._characters()))
        self._sort(self._characters, self._n_places, 0, output)
        return self._n_places

    def _characters(self) -> Iterator[Tensor]:
        for start in range(0, len(self._text), self._in_memory):
            part = self._text[start : start + self._in_memory]
            yield ((part & 0xC0 != 0x80) & (part != BORDER[0])).nonzero().flatten().add_(start)

    def _sort(
        self, chunks: Chunks, count: int, depth: int, output: IO[bytes], discard: Callable[[], object] = lambda: None
    ) -> None:
        """Append the `count` places, which agree in their first `depth` bytes, to `output` as they are sorted.

        `discard` is called as soon as the chunks are needed no more.
        """
        if count <= self._in_memory or depth >= DEEPEST:
            for part in chunks() if depth >= DEEPEST else self._sorted(torch.cat([*chunks()]), depth):
                output.write(self._stored(part))
                self._n_sorted += len(part)
                self._progress(self._n_sorted / self._n_places)
            discard()
            return
        splitters = self._splitters(chunks, count, depth)
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(tempfile.TemporaryFile(dir=self._scratch)) for _ in range(2 * len(splitters) + 1)
            ]
            counts = self._distribute(chunks, depth, splitters, files)
            discard()
            for number, (file, n_places) in enumerate(zip(files, counts, strict=True)):
                read = partial(self._read, file, n_places)
                deeper = depth + _KEY * (number % 2)  # where all equal a splitter the next bytes decide
                if n_places:
                    self._sort(read, n_places, deeper, output, file.close)

    def _splitters(self, chunks: Chunks, count: int, depth: int) -> Tensor:
        """Distinct keys that divide the places into parts of about half of what fits into memory."""
        wanted = min(_MAX_SPLITTERS, 2 * count // self._in_memory + 1)
        step = max(1, count // _SAMPLE)
        samples = torch.cat([chunk[::step].clone() for chunk in chunks()])  # a view would keep the whole chunk
        keys = self._keys(samples, depth).sort().values
        return keys[torch.arange(1, wanted + 1) * len(keys) // (wanted + 1)].unique()

    def _distribute(self, chunks: Chunks, depth: int, splitters: Tensor, files: Sequence[IO[bytes]]) -> list[int]:
        """Write each place to its file, and return how many are in each.

        File 2i + 1 has those whose key is splitter i, the files with even numbers those between two splitters.
        """
        counts = [0] * len(files)
        for chunk in chunks():
            self._progress(self._n_sorted / self._n_places)
            keys = self._keys(chunk, depth)
            numbers = torch.searchsorted(splitters, keys) + torch.searchsorted(splitters, keys, right=True)
            by_file = chunk[torch.sort(numbers, stable=True).indices]
            sizes = torch.bincount(numbers, minlength=len(files)).tolist()
            for number, part in enumerate(by_file.split(sizes)):
                files[number].write(self._stored(part))
                counts[number] += len(part)
        return counts

    def _sorted(self, places: Tensor, depth: int) -> Iterator[Tensor]:
        """The places in the order of what follows their first `depth` bytes, all at once.

        First by all bytes up to the next multiple of DEPTH; then by DEPTH more those that are MANY and still agree.
        """
        groups, chosen = torch.zeros(len(places), dtype=torch.long), torch.arange(len(places))
        result = places.clone()
        while depth < DEEPEST and len(chosen):
            end = depth - depth % DEPTH + DEPTH
            order, same = self._order(places, groups, depth, end)
            result[chosen] = places = places[order]
            groups = torch.cat([torch.zeros(1, dtype=torch.long), (~same).cumsum(0)])
            many = torch.bincount(groups)[groups] > MANY
            places, groups, chosen, depth = places[many], groups[many], chosen[many], end
        yield result

    def _order(self, places: Tensor, groups: Tensor, start: int, end: int) -> tuple[Tensor, Tensor]:
        """The order by group and the bytes from `start` to `end`, and whether each but the first equals its neighbour.

        Places that agree stay as they are.
        """
        keys = [self._keys(places, depth) for depth in range(start, end, _KEY)]
        order = torch.arange(len(places))
        for key in [*reversed(keys), *([groups] if groups[-1] else [])]:  # of one group alone there is nothing to sort
            order = order[torch.sort(key[order], stable=True).indices]
        same = torch.ones(len(places) - 1, dtype=torch.bool)
        for key in [*keys, groups]:
            in_order = key[order]
            same &= in_order[1:] == in_order[:-1]
        return order, same

    def _keys(self, places: Tensor, depth: int) -> Tensor:
        """Eight bytes from `depth` on behind each place, as numbers in the order of those bytes."""
        keys = self._text.index_select(0, places + depth).long().sub_(0x80)  # so that the sign is in their order, too
        for byte in range(depth + 1, depth + _KEY):
            keys.bitwise_left_shift_(8).bitwise_or_(self._text.index_select(0, places + byte))
        return keys

    def _stored(self, places: Tensor) -> bytearray:
        content = bytearray(len(places) * self._type.itemsize)
        if content:
            torch.frombuffer(content, dtype=self._type).copy_(places)
        return content

    def _read(self, file: IO[bytes], count: int) -> Iterator[Tensor]:
        file.seek(0)
        size = self._type.itemsize
        for start in range(0, count, self._in_memory):
            content = bytearray(file.read(min(self._in_memory, count - start) * size))
            places = torch.frombuffer(content, dtype=self._type).long()
            yield places & 0xFFFFFFFF if size == 4 else places
