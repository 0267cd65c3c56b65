"""The options of generate with which a person speaks with the speakers of a text, and the prompt that they make."""

from __future__ import annotations

import argparse

from ...data.speakers.finding import Speakers
from ...data.speakers.form import LONGEST_NAME, Speech, SpeechForm
from ...data.storage.errors import UserError
from ...engine.model_files import find_model
from ...engine.run_about import find_run
from ...engine.speakers import speakers_of
from .exit_codes import complain


def add_speaking_options(parser: argparse.ArgumentParser) -> None:
    """`--you` and `--answer`."""
    group = parser.add_argument_group(
        "speaking with the speakers of a play, a dialogue or a chat log that a run has learned from",
        "the prompt becomes a speech in the text's own form, and the reply is one; "
        "who is not named is whoever speaks most; minigpt-tui speakers lists them",
    )
    group.add_argument("--you", metavar="NAME", help="who says the prompt")
    group.add_argument("--answer", metavar="NAME", help="who answers")


def framed_speech(arguments: argparse.Namespace, prompt: str) -> tuple[str, SpeechForm]:
    """The prompt as `--you` says it, up to the first word of `--answer`; and the form of the reply.

    Raises UserError where the model's text is unknown, or nobody speaks in it.
    """
    found = _speakers(arguments.run)
    you, answer = (_name(found, typed) for typed in (arguments.you, arguments.answer))
    others = [name for name in found.names if name not in (you, answer)]
    answer = answer or others[0]
    you = you or next(name for name in found.names if name != answer)
    said = [Speech(you, prompt)] if prompt.strip() else []
    return found.form.frame(said, answer), found.form


def _speakers(model: str | None) -> Speakers:
    run = find_run() if model is None else find_model(model).run
    if run is None:
        raise UserError(
            f"nobody knows which text {model} has learned from, and who speaks in it; write the speaker's name "
            "at the end of --prompt, and with --stop how the next one begins"
        )
    from .console import progress  # rich, which no other use of generate needs

    with progress("reading the text") as update:
        found = speakers_of(run, lambda done: update(done, ""))
    if found is None:
        raise UserError(f"nobody speaks in the text of '{run.name}'; leave out --you and --answer")
    return found


def _name(found: Speakers, typed: str | None) -> str | None:
    """The name as the text spells it; what is not in the text is said, and taken as it is."""
    if typed is None:
        return None
    if known := found.spelled(typed):
        return known
    name, some = " ".join(typed.split()), ", ".join(found.names[:8])
    if not name or len(name) > LONGEST_NAME:
        raise UserError(f"a speaker's name has 1 to {LONGEST_NAME} characters; the text has {some}")
    complain(f"nobody called {name} speaks in the text, so the model has not learned how; it has {some}")
    return name
