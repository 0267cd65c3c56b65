"""The evaluate process: `python -m minigpt_tui.engine.training.evaluate CHECKPOINT_OR_RUN [--on SPEC] [--protocol P]`.

Standard output: lines {"progress": 0.4}, then one EvaluationResult. Exit code 2 with a sentence for a user's error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import typing
from dataclasses import dataclass
from pathlib import Path

import torch

from ...data.corpus import CorpusError, check_length, open_corpus, split_position
from ...data.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from ...models.devices import DeviceError, choose_device, choose_threads
from ...models.huggingface import CheckpointError, load_checkpoint
from ...models.recipe import Protocol
from ...models.typed_json import dumps
from ..events import EvaluationResult
from ..runs import Run, RunError
from .evaluation import evaluate

USER_ERROR = 2
_PROGRESS_INTERVAL = 0.1  # seconds


@dataclass(frozen=True)
class _Subject:
    """What is evaluated: a checkpoint, and the run it is of, where it lies in one."""

    folder: Path
    run: Run | None

    @property
    def name(self) -> str:
        return self.run.name if self.run else self.folder.name


def main(arguments: list[str] | None = None) -> int:
    """Evaluate what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="minigpt_tui.engine.training.evaluate", description="Score a checkpoint.")
    parser.add_argument("subject", type=Path, metavar="CHECKPOINT_OR_RUN", help="a checkpoint's folder, or a run's")
    parser.add_argument("--on", metavar="SPEC", help="another text: all of it is read, not just its last part")
    parser.add_argument("--protocol", choices=typing.get_args(Protocol), default="full", help="which loss")
    parser.add_argument("--device", default="auto", help="where to compute")
    parser.add_argument("--dtype", default="float32", help="the type of activations and matrix products")
    options = parser.parse_args(arguments)
    try:
        result = _evaluate(_subject(options.subject), options)
    except (RunError, CorpusError, CheckpointError, DeviceError, TokenizerError) as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    print(dumps(result), flush=True)
    return 0


def _evaluate(subject: _Subject, options: argparse.Namespace) -> EvaluationResult:
    choice = choose_device(options.device, options.dtype)
    torch.set_num_threads(choose_threads(0, leave_core=False))
    loaded = load_checkpoint(subject.folder, choice.device, choice.dtype)
    tokenizer = load_tokenizer(subject.folder)
    text = _text(subject, options.on, tokenizer)
    tokens = torch.tensor(tokenizer.encode(text), dtype=torch.int32, device=choice.device)
    check_length(len(tokens), len(tokens), loaded.config.context_length)
    batch_size = subject.run.manifest().training.batch_size if subject.run else 64
    score = evaluate(
        loaded.model, tokens, len(text.encode()), options.protocol, batch_size=batch_size, progress=_Progress()
    )
    return EvaluationResult(
        subject.name, loaded.step, score.loss, score.perplexity, score.bits_per_byte, options.protocol, score.tokens
    )


def _subject(path: Path) -> _Subject:
    path = path.absolute()
    if (path / "run.json").is_file():
        run = Run(path)
        folder = run.speaking_checkpoint()
        if folder is None:
            raise RunError(f"'{run.name}' has no checkpoint yet; train it for some seconds first")
        return _Subject(folder, run)
    run = Run(path.parent.parent)
    return _Subject(path, run if (run.path / "run.json").is_file() else None)


def _text(subject: _Subject, spec: str | None, tokenizer: Tokenizer) -> str:
    """The validation text of the run, or all of another text without the characters that the model does not know."""
    if spec is None:
        if subject.run is None:
            raise RunError(f"{subject.folder} lies in no run; name the text to evaluate on with --on")
        record = subject.run.manifest().corpus
        corpus = open_corpus(record.spec)
        if corpus.fingerprint != record.fingerprint:
            raise CorpusError(
                f"the text of '{record.name}' ({record.spec}) has changed since the run was made; put the old text "
                "back, or name a text with --on"
            )
        return corpus.text[split_position(corpus.n_characters, record.validation_fraction) :]
    text, unknown = tokenizer.drop_unknown(open_corpus(spec).text)
    if unknown:
        print(f"{unknown.total():,} characters that the model has never seen are left out", file=sys.stderr)
    return text


class _Progress:
    """Prints how far the evaluation is, a few times a second."""

    def __init__(self) -> None:
        self._printed = 0.0

    def __call__(self, fraction: float) -> None:
        if time.perf_counter() - self._printed >= _PROGRESS_INTERVAL:
            self._printed = time.perf_counter()
            print(json.dumps({"progress": round(fraction, 4)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
