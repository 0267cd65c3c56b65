"""What can be typed in a conversation without a screen beside prompts: commands that begin with a slash."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ...data.storage.errors import UserError
from ...data.storage.printable import printable, visible, visible_lines
from ...engine.events import Command as RunCommand
from ...engine.runs import Run, run_to_open
from ..found_models import look_up
from ..plain_conversation import Listener, PlainConversation
from ..sampling_sets import BUILT_IN, applied, name_of
from ..setting_fields import SettingField, fields_at
from ..settings import Settings, SettingsStore
from ..text import formatting

_LISTED = 20  # sessions
_RunCommand = Literal["pause", "resume", "save", "stop"]


@dataclass
class Asked:
    """A command that was typed, and what it acts on."""

    words: str
    conversation: PlainConversation
    store: SettingsStore
    listen: Listener


@dataclass(frozen=True)
class Command:
    """A command: what is typed behind its name, what it does, and the function that does it."""

    arguments: str
    help: str
    act: Callable[[Asked], Awaitable[None]]


async def carry_out(line: str, conversation: PlainConversation, store: SettingsStore, listen: Listener) -> bool:
    """Carry out a line that begins with a slash; False where it ends the conversation. Raises UserError, OSError."""
    name, _, words = line[1:].strip().partition(" ")
    if name in ("quit", "exit"):
        return False
    if name not in COMMANDS:
        raise UserError(f"there is no command /{name}; /help lists them, and a prompt that begins so is typed as //")
    await COMMANDS[name].act(Asked(words.strip(), conversation, store, listen))
    return True


def _say(text: str) -> None:
    print(visible_lines(text), flush=True)


# --- help, settings -------------------------------------------------------------------------------


async def _help(asked: Asked) -> None:
    rows = [(f"/{name} {command.arguments}".rstrip(), command.help) for name, command in COMMANDS.items()]
    rows.append(("/quit", "Leave; Ctrl-D does so as well."))
    width = max(len(usage) for usage, _ in rows)
    _say(
        "A line is a prompt, which the model continues; an empty one lets it begin from nothing.\n"
        "A line that ends with \\ goes on in the next one; with \\\\ it ends with one. Ctrl-C stops the reply.\n"
        "A prompt that begins with / is typed with //.\n"
    )
    for usage, words in rows:
        _say(f"{usage:<{width}}  {words}")


def _fields() -> dict[str, SettingField]:
    samples = [field for field in fields_at(Settings()) if field.name == "samples"]
    return {field.name: field for field in (*samples, *fields_at(Settings().sampling, "sampling"))}


async def _set(asked: Asked) -> None:
    settings, fields = asked.store.settings, _fields()
    name, _, value = asked.words.partition(" ")
    sets = BUILT_IN | settings.sampling_sets
    if not name:
        for field in fields.values():
            _say(f"{field.name} {field.text(field.value_in(settings)) or 'none'}")
        _say(f"set {name_of(settings.sampling, settings.sampling_sets) or 'none'}, of {', '.join(sets)}")
    elif asked.words in sets:
        asked.store.change(sampling=applied(sets[asked.words], settings.sampling))
        _say(f"set {asked.words}")
    elif name not in fields:
        raise UserError(f"there is no setting and no set '{printable(asked.words)}'; /set lists them")
    elif not value:
        field = fields[name]
        _say(f"{name} {field.text(field.value_in(settings)) or 'none'}. {field.what}")
    else:
        field = fields[name]
        try:
            changed = field.changed(settings, field.read("" if value.strip() == "none" else value))
        except ValueError as error:
            raise UserError(str(error)) from error
        asked.store.change(sampling=changed.sampling, samples=changed.samples)
        _say(f"{name} {field.text(field.value_in(changed)) or 'none'}")


# --- replies, sessions ----------------------------------------------------------------------------


async def _retry(asked: Asked) -> None:
    await asked.conversation.retry(asked.listen)


async def _new(asked: Asked) -> None:
    way = asked.words or asked.conversation.way
    if way not in ("turns", "chat"):
        raise UserError(f"a session is written in turns or as a chat, not as '{printable(way)}'")
    asked.conversation.begin(way)
    _say(f"a new session, {'a chat' if way == 'chat' else 'in turns'}")


async def _sessions(asked: Asked) -> None:
    store = asked.conversation.session.store
    sessions = store.sessions()[:_LISTED] if store else []
    for session in sessions:
        here = ", this one" if session.id == asked.conversation.session.id else ""
        _say(f"{session.id} {visible(session.title)} ({session.way}{here})")
    if not sessions:
        _say("no sessions yet")


async def _open(asked: Asked) -> None:
    if not asked.words.isdecimal():
        raise UserError("a session is opened by its number, such as /open 3; /sessions lists them")
    if not asked.conversation.go_on_with(int(asked.words)):
        raise UserError(f"session {asked.words} is open in another window; close it there")
    _say(f"session {asked.words} goes on")


# --- models ---------------------------------------------------------------------------------------


def model_words(conversation: PlainConversation) -> str:
    """The model that answers: its name, size, and how far it was trained."""
    found, loaded = conversation.found, conversation.loaded
    if found is None:
        return "no model"
    step = f", step {loaded.step:,}" if loaded and loaded.step else ""
    name = found.file.run.name if found.file.run else found.file.name
    return f"{visible(name)}, {formatting.parameters(found.parameters)} parameters{step}"


async def _model(asked: Asked) -> None:
    if asked.words:
        await asked.conversation.open(look_up(asked.words))
    _say(model_words(asked.conversation))


async def _train(asked: Asked) -> None:
    run = asked.conversation.run or run_to_open()
    if run is None:
        raise UserError("no run is on screen; train one with: minigpt-tui train tales")
    if asked.words in ("", "status"):
        _say(_status_of(run))
        return
    name = next((name for name in get_args(_RunCommand) if name == asked.words), None)
    if name is None:
        raise UserError(f"a training is asked to {', '.join(get_args(_RunCommand))}, not to '{printable(asked.words)}'")
    if not run.is_alive():
        raise UserError(f"'{run.name}' is not training: it is {run.state()}")
    run.send(RunCommand(name, time=time.time()))
    _say(f"'{run.name}' is asked to {name}")


def _status_of(run: Run) -> str:
    status, state = run.status(), run.shown_state()
    if status is None:
        return f"'{run.name}' is {state}"
    of = f" of {status.total_steps:,}" if status.total_steps else ""
    loss = f", validation loss {formatting.loss(status.validation_loss)}" if status.validation_loss is not None else ""
    return f"'{run.name}' is {state}: step {status.step:,}{of}{loss}"


COMMANDS: dict[str, Command] = {
    "help": Command("", "What can be typed.", _help),
    "set": Command("[NAME [VALUE]]", "List the settings; say what one is; change it, or take a set by its name.", _set),
    "retry": Command("", "Have another reply to the last prompt written; the first is kept.", _retry),
    "new": Command("[turns|chat]", "Begin another session; this one is kept.", _new),
    "sessions": Command("", "List the sessions, the newest first.", _sessions),
    "open": Command("NUMBER", "Go on with a session.", _open),
    "model": Command("[NAME]", "Say which model answers, or let another one.", _model),
    "train": Command("[status|pause|resume|save|stop]", "How far the training is, or ask it for something.", _train),
}
