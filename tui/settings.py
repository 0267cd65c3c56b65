"""What the app remembers between two starts: settings.toml in the configuration folder, and the prompt history.

Read with care (an unknown key warns, a bad value falls back and says so), written whole.
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..data.storage.atomic import write_atomic
from ..data.storage.typed_json import SchemaError, from_plain
from ..engine import paths
from ..engine.requests import MOST_SAMPLES, SamplingSettings

HISTORY_LENGTH = 500


@dataclass(frozen=True)
class Settings:
    """The person's choices; every field has a default, so an empty file is a good one."""

    theme: str = "minigpt-dark"
    panels: bool = True  # whether the panels stand beside the transcript in a wide window
    explain: bool = False  # whether the tokens of replies are explained
    sampling: SamplingSettings = SamplingSettings()
    samples: int = 1  # replies to one prompt

    def __post_init__(self) -> None:
        check_samples(self.samples)


def check_samples(number: int) -> None:
    """Raise ValueError for a number of samples that cannot be."""
    if not 1 <= number <= MOST_SAMPLES:
        raise ValueError(f"samples must lie between 1 and {MOST_SAMPLES}, not {number}")


def settings_path() -> Path:
    """Where the settings lie."""
    return paths.config_dir() / "settings.toml"


def load_settings() -> tuple[Settings, list[str]]:
    """The settings, and one sentence for each thing in the file that could not be used."""
    path = settings_path()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings(), []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Settings(), [f"{path} cannot be read ({error}); the defaults are used"]
    sampling, notices = _read(SamplingSettings(), table.pop("sampling", {}), "sampling.", path)
    settings, more = _read(Settings(sampling=sampling), table, "", path)
    return settings, notices + more


def save_settings(settings: Settings) -> None:
    """Write the settings. Raises OSError with the old file untouched."""
    plain = asdict(settings)
    sampling = plain.pop("sampling")
    lines = [*_lines(plain), "", "[sampling]", *_lines(sampling)]
    write_atomic(settings_path(), "\n".join(lines) + "\n")


def load_history() -> list[str]:
    """The prompts of earlier days, the oldest first; damaged lines are left out."""
    try:
        lines = _history_path().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    prompts: list[str] = []
    for line in lines[-HISTORY_LENGTH:]:
        with contextlib.suppress(ValueError):
            prompt = json.loads(line)
            if isinstance(prompt, str):
                prompts.append(prompt)
    return prompts


def save_history(prompts: list[str]) -> None:
    """Write the newest prompts, one JSON string a line. Raises OSError with the old file untouched."""
    write_atomic(_history_path(), "".join(json.dumps(prompt) + "\n" for prompt in prompts[-HISTORY_LENGTH:]))


def _history_path() -> Path:
    return paths.state_dir() / "history.jsonl"


def _read(default: Any, table: Any, prefix: str, path: Path) -> tuple[Any, list[str]]:
    """`default` with the values of `table` that fit, one at a time, and a sentence for each that does not."""
    if not isinstance(table, dict):
        return default, [f"{path}: '{prefix.rstrip('.')}' must be a table; its defaults are used"]
    known, notices, value = {field.name for field in fields(default)}, [], default
    for name, raw in table.items():
        if name not in known:
            notices.append(f"{path}: there is no setting '{prefix}{name}'; it is ignored")
            continue
        try:
            checked = getattr(from_plain(type(default), {name: raw}, "settings"), name)
            value = replace(value, **{name: checked})
        except (SchemaError, ValueError) as error:
            notices.append(f"{path}: '{prefix}{name}' cannot be used ({error}); the default stays")
    return value, notices


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in table.items() if value is not None]


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # JSON's string escapes are TOML's, except that TOML wants U+007F escaped as well
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "true" if value is True else "false" if value is False else repr(value)
