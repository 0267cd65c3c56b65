"""A process that writes a text the way nanoGPT's character data sets lie on disk: `TEXT FOLDER VALIDATION_FRACTION`.

train.bin and val.bin hold ids of two bytes; meta.pkl is a pickle with the vocabulary's size, id -> character and
character -> id. nanoGPT's train.py reads no other form. The pickle holds plain numbers and characters and is for the
peer alone.
"""

from __future__ import annotations

import pickle
import sys
from array import array
from pathlib import Path

from ...data.corpus import split_position


def write(text: str, folder: Path, validation_fraction: float) -> None:
    """Write the three files into `folder`, which exists."""
    characters = sorted(set(text))
    ids = {character: number for number, character in enumerate(characters)}
    split = split_position(len(text), validation_fraction)
    for name, part in (("train.bin", text[:split]), ("val.bin", text[split:])):
        numbers = array("H", map(ids.__getitem__, part))
        if sys.byteorder == "big":
            numbers.byteswap()
        (folder / name).write_bytes(numbers.tobytes())
    meta = {"vocab_size": len(characters), "itos": dict(enumerate(characters)), "stoi": ids}
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))


if __name__ == "__main__":
    write(Path(sys.argv[1]).read_bytes().decode(), Path(sys.argv[2]), float(sys.argv[3]))
