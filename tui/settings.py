"""What the app remembers between two starts: settings.toml in the configuration folder, and the prompt history.

settings.toml may be written by hand. A value that cannot be used is named with its line, and the default is used; a
save writes only what was changed in the app, so comments, order and keys that we do not know stay as they are.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tomllib
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.storage.atomic import write_atomic
from ..data.storage.errors import sentence_of
from ..data.storage.plain_files import read_plain
from ..data.storage.printable import printable
from ..data.storage.typed_json import SchemaError, from_plain
from ..engine import paths
from ..engine.requests import MOST_SAMPLES, SamplingSettings
from ..models.config import described
from .sampling_sets import check_name

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

ReplyEnd = Literal["none", "bell", "title", "both"]

HISTORY_LENGTH = 500
LONGEST_REPLY = 86_400  # seconds
_TABLES = ("sampling", "document_sampling")  # of settings within the settings
_SETS = "sampling_sets"  # a table of such tables
_KEYS = "keys"  # a table by the ids of actions


@dataclass(frozen=True)
class Settings:
    """The person's choices; every field has a default, so an empty file is a good one."""

    theme: str = described("minigpt-dark", "The colours of the app.")
    panels: bool = described(True, "Panels stand beside the text in a wide window.")
    explain: bool = described(False, "The tokens of replies are coloured and explained.")
    sampling: SamplingSettings = described(SamplingSettings(), "How the tokens of replies are drawn.")
    samples: int = described(1, "Replies to one prompt.")
    document_sampling: SamplingSettings = described(  # begins neutral: nothing is cut
        SamplingSettings(temperature=1.0), "How the tokens of a document are drawn."
    )
    document_samples: int = described(1, "Continuations at one place of a document.")
    sampling_sets: dict[str, SamplingSettings] = field(
        default_factory=dict, metadata={"description": "Your own sets of sampling settings, by name."}
    )
    reply_end: ReplyEnd = described(
        "none", "What tells of the end of a long reply: a bell, the window's title, or both."
    )
    reply_end_seconds: float = described(10.0, "Seconds from which on a reply is long.")
    notice_bell: bool = described(True, "The bell tells when a training ends, diverges or stalls.")
    notice_title: bool = described(True, "So does the window's title, until a key is pressed.")
    notice_terminal: bool = described(True, "So does the terminal where it can, unless the system does it.")
    notice_system: bool = described(True, "So does the system of this machine, where it has a desktop.")
    notify: str = described(
        "",
        "A command that is run then, without a shell; the facts are in its environment: MINIGPT_RUN, MINIGPT_EVENT ...",
    )
    ascii: bool = described(False, "Nothing but ASCII is drawn, from the next start on.")
    keys: dict[str, str] = field(default_factory=dict, metadata={"description": "The keys of actions, by their ids."})

    def __post_init__(self) -> None:
        check_samples(self.samples)
        check_samples(self.document_samples)
        if not 0 <= self.reply_end_seconds <= LONGEST_REPLY:
            raise ValueError(
                f"reply_end_seconds must lie between 0 and {LONGEST_REPLY:,}, not {self.reply_end_seconds}"
            )
        check_command(self.notify)


def check_samples(number: int) -> None:
    """Raise ValueError for a number of samples that cannot be."""
    if not 1 <= number <= MOST_SAMPLES:
        raise ValueError(f"samples must lie between 1 and {MOST_SAMPLES}, not {number}")


def check_command(text: str) -> None:
    """Raise ValueError for what cannot be taken apart into a command and its arguments."""
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"notify is no command: {str(error).lower()}") from None


class SettingsStore:
    """The settings in use, which are saved whenever one changes."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self.settings, self.problems = load_settings()

    def change(self, **changes: Any) -> None:
        """Change these fields and save them; where they cannot be saved they hold until the app ends."""
        settings = replace(self.settings, **changes)
        if settings == self.settings:
            return
        self.settings = settings
        try:
            save_settings(settings)
        except OSError as error:
            self._warn(f"The settings cannot be saved: {sentence_of(error)}")


def settings_path() -> Path:
    """Where the settings lie."""
    return paths.config_dir() / "settings.toml"


# --- reading --------------------------------------------------------------------------------------


def load_settings() -> tuple[Settings, list[str]]:
    """The settings, and one sentence for each thing in the file that could not be used, with its line."""
    path = settings_path()
    try:
        text = read_plain(path).decode("utf-8-sig")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return Settings(), []
    except OSError as error:
        return Settings(), [f"{sentence_of(error)}; the defaults are used"]
    except (ValueError, RecursionError) as error:  # also an integer without end, and tables without end in each other
        later = f"the next change of a setting renames it to {path.name}.damaged"
        line = re.search(r" \(at line (\d+)", str(error))
        at = f"{path}:{line[1]}" if line else path
        return Settings(), [f"{at} is no TOML ({error}); the defaults are used, and {later}"]
    found = _Problems(path, text)
    return _read_settings(table, found), found.sentences


def where(*place: str) -> str:
    """The file and the line of a setting in it, such as "settings.toml:12"; of one that is not there, the file."""
    path = settings_path()
    try:
        text = read_plain(path).decode("utf-8-sig")
        tomllib.loads(text)
    except (OSError, ValueError, RecursionError):
        return path.name
    return _Problems(path, text).where(*place)


@dataclass
class _Problems:
    """What of the file could not be used."""

    path: Path
    text: str
    sentences: list[str] = field(default_factory=list)

    def add(self, place: tuple[str, ...], sentence: str) -> None:
        """A sentence about the setting at this place of the tables."""
        shown = f"{self.where(*place)}: {sentence}"
        self.sentences.append(printable(shown, longest=len(shown)))

    def where(self, *place: str) -> str:
        line = next((line for path, line in self._lines.items() if ".".join(path) == ".".join(place)), None)
        return self.path.name if line is None else f"{self.path.name}:{line}"

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        from .toml_lines import lines_of  # which a file without problems does not need

        return lines_of(self.text)


def _read_settings(table: dict[str, Any], problems: _Problems) -> Settings:
    others = {name: value for name, value in table.items() if name not in (*_TABLES, _SETS, _KEYS)}
    settings = Settings()
    for name in _TABLES:
        read = _read_table(getattr(settings, name), table.get(name, {}), (name,), problems)
        settings = replace(settings, **{name: read})
    settings = _read_table(settings, others, (), problems)
    sets, keys = _read_sets(table.get(_SETS, {}), problems), _read_keys(table.get(_KEYS, {}), (), problems)
    return replace(settings, sampling_sets=sets, keys=keys)


def _read_sets(table: Any, problems: _Problems) -> dict[str, SamplingSettings]:
    if not isinstance(table, dict):
        problems.add((_SETS,), f"'{_SETS}' must be a table of tables; it is ignored")
        return {}
    sets = dict[str, SamplingSettings]()
    for name, values in table.items():
        try:
            check_name(name)
        except ValueError as error:
            problems.add((_SETS, name), f"'{_SETS}.{name}' cannot be used ({error}); it is ignored")
            continue
        sets[name] = _read_table(SamplingSettings(), values, (_SETS, name), problems)
    return sets


def _read_keys(table: Any, place: tuple[str, ...], problems: _Problems) -> dict[str, str]:
    """The keys by the ids of actions, which have dots: `"run.new" = "f10"`, or as TOML reads it without the quotes."""
    if isinstance(table, str) and place:
        return {".".join(place): table}
    if not isinstance(table, dict):
        name = ".".join((_KEYS, *place))
        what = 'the names of keys, such as "ctrl+e, f5"' if place else "a table"
        problems.add((_KEYS, *place), f"'{name}' must be {what}; it is ignored")
        return {}
    keys = dict[str, str]()
    for name, value in table.items():
        keys |= _read_keys(value, (*place, name), problems)
    return keys


def _read_table(default: Any, table: Any, place: tuple[str, ...], problems: _Problems) -> Any:
    """`default` with the values of `table` that fit, one at a time."""
    if not isinstance(table, dict):
        problems.add(place, f"'{'.'.join(place)}' must be a table; its defaults are used")
        return default
    known, value = {field.name for field in fields(default)}, default
    for key, raw in table.items():
        name = ".".join((*place, key))
        if key not in known:
            problems.add((*place, key), f"there is no setting '{name}'; it is ignored")
            continue
        try:
            checked = getattr(from_plain(type(default), {key: raw}, "settings"), key)
            value = replace(value, **{key: checked})
        except (SchemaError, ValueError) as error:
            reason = str(error).partition(": ")[2] if isinstance(error, SchemaError) else error
            problems.add((*place, key), f"'{name}' cannot be used ({reason}); the default stays")
    return value


# --- writing --------------------------------------------------------------------------------------


def save_settings(settings: Settings) -> None:
    """Write what differs from the file into it. Raises OSError with the old file untouched.

    A file that is no TOML is kept beside it as settings.toml.damaged.
    """
    import tomlkit  # slow to import, and no start needs it

    path = settings_path()
    document = _read_document(path)
    plain_before, plain = asdict(_read_settings(document.unwrap(), _Problems(path, ""))), asdict(settings)
    sets_before, sets = plain_before.pop(_SETS), plain.pop(_SETS)
    keys_before, keys = plain_before.pop(_KEYS), plain.pop(_KEYS)
    _write_changes(document, plain_before, plain)
    _write_sets(document, sets_before, sets)
    _write_keys(document, keys_before, keys)
    write_atomic(path, tomlkit.dumps(document))


def _read_document(path: Path) -> TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(read_plain(path).decode("utf-8-sig"))
    except FileNotFoundError:
        pass
    except (ValueError, RecursionError, TOMLKitError):
        path.rename(_free_name(path.with_name(f"{path.name}.damaged")))
    return tomlkit.document()


def _free_name(path: Path) -> Path:
    """`path`, or the first of path-2, path-3, ... that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _write_changes(table: MutableMapping[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Write into `table` the fields of `after` that differ from `before`, those of inner tables as well."""
    for name, value in after.items():
        if value == before[name]:
            continue
        if isinstance(value, dict):
            if not isinstance(table.get(name), MutableMapping):
                table[name] = {}
            _write_changes(table[name], before[name], value)
        elif value is None:  # TOML has no null: a setting without a value is not there
            table.pop(name, None)
        else:
            table[name] = list(value) if isinstance(value, tuple) else value


def _write_sets(document: TOMLDocument, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Write the sets that differ, take those out that are no more."""
    if before == after:
        return
    if not isinstance(document.get(_SETS), MutableMapping):
        document[_SETS] = {}
    table = document[_SETS]
    for name in before.keys() - after.keys():
        table.pop(name, None)
    for name, values in after.items():
        if name not in table:
            table[name] = {}
        _write_changes(table[name], before.get(name, asdict(SamplingSettings())), values)


def _write_keys(document: TOMLDocument, before: dict[str, str], after: dict[str, str]) -> None:
    """Write the keys that differ, each where the file has it, and take out those that are the usual ones again."""
    if before == after:
        return
    if not isinstance(document.get(_KEYS), MutableMapping):
        document[_KEYS] = {}
    for name in before.keys() - after.keys():
        table, key = _place_of_key(document[_KEYS], name)
        table.pop(key, None)
    for name, keys in after.items():
        if keys != before.get(name):
            table, key = _place_of_key(document[_KEYS], name)
            table[key] = keys


def _place_of_key(table: MutableMapping[str, Any], name: str) -> tuple[MutableMapping[str, Any], str]:
    """The table, and the key in it, of an action's keys; `"run.new"` where the file has none yet."""
    first, _, rest = name.partition(".")
    if name not in table and rest and isinstance(inner := table.get(first), MutableMapping) and rest in inner:
        return inner, rest
    return table, name


# --- the prompt history ---------------------------------------------------------------------------


def load_history() -> list[str]:
    """The prompts of earlier days, the oldest first; damaged lines are left out."""
    try:
        lines = read_plain(_history_path()).splitlines()
    except OSError:
        return []
    prompts: list[str] = []
    for line in lines[-HISTORY_LENGTH:]:
        with contextlib.suppress(ValueError, RecursionError):
            prompt = json.loads(line)
            if isinstance(prompt, str):
                prompt.encode()  # half a surrogate pair could not be drawn
                prompts.append(prompt)
    return prompts


def save_history(prompts: list[str]) -> None:
    """Write the newest prompts, one JSON string a line. Raises OSError with the old file untouched."""
    lines = "".join(json.dumps(prompt) + "\n" for prompt in prompts[-HISTORY_LENGTH:])
    write_atomic(_history_path(), lines, private=True)


def _history_path() -> Path:
    return paths.state_dir() / "history.jsonl"
