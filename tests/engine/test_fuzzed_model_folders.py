"""Folders of a foreign model with damage of many kinds: each opens and speaks, or is refused in one sentence."""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minigpt_tui.data.storage.errors import EXPECTED, sentence_of
from minigpt_tui.data.tokenizers import build_tokenizer
from minigpt_tui.engine.generation.decoder import Decoder
from minigpt_tui.engine.generation.loaded_model import CheckpointSource
from minigpt_tui.engine.generation.reply import Reply
from minigpt_tui.engine.model_files import check_weights, find_model, read_config, read_tokenizer
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.devices import choose_device
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

TEXT = "the cat</s> sat<|end|> on the mat, é 12\n"
WEIGHTS = "model.safetensors"
FILES = (
    "tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json", "vocab.json",
    "merges.txt", "config.json", "generation_config.json", WEIGHTS,
)  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 3, 255, 2**22, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "a", "</s>", "\0", "\x1b[2J\n", "\ud800", "9" * 5000, "../../etc/passwd", [], {}, [[]], [None], [1, "a"],
    {"content": "</s>"}, {"content": ["x"]}, {"id": 1}, {"type": "Sequence"}, {"300": {"content": "<y>"}},
]  # fmt: skip
MOST_MEMORY = 600  # megabytes that opening a folder of some kilobytes may add to the process


def folders(home: Path) -> dict[str, dict[str, bytes]]:
    """Two sound folders as their files: one with a tokenizer.json, one with vocab.json and merges.txt."""
    tokenizer = build_tokenizer("bpe", alphabet="", pieces=lambda: [TEXT * 30], bpe_vocab_size=280)
    config = ModelConfig(tokenizer.vocab_size + 6, context_length=16, n_layer=1, n_head=2, d_model=16, qk_norm=False)
    home.mkdir()
    save_checkpoint(GPT(config), home, tokenizer=tokenizer, step=1, validation_loss=None)
    (home / "minigpt.json").unlink()
    files = {path.name: path.read_bytes() for path in home.iterdir()}
    model = json.loads(files["tokenizer.json"])["model"]
    flags = {"lstrip": False, "rstrip": True, "single_word": False, "normalized": False, "special": True}
    settings = {
        "tokenizer_class": "GPT2Tokenizer", "eos_token": "</s>", "additional_special_tokens": ["<|end|>"],
        "chat_template": [{"name": "default", "template": "{{ 1 }}"}],
    }  # fmt: skip
    decoder = {"added_tokens_decoder": {"281": {"content": "<|end|>"} | flags}}
    whole = files | {"tokenizer_config.json": json.dumps(settings | decoder).encode()}
    halves = files | {
        "vocab.json": json.dumps(model["vocab"]).encode(), "added_tokens.json": b'{"<|end|>": 281, "foo": 282}',
        "merges.txt": "\n".join(["#version: 0.2", *map(" ".join, model["merges"]), ""]).encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "special_tokens_map.json": json.dumps({"eos_token": "</s>", "pad_token": {"content": "<pad>"}}).encode(),
    }  # fmt: skip
    del halves["tokenizer.json"]
    return {"whole": whole, "halves": halves}


def damaged(content: bytes, name: str, chance: random.Random) -> bytes:
    if chance.random() < 0.25:
        return _damaged_bytes(content, chance)
    if name == WEIGHTS:
        size = int.from_bytes(content[:8], "little")
        header = json.dumps(_damaged_values(json.loads(content[8 : 8 + size]), chance)).encode()
        return len(header).to_bytes(8, "little") + header + content[8 + size :]
    if name.endswith(".json"):
        return json.dumps(_damaged_values(json.loads(content), chance)).encode()
    lines = content.split(b"\n")
    lines[chance.randrange(len(lines))] = chance.choice(
        [b"", b"a", b"a b c", b"\xff \xfe", b" ", b"zz zz", b"t h" * 999]
    )
    return b"\n".join(lines)


def _damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    ways = [
        content[:at], b"", b"\xef\xbb\xbf" + content, content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :],
        content[:at] + content[max(0, at - 20) :], b"[" * 50_000, content + b"\0", chance.randbytes(40) + content,
        b"null", b"[]",
    ]  # fmt: skip
    return chance.choice(ways)


def _damaged_values(values: Any, chance: random.Random) -> Any:
    """A copy in which one to three values, at any depth, are odd, missing, or under another name."""
    values = copy.deepcopy(values)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(values))
        if not places:
            break
        # the few entries above must not drown in a vocabulary
        depth = chance.randint(1, max(depth for _, _, depth in places))
        within, key, _ = chance.choice([place for place in places if place[2] <= depth])
        if isinstance(within, dict) and (chosen := chance.random()) < 0.3:
            value = within.pop(key)
            if chosen < 0.15:
                within[chance.choice([str(key).upper(), "", "extra_special_tokens", "\x1b", "-1"])] = value
        else:
            within[key] = copy.deepcopy(chance.choice(ODD))
    return values


def _places(values: Any, depth: int = 1) -> Iterator[tuple[Any, Any, int]]:
    entries = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in entries:
        yield values, key, depth
        yield from _places(value, depth + 1)


def open_and_speak(folder: Path) -> None:
    file = find_model(str(folder))
    read_config(file)
    check_weights(file)
    tokenizer = read_tokenizer(file)
    tokenizer.decode(tokenizer.encode(TEXT))
    tokenizer.safe_cut(TEXT)
    opened = CheckpointSource(folder).read(choose_device("cpu", "float32", training=False))
    decoder = Decoder(opened.checkpoint.model, opened.tokenizer, end_token_starts_text=True)
    for prompt in ("", "the cat"):
        "".join(Reply(decoder, prompt, SamplingSettings(temperature=0, max_tokens=2)))


def most_memory() -> float:
    """Megabytes that the process has had at most; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def check_many(home: Path, name: str, seeds: range) -> None:
    sound, before = folders(home / "sound"), most_memory()
    kinds = [kind for kind, files in sound.items() if name in files]
    opened = 0
    for seed in seeds:
        chance = random.Random(f"{name} {seed}")
        files = sound[chance.choice(kinds)]
        folder = home / f"case-{seed}"
        folder.mkdir()
        for other, content in files.items():
            (folder / other).write_bytes(content)
        (folder / name).write_bytes(damaged(files[name], name, chance))
        try:
            open_and_speak(folder)
            opened += 1
        except EXPECTED as error:
            said = sentence_of(error)
            is_sentence = said.isprintable() and 10 < len(said) < 1500
            assert is_sentence, f"{name}, seed {seed}: {said!a}"
        except BaseException as error:
            error.add_note(f"{name}, seed {seed}: {(folder / name).read_bytes()[:2000]!r}")
            raise
        for path in folder.iterdir():
            path.unlink()
    assert most_memory() - before < MOST_MEMORY
    assert opened < len(seeds)  # some of the damage is seen


@pytest.mark.parametrize("kind", ["whole", "halves"])
def test_the_sound_folders_open(kind: str, tmp_path: Path) -> None:
    files = folders(tmp_path / "sound")[kind]
    (tmp_path / kind).mkdir()
    for name, content in files.items():
        (tmp_path / kind / name).write_bytes(content)
    open_and_speak(tmp_path / kind)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_sentence_or_does_no_harm(name: str, tmp_path: Path) -> None:
    check_many(tmp_path, name, range(15))


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_four_hundred_of_each(name: str, tmp_path: Path) -> None:
    check_many(tmp_path, name, range(15, 415))
