"""What the app remembers between two starts: settings.toml in the configuration folder, and the prompt history.

settings.toml may be written by hand. A value that cannot be used is named, and the default is used instead; a save
writes only what was changed in the app, so comments, order and keys that we do not know stay as they are.
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.storage.atomic import write_atomic
from ..data.storage.errors import sentence_of
from ..data.storage.plain_files import read_plain
from ..data.storage.typed_json import SchemaError, from_plain
from ..engine import paths
from ..engine.requests import MOST_SAMPLES, SamplingSettings
from .sampling_sets import check_name

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

HISTORY_LENGTH = 500
_TABLES = ("sampling", "document_sampling")  # of settings within the settings
_SETS = "sampling_sets"  # a table of such tables


@dataclass(frozen=True)
class Settings:
    """The person's choices; every field has a default, so an empty file is a good one."""

    theme: str = "minigpt-dark"
    panels: bool = True  # whether the panels stand beside the transcript in a wide window
    explain: bool = False  # whether the tokens of replies are explained
    sampling: SamplingSettings = SamplingSettings()
    samples: int = 1  # replies to one prompt
    document_sampling: SamplingSettings = SamplingSettings(temperature=1.0)  # begins neutral: nothing is cut
    document_samples: int = 1  # continuations at one place
    sampling_sets: dict[str, SamplingSettings] = field(default_factory=dict)  # the person's own, by name

    def __post_init__(self) -> None:
        check_samples(self.samples)
        check_samples(self.document_samples)


def check_samples(number: int) -> None:
    """Raise ValueError for a number of samples that cannot be."""
    if not 1 <= number <= MOST_SAMPLES:
        raise ValueError(f"samples must lie between 1 and {MOST_SAMPLES}, not {number}")


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
    """The settings, and one sentence for each thing in the file that could not be used."""
    path = settings_path()
    try:
        table = tomllib.loads(read_plain(path).decode("utf-8-sig"))
    except FileNotFoundError:
        return Settings(), []
    except OSError as error:
        return Settings(), [f"{sentence_of(error)}; the defaults are used"]
    except (ValueError, RecursionError) as error:  # also an integer without end, and tables without end in each other
        later = f"the next change of a setting renames it to {path.name}.damaged"
        return Settings(), [f"{path} is no TOML ({error}); the defaults are used, and {later}"]
    return _read_settings(table, path)


def _read_settings(table: dict[str, Any], path: Path) -> tuple[Settings, list[str]]:
    others = {name: value for name, value in table.items() if name not in (*_TABLES, _SETS)}
    settings, problems = Settings(), list[str]()
    for name in _TABLES:
        value, found = _read_table(getattr(settings, name), table.get(name, {}), f"{name}.", path)
        settings, problems = replace(settings, **{name: value}), problems + found
    settings, found = _read_table(settings, others, "", path)
    sets, bad_sets = _read_sets(table.get(_SETS, {}), path)
    return replace(settings, sampling_sets=sets), problems + found + bad_sets


def _read_sets(table: Any, path: Path) -> tuple[dict[str, SamplingSettings], list[str]]:
    if not isinstance(table, dict):
        return {}, [f"{path}: '{_SETS}' must be a table of tables; it is ignored"]
    sets, problems = dict[str, SamplingSettings](), list[str]()
    for name, values in table.items():
        try:
            check_name(name)
        except ValueError as error:
            problems.append(f"{path}: '{_SETS}.{name}' cannot be used ({error}); it is ignored")
            continue
        sets[name], found = _read_table(SamplingSettings(), values, f"{_SETS}.{name}.", path)
        problems += found
    return sets, problems


def _read_table(default: Any, table: Any, prefix: str, path: Path) -> tuple[Any, list[str]]:
    """`default` with the values of `table` that fit, one at a time, and a sentence for each that does not."""
    if not isinstance(table, dict):
        return default, [f"{path}: '{prefix.rstrip('.')}' must be a table; its defaults are used"]
    known, problems, value = {field.name for field in fields(default)}, [], default
    for name, raw in table.items():
        if name not in known:
            problems.append(f"{path}: there is no setting '{prefix}{name}'; it is ignored")
            continue
        try:
            checked = getattr(from_plain(type(default), {name: raw}, "settings"), name)
            value = replace(value, **{name: checked})
        except (SchemaError, ValueError) as error:
            problems.append(f"{path}: '{prefix}{name}' cannot be used ({error}); the default stays")
    return value, problems


# --- writing --------------------------------------------------------------------------------------


def save_settings(settings: Settings) -> None:
    """Write what differs from the file into it. Raises OSError with the old file untouched.

    A file that is no TOML is kept beside it as settings.toml.damaged.
    """
    import tomlkit  # slow to import, and no start needs it

    path = settings_path()
    document = _read_document(path)
    before, _ = _read_settings(document.unwrap(), path)
    plain_before, plain = asdict(before), asdict(settings)
    sets_before, sets = plain_before.pop(_SETS), plain.pop(_SETS)
    _write_changes(document, plain_before, plain)
    _write_sets(document, sets_before, sets)
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
