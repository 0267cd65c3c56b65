"""The verb evaluate: the loss of a model on held-out text."""

from __future__ import annotations

import argparse
import typing

from ...data.corpus import normalise
from ...data.storage.typed_json import dumps, from_plain
from ...engine.child_process import python_module
from ...engine.results import EvaluationResult
from ...models.recipe import Protocol
from .child import run_to_end
from .exit_codes import DONE
from .options import add_literal_option, add_model_argument, add_quantize_option, path_of_model
from .texts import add_encoding_option


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Average negative log-likelihood on held-out text."
    add_model_argument(parser)
    parser.add_argument("--on", metavar="CORPUS", help="another text (all of it) instead of the run's validation split")
    add_encoding_option(parser)
    parser.add_argument(
        "--protocol", choices=typing.get_args(Protocol), default="full", help="which windows (default full)"
    )
    parser.add_argument(
        "--context-length", type=int, metavar="N", help="windows of N tokens (default: as long as the model's context)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps or xpu (default auto)")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "auto"), default="float32",
        help="the type of activations and matrix products (default float32)",
    )  # fmt: skip
    add_quantize_option(parser)
    add_literal_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print loss, perplexity and bits per byte."""
    model = str(path_of_model(arguments.run))
    command = python_module("minigpt_tui.engine.training.evaluate_process", model, "--protocol", arguments.protocol)
    command += ["--quantize", arguments.quantize, "--device", arguments.device, "--dtype", arguments.dtype]
    if arguments.context_length is not None:
        command += ["--context-length", str(arguments.context_length)]
    if arguments.literal:
        command.append("--literal")
    if arguments.on is not None:
        command += ["--on", normalise(arguments.on)]
    if arguments.encoding is not None:
        command += ["--encoding", arguments.encoding]
    code, last = run_to_end(command, "evaluating")
    if code:
        return code
    result = from_plain(EvaluationResult, last)
    print(dumps(result) if arguments.json else _sentence(result))
    return DONE


def _sentence(result: EvaluationResult) -> str:
    step = f", step {result.step}" if result.step else ""  # a model from elsewhere may not know its own
    return (
        f"{result.run}{step}: loss {result.loss:.4f} nats per token, perplexity {result.perplexity:.3f}, "
        f"{result.bits_per_byte:.4f} bits per byte over {result.tokens:,} tokens ({result.protocol})"
    )
