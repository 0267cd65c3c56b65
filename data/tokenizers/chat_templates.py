"""The templates of a conversation that a foreign model's files bring: Jinja, each with a name, one called "default"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..storage.plain_files import open_plain

FILE = "chat_template.jinja"
FOLDER = "additional_chat_templates"  # NAME.jinja each
_MAX_SIZE = 1 << 20  # bytes; the largest published one has some ten thousand
_MAX_TEMPLATES = 32


def chat_templates(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, str]:
    """Each template by its name. Files come before the setting, as in transformers."""
    found = {
        ("default" if name == FILE else Path(name).stem): content.decode("utf-8-sig", "replace")
        for name, content in files.items()
        if name == FILE or name.startswith(FOLDER + "/")
    }
    value = settings.get("chat_template")
    if found:
        return found
    if isinstance(value, str):
        return {"default": value}
    listed = [some for some in value if isinstance(some, dict)] if isinstance(value, list) else []
    named = ((some.get("name"), some.get("template")) for some in listed[:_MAX_TEMPLATES])
    return {name: text for name, text in named if isinstance(name, str) and isinstance(text, str)}


def file_name(name: str) -> str | None:
    """The file, within a model's folder, of the template with that name; None for a name that is no file's."""
    if name == "default":
        return FILE
    return f"{FOLDER}/{name}.jinja" if re.fullmatch(r"[A-Za-z0-9][\w.-]{0,60}", name, re.ASCII) else None


def further_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of templates in a folder of their own; what is no plain file of the model, or absurd, is left out."""
    home = folder.resolve()
    home = home.parent.parent if home.parent.name == "snapshots" else home  # Hugging Face's cache links to its blobs
    try:
        for path in sorted((folder / FOLDER).glob("*.jinja"))[:_MAX_TEMPLATES]:
            if path.resolve().is_relative_to(home) and path.is_file():
                with open_plain(path) as file:
                    if len(content := file.read(_MAX_SIZE + 1)) <= _MAX_SIZE:
                        yield f"{FOLDER}/{path.name}", content
    except (OSError, RuntimeError):
        return
