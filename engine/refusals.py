"""The sentence for a path that is no model: what was found there instead, and what to do. Light."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..data.storage.plain_files import open_plain
from ..data.storage.printable import printable

MODEL_PARTS = ("minigpt.json", "config.json", "ckpt.pt")  # each makes a folder a model
_HEAD = 1 << 12  # bytes of a file that tell what it is
_MAX_NAMED = 5  # entries of a folder that a message names
_MAX_RUNS = 8  # runs that a message names
_HUB_ADDRESS = re.compile(r"(?:hf://|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/)(?:models/)?(.*)")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_HUB_PAGES = ("tree", "blob", "resolve", "raw")  # what may follow a model's name in an address
_MAX_ENTRIES = 1000  # of a folder that are looked at
_PICKLE_FILE = re.compile(r"pytorch_model.*\.bin(?:\.index\.json)?")
_NANOCHAT_FILE = re.compile(r"model_\d{6}\.pt")
_TEXTS = (".txt", ".md", ".rst", ".tex", ".csv", ".json", ".jsonl", ".html", ".py")
_PICTURE = "is a picture; choose a model's folder, or a ckpt.pt of nanoGPT's"
_PACKED = "is a packed archive; unpack it and open the folder that was in it"
_PICKLED = (
    "holds weights as a pickle, which can run code and is never opened; save the model as safetensors with "
    "transformers' save_pretrained and open that folder"
)
_RAW = (
    "holds raw numbers in a format of its own, as llama2.c and llm.c write them; convert the model to a Hugging Face "
    "folder and open that"
)
_NOT_LOADED = (
    "holds the weights under the name {name}, which transformers does not look for either; if they are the whole "
    "model, rename that file to model.safetensors"
)
_OTHER_FORMATS = {
    ".h5": "TensorFlow", ".msgpack": "Flax", ".onnx": "ONNX", ".npz": "MLX or numpy", ".keras": "Keras",
    ".index": "TensorFlow", ".mlmodel": "Core ML", ".tflite": "TensorFlow Lite", ".nemo": "NeMo", ".ckpt": "Lightning",
}  # fmt: skip
_OTHER_FORMAT = (
    "the weights in a format of {maker} ({name}), which is not read here; use a folder of the model with "
    "model.safetensors, as transformers' save_pretrained writes it"
)
_META = (
    "is a model of Meta's in its own format; fetch the Hugging Face folder of that model, or make one with "
    "transformers' convert_llama_weights_to_hf.py, and open it"
)
CHANGED_BY_ADAPTER = (
    "holds an adapter beside the model, which changes what it computes; merge it into the model with peft's "
    "merge_and_unload and open the result, or move adapter_config.json away to have the model without it"
)
_LITGPT = (
    "is a checkpoint of litgpt's; make a Hugging Face folder of it with litgpt convert_from_litgpt, save the result as "
    "safetensors with transformers' save_pretrained, and open that folder"
)
_NANOCHAT = (
    "is a checkpoint of nanochat's, whose block this program does not have; choose a Hugging Face folder of another "
    "model, or train one here"
)
_GGUF = "is a GGUF file, which llama.cpp runs; open the Hugging Face folder that it was made from"
_BEGINNINGS = {
    b"GGUF": _GGUF,
    b"\x89PNG": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF8": _PICTURE,
    b"%PDF-": "is a PDF, not a model; to train on what it says, save its text as a text file",
    b"\x1f\x8b": _PACKED,
    b"BZh": _PACKED,
    b"\xfd7zXZ": _PACKED,
    b"7z\xbc\xaf": _PACKED,
    b"\x28\xb5\x2f\xfd": _PACKED,
    b"PK\x05\x06": "is an empty archive; copy the model again",
}


def why_no_model(path: Path) -> str:
    """One sentence about what lies at `path`, which is no model that can be opened."""
    try:
        if path.is_dir():
            return f"{path} {_of_folder(path)}"
        if not path.exists():
            return f"there is no {path}; check the path"
        if not path.is_file():
            return f"{path} is neither a file nor a folder; choose a model's folder, or a ckpt.pt of nanoGPT's"
        return f"{path} {_of_file(path)}"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error}); check its permissions"


def why_nothing(text: str, path: Path, runs: Sequence[str]) -> str:
    """One sentence about a name or path that is neither that of a run nor on disk: `path` is what it would be."""
    if address := _HUB_ADDRESS.fullmatch(text.strip()):
        parts = [part for part in address[1].split("?")[0].split("/") if part]
        name = "/".join(parts[:1] if parts[1:2] and parts[1] in _HUB_PAGES else parts[:2])
        if _HUB_NAME.fullmatch(name):
            return f"{printable(text)} is on the Hugging Face Hub; fetch it first: {_fetch(name)}"
    if "://" in text:
        return f"{printable(text)} is an address, and only models on this machine are opened; fetch it first"
    hub = _HUB_NAME.fullmatch(text)
    if path.name != text:
        meant = (
            f"if a model of the Hugging Face Hub is meant, fetch it first: {_fetch(text)}" if hub else "check the path"
        )
        return f"there is no {path}; {meant}"
    known = ", ".join(runs[:_MAX_RUNS]) or "none yet"
    meant = f"; a model of the Hugging Face Hub is fetched first: {_fetch(text)}" if hub else ""
    return f"there is neither a run nor a file called '{printable(text)}'; the runs are: {known}{meant}"


def _fetch(name: str) -> str:
    return f"hf download {name} --local-dir {name.rpartition('/')[2]}"


def is_known_elsewhere(name: str) -> bool:
    """Whether a file is called as only litgpt or nanochat call their weights."""
    return name == "lit_model.pth" or _NANOCHAT_FILE.fullmatch(name) is not None


def _of_folder(folder: Path) -> str:
    names = sorted(entry.name for entry, _ in zip(folder.iterdir(), range(_MAX_ENTRIES), strict=False))
    if not names:
        return "is an empty folder; choose one that holds a model"
    if "model_index.json" in names:
        return "is a pipeline of diffusers, which makes pictures; choose a folder with a language model"
    if "adapter_config.json" in names:
        return (
            "is an adapter without the model that it changes; merge it into that model with peft's merge_and_unload, "
            "save the result and open its folder"
        )
    models = [name for name in names if any((folder / name / part).is_file() for part in MODEL_PARTS)]
    models += [f"snapshots/{inner.parent.name}" for inner in folder.glob("snapshots/*/config.json")]
    if models:
        return f"is no model itself but holds {_named(models)}; open {folder / models[0]}"
    if any(name.endswith(".gguf") for name in names):
        return "holds a GGUF file, which llama.cpp runs; open the Hugging Face folder that it was made from"
    if "lit_model.pth" in names:
        return _LITGPT
    if any(_NANOCHAT_FILE.fullmatch(name) for name in names):
        return _NANOCHAT
    if "config.json" in names and any(_PICKLE_FILE.fullmatch(name) for name in names):
        return _PICKLED
    if "config.json" in names and (others := [name for name in names if name.endswith(".safetensors")]):
        return _NOT_LOADED.format(name=printable(others[0], 40))
    described = "config.json" in names or any(name.endswith(".ckpt.index") for name in names)
    if described and (other := _other_format(names)):
        return f"holds {other}"
    if "config.json" in names:
        return f"has a config.json but no model.safetensors; it holds {_named(names)}; use a whole model"
    if any(re.fullmatch(r"consolidated\.\d+\.pth", name) for name in names):
        return _META
    if any(name.endswith(".bin") and _is_raw(folder / name) for name in names):
        return _RAW
    if any(name.endswith(".safetensors") for name in names):
        return "holds weights without the config.json that says what model they are; put that and the tokenizer there"
    if any(name.lower().endswith(_TEXTS) for name in names):
        return f"holds no model but {_named(names)}; to train on text in it: {_train(folder)}"
    return f"holds no model but {_named(names)}; choose a model's folder, or a ckpt.pt of nanoGPT's"


def _of_file(path: Path) -> str:
    with open_plain(path) as file:
        head = file.read(_HEAD)
    if not head:
        return "is empty; copy the model again"
    for beginning, sentence in _BEGINNINGS.items():
        if head.startswith(beginning):
            return sentence
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _PICTURE
    if head[257:262] == b"ustar":
        return _PACKED
    if path.name == "meta.pkl":
        return "is the list of characters of nanoGPT's data; open the ckpt.pt that learned from them"
    if path.name != "ckpt.pt" and (path.name in MODEL_PARTS or path.name.startswith("tokenizer")):
        return f"is one part of a model; open its folder {path.parent}"
    if path.suffix == ".safetensors" or (
        head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size
    ):
        return f"holds weights alone; open its folder {path.parent}, which must have config.json and the tokenizer too"
    if path.name == "lit_model.pth":
        return _LITGPT
    if _NANOCHAT_FILE.fullmatch(path.name):
        return _NANOCHAT
    if head[0] == 0x80 or (head[:4] == b"PK\x03\x04" and path.suffix in (".bin", ".pth")):
        return _PICKLED
    if path.suffix == ".bin" and not _is_text(head):
        return _RAW
    if _is_text(head):
        return f"is a text, not a model; to train on it: {_train(path)}"
    if other := _other_format([path.name]):
        return f"holds {other}"
    return "is no model of a kind known here; choose a model's folder, or a ckpt.pt of nanoGPT's"


def _other_format(names: Iterable[str]) -> str:
    """What the first file of weights is that another program reads; nothing where there is none."""
    known = ((name, _OTHER_FORMATS[suffix]) for name in names if (suffix := Path(name).suffix) in _OTHER_FORMATS)
    return next((_OTHER_FORMAT.format(maker=maker, name=printable(name, 40)) for name, maker in known), "")


def _is_raw(path: Path) -> bool:
    """Whether a .bin file holds numbers and no pickle."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return bool(head) and head[0] != 0x80 and head[:4] != b"PK\x03\x04" and not _is_text(head)


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return head[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16 says so itself
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character that the end of the head cuts
    return True


def _train(path: Path) -> str:
    return f"minigpt-tui train {shlex.quote(str(path))}"


def _named(names: Iterable[str]) -> str:
    names = list(names)
    some, more = [printable(name, 40) for name in names[:_MAX_NAMED]], len(names) - _MAX_NAMED
    if len(names) >= _MAX_ENTRIES:
        return f"{', '.join(some)} and many more"
    return ", ".join(some) + (f" and {more:,} more" if more > 0 else "")
