"""The export process: `python -m minigpt_tui.engine.export.process MODEL --to gguf|huggingface --output PATH`.

Standard output: lines {"progress": 0.4}, then one ExportResult. Exit code 2 with a sentence for a user's error.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ...data.storage.atomic import complete_file
from ...data.storage.errors import UserError
from ...data.storage.printable import printable
from ...data.storage.typed_json import dumps
from ...models.config import ModelConfig, parameter_count
from ...models.interop.foreign_folder import file_within, read_json
from ...models.interop.gguf import GGUF_TYPES, require_gguf, write_gguf
from ...models.interop.gguf_layouts import NoCounterpart, architecture
from ...models.interop.huggingface import load_checkpoint, save_checkpoint
from ...models.interop.huggingface_layouts import model_type
from ..model_files import ModelFile, check_weights, find_model, read_config, read_tokenizer
from ..parent import end_with_parent
from ..results import ExportResult, ProgressLines
from .general import general_fields, sampling_values
from .nearest import nearest_preset
from .vocabulary import describe_vocabulary

USER_ERROR, INTERRUPTED = 2, 130
TRAINING_STATE = "state.safetensors"
WITHOUT_KEY = (  # values of generation_config.json that change a text and have no key in GGUF
    "typical_p", "epsilon_cutoff", "eta_cutoff", "no_repeat_ngram_size", "bad_words_ids", "suppress_tokens",
    "begin_suppress_tokens", "forced_bos_token_id", "sequence_bias", "min_new_tokens",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Export what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.export.process", description="Write a model elsewhere.")
    parser.add_argument("model", help="a run, a checkpoint, or another model on disk")
    parser.add_argument("--to", choices=("gguf", "huggingface"), required=True, help="whose format")
    parser.add_argument("--output", type=Path, required=True, help="the file, or the folder, that is written")
    parser.add_argument("--name", help="what the model is called in messages and in the file")
    parser.add_argument("--dtype", choices=GGUF_TYPES, default="f16", help="the type of the matrices in a GGUF file")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    options = parser.parse_args(arguments)
    output = options.output.absolute()
    end_with_parent()
    try:
        file = find_model(options.model)
        file = dataclasses.replace(file, name=options.name or file.name)
        result = _to_gguf(file, output, options) if options.to == "gguf" else _to_huggingface(file, output)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        reason = error.strerror or "the disk took a part of it only"  # numpy does not say more
        full = error.errno in (None, errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space, or choose another --output" if full else "choose another --output"
        print(f"minigpt-tui: {output} cannot be written: {reason}; {remedy}", file=sys.stderr)
        return USER_ERROR
    except UserError as error:
        print(f"minigpt-tui: {error}", file=sys.stderr)
        return USER_ERROR
    print(dumps(result), flush=True)
    return 0


def _to_gguf(file: ModelFile, output: Path, options: argparse.Namespace) -> ExportResult:
    require_gguf()
    _refuse_existing(output, options.force)
    config = read_config(file)
    _refuse_without_counterpart(file, config, "a GGUF file", _lacks_architecture)
    described = describe_vocabulary(read_tokenizer(file), config.vocab_size)
    loaded = load_checkpoint(file.path)
    with complete_file(output) as temporary:
        written = write_gguf(
            temporary, loaded.config, dict(loaded.model.named_parameters()), described.vocabulary,
            general=general_fields(file, parameter_count(config)), dtype=options.dtype, progress=ProgressLines(),
        )  # fmt: skip
        n_bytes = temporary.stat().st_size
    notices = written.notices + described.notices + tuple(_lost(file))
    return ExportResult(str(output), n_bytes, written.architecture, options.dtype, written.parameters, notices)


def _lost(file: ModelFile) -> Iterator[str]:
    """What a foreign folder says and no GGUF file has."""
    if file.kind == "huggingface":
        values = sampling_values(file.path)
        if names := [name for name in WITHOUT_KEY if values.get(name) not in (None, 1.0, 0, [])]:
            said = ", ".join(f"{name} {values[name]}" for name in names)
            yield f"what generation_config.json says of the following is not in the file: {printable(said)}"


def _to_huggingface(file: ModelFile, output: Path) -> ExportResult:
    _refuse_existing(output, force=False)  # a folder that is there may hold anything
    config = read_config(file)
    if file.kind != "huggingface":
        _refuse_without_counterpart(file, config, "a Hugging Face folder", _lacks_model_type)
    check_weights(file)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        if file.kind == "nanogpt":
            loaded = load_checkpoint(file.path)
            save_checkpoint(
                loaded.model, temporary, tokenizer=read_tokenizer(file), step=loaded.step,
                validation_loss=loaded.validation_loss,
            )  # fmt: skip
        else:
            _copy(file.path, temporary)
        n_bytes = sum(path.stat().st_size for path in temporary.iterdir())
        temporary.rename(output)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    described = read_json(output / "config.json")
    dtype = described.get("dtype") or described.get("torch_dtype") or "float32"
    return ExportResult(str(output), n_bytes, described["model_type"], dtype, parameter_count(config))


def _copy(source: Path, target: Path) -> None:
    """Copy the files of a model's folder, except what only resuming a training needs."""
    progress = ProgressLines()
    names = sorted(path.name for path in source.iterdir() if not path.is_dir() and path.name != TRAINING_STATE)
    files = [file_within(source, name) for name in names]
    for number, path in enumerate(files, 1):
        shutil.copyfile(path, target / path.name)
        with (target / path.name).open("rb+") as copied:
            os.fsync(copied.fileno())
        progress(number / len(files))


def _lacks_architecture(config: ModelConfig) -> str:
    """Why llama.cpp cannot compute it; nothing if it can."""
    try:
        architecture(config)
    except NoCounterpart as reason:
        return str(reason)
    return ""


def _lacks_model_type(config: ModelConfig) -> str:
    """Why transformers cannot compute it; nothing if it can."""
    return "transformers has no model with this block" if model_type(config) == "minigpt" else ""


def _refuse_without_counterpart(
    file: ModelFile, config: ModelConfig, target: str, lacks: Callable[[ModelConfig], str]
) -> None:
    if reason := lacks(config):
        nearest = nearest_preset(config, lambda other: not lacks(other))
        raise UserError(
            f"'{file.name}' cannot become {target}: {reason}; it could with {nearest.changes}, and the nearest preset "
            f"that can is {nearest.preset}"
        )


def _refuse_existing(output: Path, force: bool) -> None:
    if output.is_dir():
        raise UserError(f"{output} is a folder that is there already; choose another name with --output")
    if output.exists() and not force:
        raise UserError(f"{output} is there already; choose another name with --output, or replace it with --force")
    if not output.parent.is_dir():
        raise UserError(f"there is no folder {output.parent}; make it, or choose another place with --output")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # so that what is half written is taken away
    sys.exit(main())
