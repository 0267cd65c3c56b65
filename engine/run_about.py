"""about.json: what people say of a run, and the runs that they mean by a name.

The train process never touches it; any app or command replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..data.storage.atomic import write_atomic
from ..data.storage.plain_files import read_plain
from ..data.storage.typed_json import SchemaError, dumps, loads
from ..data.typed_path import typed_path
from .runs import Run, RunError, check_name, list_runs

LONGEST_TAG = 32  # characters


@dataclass(frozen=True)
class About:
    """What a person has given a run; the folder keeps its own name.

    Raises RunError for a name that no run could have, and for a tag that could not be typed as a word.
    """

    name: str = ""  # by which it is shown and found; nothing for its folder's
    tags: tuple[str, ...] = ()
    note: str = ""
    group: str = ""  # of the runs that belong together

    def __post_init__(self) -> None:
        if self.name:
            check_name(self.name)
        for tag in self.tags:
            if (
                not tag
                or len(tag) > LONGEST_TAG
                or not tag.isprintable()
                or any(map(str.isspace, tag))
                or tag[0] == "#"
            ):
                raise RunError(
                    f"'{tag}' cannot be a tag: one word of at most {LONGEST_TAG} characters, without the # before it"
                )


def about(run: Run) -> About:
    """What is said of a run; nothing where its about.json is missing or cannot be read."""
    try:
        return loads(About, read_plain(run.path / "about.json", follow_links=False))
    except (OSError, SchemaError, RunError):
        return About()


def change_about(run: Run, **changes: Any) -> About:
    """Say something else of a run and return all that is said of it. Raises RunError, and OSError."""
    changed = replace(about(run), **changes)
    if changed.tags:
        changed = replace(changed, tags=tuple(dict.fromkeys(changed.tags)))
    write_atomic(run.path / "about.json", dumps(changed, indent=2) + "\n")
    return changed


def rename_run(run: Run, name: str) -> About:
    """Give a run another name to be shown and found by. Raises RunError where a run has it already, and OSError."""
    other = named_run(name) if name else None
    if other is not None and other != run:
        raise RunError(f"there is already a run called '{name}'; choose another name")
    return change_about(run, name="" if name == run.name else name)


def tags_of(words: str | Iterable[str]) -> tuple[str, ...]:
    """The tags that a person types: words, with or without the # before them."""
    return tuple(word.removeprefix("#") for word in (words.split() if isinstance(words, str) else words))


def shown_name(run: Run) -> str:
    """The name that a person gave it, else that of its folder."""
    return about(run).name or run.name


def named_run(name: str) -> Run | None:
    """The run whose folder is called `name`, else the newest that a person gave that name; None where there is none."""
    runs = list_runs()
    by_folder = next((run for run in runs if run.name == name), None)
    return by_folder or next((run for run in runs if about(run).name == name), None)


def find_run(name: str | None = None) -> Run:
    """The run called `name`, a path to a run folder, or the newest run that can be read.

    Raises RunError that lists what there is.
    """
    runs = list_runs()
    if name is None:
        if not runs:
            raise RunError("there is no run yet; train one with: minigpt-tui train tales")
        return next(filter(Run.is_readable, runs), runs[0])
    if run := named_run(name):
        return run
    if ((path := typed_path(name)) / "run.json").is_file():
        return Run(path.absolute())
    known = ", ".join(map(shown_name, runs[:8])) or "none yet"
    raise RunError(f"there is no run called '{name}'; there are: {known}")
