"""The command `minigpt-tui`: the app without a verb, the same engine without a screen with one.

Data goes to standard output, everything else to standard error. Exit codes: 0 done, 1 the run or the engine failed,
2 the request cannot be carried out as it was given, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import printable
from .streams import READER_GONE, take_any_text, written_out

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\
without a verb the app opens; with a file or folder it offers to train on that text:
  minigpt-tui
  minigpt-tui my-novel.txt
and with open it begins with a model:
  minigpt-tui open ~/models/gpt2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    take_any_text()
    try:
        with written_out():
            return _carry_out(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return READER_GONE
    except EXPECTED as error:
        return complain(sentence_of(error))


def _carry_out(words: list[str]) -> int:
    parser = build_parser()
    corpus: str | None = None
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        if len(words) > 1:
            parser.error(f"'{words[0]}' is not a verb; verbs are: {', '.join(VERBS)}")
        corpus, words = words[0], []
    arguments = parser.parse_args(words)
    return _open_app(corpus) if arguments.verb is None else VERBS[arguments.verb](arguments)


def complain(sentence: str, code: int = USAGE) -> int:
    """Say what is wrong on standard error, in one line that no terminal obeys, and return the exit code."""
    shown = printable(sentence, longest=len(sentence))
    with contextlib.suppress(BrokenPipeError), written_out():  # that nobody reads it makes it no other failure
        print(f"minigpt-tui: {shown}", file=sys.stderr)
    return code


_MODEL = "a run, a checkpoint, a Hugging Face folder, or nanoGPT's ckpt.pt"


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="minigpt-tui",
        description="A workbench for small GPTs that lives in a terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"minigpt-tui {importlib.metadata.version('minigpt-tui')}"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    _open_parser(verbs.add_parser("open", help="open the app with a model"))
    _train_parser(verbs.add_parser("train", help="train a new run on a corpus"))
    _resume_parser(verbs.add_parser("resume", help="go on with a run that stopped"))
    _stop_parser(verbs.add_parser("stop", help="stop a run that trains, and save it"))
    _generate_parser(verbs.add_parser("generate", help="continue a prompt"))
    _score_parser(verbs.add_parser("score", help="how likely a model finds a text"))
    _evaluate_parser(verbs.add_parser("evaluate", help="loss, perplexity and bits per byte of a run"))
    _export_parser(verbs.add_parser("export", help="a model as a file for llama.cpp, or as a Hugging Face folder"))
    _bench_parser(verbs.add_parser("bench", help="measure this machine, beside other programs where they are there"))
    for verb, text in (
        ("runs", "list the runs"),
        ("presets", "list the recipes known by name"),
        ("corpora", "list the corpora known by name"),
        ("paths", "say where things lie on disk"),
    ):
        _json_option(verbs.add_parser(verb, help=text))
    return parser


def _open_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = "Open the app with a model in the chat."
    parser.add_argument("model", help=_MODEL)


def _train_parser(parser: argparse.ArgumentParser) -> None:
    from ...models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS
    from ...models.recipe import Budget
    from .options import add_recipe_options

    parser.usage = "minigpt-tui train [options] CORPUS"  # there are a hundred; the help lists them
    parser.description = "Train a new run. The training outlives this command; Ctrl-C stops and saves it."
    parser.add_argument("corpus", help="a name (see corpora), a file, a folder, or - for standard input")
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        metavar="PRESET",
        help=f"the recipe: see the verb presets (default {DEFAULT_PRESET}, or {FINE_TUNING.name} with --from)",
    )
    parser.add_argument(
        "--from", dest="start_from", metavar="MODEL", help=f"train this model further instead of new weights: {_MODEL}"
    )
    parser.add_argument("--name", help="the run's name (default: the corpus and a number)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--budget", type=_argument(Budget.parse), help="'2000 steps', '5 minutes' or '2 epochs'")
    budget.add_argument(
        "--steps", dest="budget", type=_argument(lambda text: Budget(_number(text), "steps")), metavar="N"
    )
    budget.add_argument(
        "--minutes", dest="budget", type=_argument(lambda text: Budget(_number(text), "minutes")), metavar="X"
    )
    parser.add_argument("--detach", action="store_true", help="start it, print its name, and return")
    parser.add_argument("--json", action="store_true", help="print the run's events as lines of JSON")
    add_recipe_options(parser)


def _resume_parser(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)
    parser.add_argument(
        "--devices", type=int, metavar="N", help="train with N processes this time (default: as the run was begun)"
    )
    parser.add_argument(
        "--budget",
        type=_argument(_budget_text),
        help="the whole run's budget from here on, as '5 minutes'; also of a run that trains or has finished",
    )
    parser.add_argument("--detach", action="store_true", help="start it and return")
    parser.add_argument("--json", action="store_true", help="print the run's events as lines of JSON")


def _stop_parser(parser: argparse.ArgumentParser) -> None:
    _run_argument(parser)


def _generate_parser(parser: argparse.ArgumentParser) -> None:
    from .options import add_sampling_options

    parser.description = "Continue a prompt; the text streams to standard output."
    _run_argument(parser, f"{_MODEL}; the newest run where none is named")
    parser.add_argument("--prompt", help="the text to continue (default: standard input where it is not a terminal)")
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="how many texts to write at once")
    parser.add_argument("--echo", action="store_true", help="print the prompt before its continuation")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the text")
    parser.add_argument("--explain", action="store_true", help=f"with --json: {_EXPLAINED}")
    add_sampling_options(parser)
    _machine_options(parser)


_EXPLAINED = "each token's probability, rank, entropy and likeliest alternatives"


def _score_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "How likely a model finds a text: loss, perplexity and bits per byte. Each token is predicted from those "
        "before it, of which it sees at least three quarters of the context length."
    )
    _run_argument(parser, f"{_MODEL}; the newest run where none is named")
    text = parser.add_mutually_exclusive_group()
    text.add_argument("file", nargs="?", help="a text file (default: standard input)")
    text.add_argument("--text", help="the text itself")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--explain", action="store_true", help=f"also print {_EXPLAINED}")
    _machine_options(parser)


def _machine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, default=0, metavar="N")
    _quantize_option(parser)


def _evaluate_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = "Average negative log-likelihood on held-out text."
    _run_argument(parser, f"{_MODEL}; the newest run where none is named")
    parser.add_argument("--on", metavar="CORPUS", help="another text (all of it) instead of the run's validation split")
    parser.add_argument("--protocol", choices=("full", "random", "sliding"), default="full")
    parser.add_argument(
        "--context-length", type=int, metavar="N", help="windows of N tokens (default: as long as the model's context)"
    )
    _quantize_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _export_parser(parser: argparse.ArgumentParser) -> None:
    from .export import add_export_options

    add_export_options(parser)


def _bench_parser(parser: argparse.ArgumentParser) -> None:
    from ...engine.bench.options import add_bench_options

    add_bench_options(parser)


def _quantize_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quantize",
        choices=("none", "int8"),
        default="none",
        help="round the weights: faster on a CPU, a little worse",
    )


def _run_argument(parser: argparse.ArgumentParser, text: str = "the run; the newest where none is named") -> None:
    parser.add_argument("run", nargs="?", help=text)


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _budget_text(text: str) -> str:
    from ...models.recipe import Budget

    Budget.parse(text)
    return text


def _argument(read: Callable[[str], object]) -> Callable[[str], object]:
    """Let argparse show the sentence of a ValueError instead of its own."""

    def convert(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None


def _open_app(corpus: str | None) -> int:
    from ..app import run_app

    if corpus is None:
        return run_app()
    from ...data.corpus import normalise

    corpus = normalise(corpus)
    if os.path.isabs(corpus) and not os.path.lexists(corpus):
        return complain(f"there is no verb and no file called '{corpus}'; verbs are: {', '.join(VERBS)}")
    return run_app(model_path=corpus) if _may_be_model(corpus) else run_app(corpus)


def _may_be_model(path: str) -> bool:
    """Whether the app should offer to open what lies there instead of learning from it."""
    if not (os.path.isdir(path) or path.endswith(".pt")):
        return False
    from ..found_models import look_up

    try:
        look_up(path)
    except EXPECTED:
        return path.endswith(".pt")  # the app says what is wrong with it; it is no text in any case
    return True


def _open(arguments: argparse.Namespace) -> int:
    from ..app import run_app
    from ..found_models import look_up

    return run_app(model=look_up(arguments.model))


def _train(arguments: argparse.Namespace) -> int:
    from .train import train

    return train(arguments)


def _resume(arguments: argparse.Namespace) -> int:
    from .train import resume

    return resume(arguments)


def _stop(arguments: argparse.Namespace) -> int:
    from .train import stop

    return stop(arguments)


def _generate(arguments: argparse.Namespace) -> int:
    from .generate import generate

    return generate(arguments)


def _score(arguments: argparse.Namespace) -> int:
    from .score import score

    return score(arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from .generate import evaluate

    return evaluate(arguments)


def _export(arguments: argparse.Namespace) -> int:
    from .export import export

    return export(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    from ...engine.bench.command import run

    return run(arguments)


def _runs(arguments: argparse.Namespace) -> int:
    from .listings import list_runs

    return list_runs(arguments.json)


def _presets(arguments: argparse.Namespace) -> int:
    from .listings import list_presets

    return list_presets(arguments.json)


def _corpora(arguments: argparse.Namespace) -> int:
    from .listings import list_corpora

    return list_corpora(arguments.json)


def _paths(arguments: argparse.Namespace) -> int:
    from .listings import list_paths

    return list_paths(arguments.json)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "open": _open,
    "train": _train,
    "resume": _resume,
    "stop": _stop,
    "generate": _generate,
    "score": _score,
    "evaluate": _evaluate,
    "export": _export,
    "bench": _bench,
    "runs": _runs,
    "presets": _presets,
    "corpora": _corpora,
    "paths": _paths,
}

if __name__ == "__main__":
    sys.exit(main())
