"""The texts that a spec such as `tales:1MB:seed=7` names: generated once, kept in the cache with their entropy.

The grammar is only imported where a text has to be generated: most processes find it in the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..storage.atomic import write_atomic
from ..storage.errors import UserError
from ..storage.locations import folder

if TYPE_CHECKING:
    from .generator import Information

_SPEC = re.compile(r"tales(?::(?P<amount>\d+(?:\.\d+)?)(?P<unit>KB|MB|GB))?(?::seed=(?P<seed>\d{1,18}))?")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_SMALLEST, _LARGEST = 10**3, 10**9  # characters
_GRAMMAR = ("words.py", "grammar.py", "scenes.py", "generator.py")  # everything that decides the text of a seed


@dataclass(frozen=True)
class TalesSpec:
    """The size and the seed of a text."""

    n_characters: int = 10**6
    seed: int = 1

    @property
    def path(self) -> Path:
        """The text's path in the cache; beside it, with the suffix .nats, is the information of its sentences.

        A digest of the grammar's modules is part of the name, so texts of another version are never read.
        """
        grammar = hashlib.sha256()
        for name in _GRAMMAR:
            grammar.update(Path(__file__).with_name(name).read_bytes())
        name = f"tales-{self.n_characters}-{self.seed}-{grammar.hexdigest()[:12]}.txt"
        return folder("cache") / "corpora" / name


def parse(spec: str) -> TalesSpec | None:
    """What a corpus spec asks for; None where it names another corpus.

    Raises UserError where the spec begins with `tales:` and cannot be understood, or asks for an impossible size.
    """
    if spec != "tales" and not spec.startswith("tales:"):
        return None
    match = _SPEC.fullmatch(spec)
    if not match:
        raise UserError(f"'{spec}' is not understood; write tales, tales:10MB or tales:1MB:seed=7")
    size = round(float(match["amount"]) * _UNITS[match["unit"]]) if match["amount"] else TalesSpec.n_characters
    if not _SMALLEST <= size <= _LARGEST:
        raise UserError(f"'{spec}' is out of range; the size may go from 1KB to 1GB")
    return TalesSpec(size, int(match["seed"] or TalesSpec.seed))


def make(spec: TalesSpec, progress: Callable[[float], None] | None = None) -> str | None:
    """Write the text to `spec.path` unless it is there; `progress` receives the fraction that is made.

    Where it cannot be written the text is returned: that costs only memory, and time at each start.
    """
    path = spec.path
    if path.exists():
        return None
    from .generator import generate

    tales = generate(spec.n_characters, spec.seed, progress)
    try:
        write_atomic(path.with_suffix(".nats"), array("d", [*tales.sentence_ends, *tales.sentence_nats]).tobytes())
        write_atomic(path, tales.text)
    except OSError:
        return tales.text
    return None


def information(spec: TalesSpec, n_characters: int) -> Information:
    """The information in the text of `spec`, which has `n_characters`: cached, or from generating it again."""
    from .generator import Information, generate

    with contextlib.suppress(OSError, ValueError):  # ValueError: the file is cut within a number
        table = array("d", spec.path.with_suffix(".nats").read_bytes())
        half = len(table) // 2
        if half and table[half - 1] == n_characters:
            return Information(array("Q", map(int, table[:half])), table[half:])
    return generate(spec.n_characters, spec.seed)
