"""The verb export: a trained model as a file or folder for other programs."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from ...data.storage.typed_json import dumps, from_plain
from ...data.typed_path import typed_path
from ...engine.child_process import python_module
from ...engine.model_files import find_model
from ...engine.results import ExportResult
from ...engine.run_about import find_run
from .child import run_to_end
from .exit_codes import DONE, complain

DEFAULT_TYPE = "f16"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write a model for other programs: one GGUF file for llama.cpp, tokenizer included, or a Hugging Face folder. "
        "Prints the path."
    )
    parser.add_argument("run", nargs="?", help="a run, or a checkpoint folder; the newest run where none is named")
    parser.add_argument("--to", choices=("gguf", "huggingface"), required=True, help="llama.cpp's file, or a folder")
    parser.add_argument(
        "--dtype", choices=("f32", "f16", "bf16", "q8_0"), help=f"the matrices of a GGUF file (default {DEFAULT_TYPE})"
    )
    parser.add_argument(
        "--output", type=typed_path, metavar="PATH", help="default: the model's name and the type, here"
    )
    parser.add_argument("--force", action="store_true", help="replace a GGUF file that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the path")


def _file_name(name: str) -> str:
    """The last part of a model's name, which may be a stranger's choice, as the beginning of a file's name here."""
    last = re.split(r"[/\\:]", name)[-1]
    return "".join(character if character.isprintable() else "-" for character in last).lstrip(".-") or "model"


def run(arguments: argparse.Namespace) -> int:
    """Write the file or folder and print where it is."""
    if arguments.to == "huggingface" and (arguments.dtype or arguments.force):
        return complain("--dtype and --force are for GGUF files; a Hugging Face folder is copied as it is")
    model = find_model(arguments.run if arguments.run is not None else str(find_run().path))
    name, dtype = model.run.name if model.run else model.name, arguments.dtype or DEFAULT_TYPE
    stem = _file_name(name)
    output = arguments.output or Path(f"{stem}-{dtype}.gguf" if arguments.to == "gguf" else f"{stem}-huggingface")
    command = python_module(
        "minigpt_tui.engine.export.process", str(model.path), "--to", arguments.to, "--dtype", dtype,
        "--name", name, "--output", str(output.absolute()), *["--force"] * arguments.force,
    )  # fmt: skip
    code, last = run_to_end(command, "exporting")
    if code:
        return code
    result = from_plain(ExportResult, last)
    if arguments.json:
        print(dumps(result))
        return DONE
    for notice in result.notices:
        print(f"minigpt-tui: {notice}", file=sys.stderr)
    print(result.path)
    return DONE
