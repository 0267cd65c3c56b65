"""The evaluate process: `python -m minigpt_tui.engine.training.evaluate_process MODEL [--on SPEC] [--protocol P]`.

Standard output: lines {"progress": 0.4, "doing": "evaluating"}, then one EvaluationResult. Exit code 2 with a sentence
for a user's error.
"""

from __future__ import annotations

import argparse
import math
import sys
import typing
from dataclasses import dataclass

import torch

from ...data.corpus import Corpus, open_corpus
from ...data.encoding import encode_corpus
from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.storage.printable import printable
from ...data.storage.typed_json import dumps
from ...data.text_files import Reading
from ...data.tokenizers import Tokenizer
from ...models.devices import choose_device, choose_threads
from ...models.fast.decoding import prepare_decoding, set_multiply
from ...models.fast.quantization import quantize_int8
from ...models.interop.huggingface import load_checkpoint
from ...models.recipe import Protocol
from ..freed_memory import keep_freed_memory
from ..generation.fastest_product import fastest_product, ways
from ..generation.token_rows import check_tokens
from ..model_files import ModelFile, find_model, read_tokenizer
from ..parent import end_with_parent
from ..requests import Quantization
from ..results import EvaluationResult, ProgressLines
from ..runs import CorpusRecord, RunError
from .loop.evaluation import evaluate

USER_ERROR, INTERRUPTED = 2, 130
LONGEST_FOREIGN_WINDOW = 1024  # GPT-2's context: a longer one takes memory by the gigabyte, and figures that compare
_KEPT = 1 << 28  # bytes between one pass and the next


def main(arguments: list[str] | None = None) -> int:
    """Evaluate what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.training.evaluate_process", description="Score a model.")
    parser.add_argument("subject", metavar="MODEL", help="a run, a checkpoint, a Hugging Face folder or a ckpt.pt")
    parser.add_argument("--on", metavar="SPEC", help="another text: all of it is read, not just its last part")
    parser.add_argument("--encoding", help="how that text is encoded, where it is not found out")
    parser.add_argument("--protocol", choices=typing.get_args(Protocol), default="full", help="which loss")
    parser.add_argument(
        "--context-length", type=int, default=None, metavar="N", help="windows of N tokens instead of the model's own"
    )
    parser.add_argument("--device", default="auto", help="where to compute")
    parser.add_argument("--dtype", default="float32", help="the type of activations and matrix products")
    parser.add_argument("--quantize", choices=typing.get_args(Quantization), default="none", help="round the weights")
    parser.add_argument("--literal", action="store_true", help="names of special tokens in the text are text")
    options = parser.parse_args(arguments)
    keep_freed_memory(_KEPT)
    end_with_parent()
    try:
        result = _evaluate(find_model(options.subject), options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EXPECTED as error:
        print(f"minigpt-tui: {sentence_of(error)}", file=sys.stderr)
        return USER_ERROR
    print(dumps(result), flush=True)
    return 0


def _evaluate(file: ModelFile, options: argparse.Namespace) -> EvaluationResult:
    choice = choose_device(options.device, options.dtype)
    cores = choose_threads(0, leave_core=False)
    torch.set_num_threads(cores)
    loaded, tokenizer = load_checkpoint(file.path, choice.device, choice.dtype), read_tokenizer(file)
    if options.quantize == "int8":
        quantize_int8(loaded.model)
    prepare_decoding(loaded.model)
    if choice.device.type == "cpu" and choice.dtype == torch.float32:
        set_multiply(loaded.model, ways()[fastest_product(cores)])
    context_length = _context_length(file, loaded.config.context_length, options.context_length)
    text = _text(file, options, tokenizer, choice.device)
    if len(text.tokens) < 2:
        raise UserError(
            "the text has fewer than two tokens for this model, and each is predicted from those before it; choose a "
            "longer text"
        )
    check_tokens([text.tokens], tokenizer, loaded.config.vocab_size)
    window = min(context_length, len(text.tokens) - 1)
    found = evaluate(
        loaded.model, text.tokens, text.n_bytes, options.protocol, batch_size=text.batch_size, batches=text.batches,
        context_length=window, progress=ProgressLines("evaluating"),
    )  # fmt: skip
    if not math.isfinite(found.loss):
        raise UserError(
            f"the loss of {file.path} is no number: its weights are finite but their products are not; use another "
            "checkpoint"
        )
    name = file.run.name if file.run else file.name
    return EvaluationResult(
        name, loaded.step, found.loss, found.perplexity, found.bits_per_byte, options.protocol, found.tokens
    )


def _context_length(file: ModelFile, own: int, wanted: int | None) -> int:
    """The length of the windows: what was asked for, else the model's context length."""
    if wanted is None:
        return own if file.kind == "minigpt" else min(own, LONGEST_FOREIGN_WINDOW)
    if not 1 <= wanted <= own:
        raise UserError(f"a context length of {wanted:,} is not possible; {file.name} allows 1 to {own:,}")
    return wanted


@dataclass(frozen=True)
class _Text:
    """The text to evaluate on."""

    tokens: torch.Tensor
    n_bytes: int
    batch_size: int  # of the protocol `random`, as the next one
    batches: int


def _text(file: ModelFile, options: argparse.Namespace, tokenizer: Tokenizer, device: torch.device) -> _Text:
    """The validation text of the run, or all of the text `--on` as far as the model knows its characters.

    A run that has learned its text literally reads each text so.
    """
    spec, literal = options.on, options.literal
    manifest = file.run.manifest() if file.run else None
    batch_size = manifest.training.batch_size if manifest else 64
    batches = manifest.training.evaluation_batches if manifest else 200
    if spec is not None:
        corpus, fraction = _another(spec, options.encoding), 1.0
    elif manifest is not None:
        corpus, fraction = _unchanged(manifest.corpus), manifest.corpus.validation_fraction
    else:
        raise RunError(f"{file.path} lies in no run; name the text to evaluate on with --on")
    dataset = encode_corpus(
        corpus, tokenizer, validation_fraction=fraction, context_length=None, device=device,
        literal=literal or bool(manifest and manifest.literal), progress=ProgressLines("encoding"),
    )  # fmt: skip
    if dataset.left_out and spec is not None:
        count = sum(dataset.left_out.values())
        print(f"minigpt-tui: {count:,} characters that the model has never seen are left out", file=sys.stderr)
    return _Text(dataset.validation, dataset.validation_bytes, batch_size, batches)


def _another(spec: str, encoding: str | None) -> Corpus:
    """The text that was named; what is odd about it is said."""
    corpus = open_corpus(spec, reading=Reading(encoding, as_text=True), progress=ProgressLines("reading"))
    for notice in corpus.notices:
        print(f"minigpt-tui: {printable(notice, longest=len(notice))}", file=sys.stderr)
    return corpus


def _unchanged(record: CorpusRecord) -> Corpus:
    """The run's text, as it was when the run was made."""
    corpus = open_corpus(record.spec, reading=record.reading, progress=ProgressLines("reading"))
    if corpus.fingerprint != record.fingerprint:
        raise UserError(
            f"the text of '{record.name}' ({record.spec}) has changed since the run was made; put the old text back, "
            "or name a text with --on"
        )
    return corpus


if __name__ == "__main__":
    sys.exit(main())
