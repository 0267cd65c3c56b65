"""The run folder: what a run is on disk, and finding, making and deleting runs.

run.json        written once: RunManifest; only where its text lies is changed, by `resume --corpus`
metrics.jsonl   append-only: TRAINING_EVENTS
status.json     replaced atomically: RunStatus
commands.jsonl  append-only: COMMANDS
lock            held by the train process for its life
log.txt         everything that process printed
checkpoints/    best/, last/: Hugging Face folders
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..data.storage.atomic import complete_file, write_atomic
from ..data.storage.errors import UserError, sentence_of
from ..data.storage.plain_files import ends_within_a_line, open_plain, read_plain
from ..data.storage.typed_json import SchemaError, dumps, loads, parse
from ..models.config import ModelConfig
from ..models.recipe import TokenizerKind, TrainingConfig, UnknownCharacters
from . import locks, paths
from .events import COMMANDS, ENDED_STATES, Command, RunState

if TYPE_CHECKING:
    from ..data.text_files import Reading

ShownState = RunState | Literal["crashed", "silent"]
"""Its process died; it is trained on another host, which has not been heard of for a minute."""

_LONGEST_NAME = 64  # characters
_LONGEST_FOLDER = 200  # bytes: a file system has 255, and a run in the trash a longer name
_JOINERS = "\u200c\u200d"  # Persian and Indian words are spelled with them
_STARTING_TIME = 30.0  # seconds that a started process has before it must hold its lock
_SIGN_OF_LIFE = 60.0  # seconds that a heartbeat of another host counts, whose lock may not be seen from here


class RunError(UserError):
    """Something is wrong with a run; the message says what, where, and what to do."""


@dataclass(frozen=True)
class CorpusRecord:
    """The text that a run learns from, as it was when the run was made."""

    name: str
    spec: str  # what data.corpus.open_corpus understands; files and folders as absolute paths
    fingerprint: str
    n_bytes: int
    n_characters: int
    validation_fraction: float = 0.1
    encoding: str | None = None  # the name of an encoding that a person gave
    reading_rules: int = 1  # of data.text_files.Reading; records that lack it were written when those were the rules

    @property
    def reading(self) -> Reading:
        """How the text is read again; what it is made of was agreed to when the run was made."""
        from ..data.text_files import Reading

        return Reading(self.encoding, as_text=True, rules=self.reading_rules)


@dataclass(frozen=True)
class RunManifest:
    """run.json: everything needed to do the run again."""

    name: str
    created: float
    preset: str
    corpus: CorpusRecord
    tokenizer: TokenizerKind
    model: ModelConfig
    training: TrainingConfig
    bpe_vocab_size: int = 4096
    unknown_characters: UnknownCharacters = "drop"
    literal: bool = True  # names of special tokens are text; runs that do not say so were made when all of them were
    start_from: str | None = None  # the model whose weights and tokenizer this run begins with, as an absolute path
    parent: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    format: int = 1


@dataclass(frozen=True)
class RunStatus:
    """status.json: the state of a run and its latest figures, for lists; `heartbeat` is a Unix time."""

    state: RunState
    pid: int
    host: str
    step: int
    total_steps: int | None
    heartbeat: float
    train_loss: float | None = None
    validation_loss: float | None = None
    best_validation_loss: float | None = None
    reason: str = ""
    best_step: int | None = None  # of the best validation loss; as the following None in what older runs have written
    bits_per_byte: float | None = None  # of the best validation loss
    parameters: int | None = None
    tokens: int | None = None  # learned from so far
    seconds: float | None = None  # of training so far
    tokens_per_second: float | None = None
    remaining: float | None = None  # seconds until the budget ends
    learning_rate_scale: float | None = None  # this and the rest: what people may change, as it is in force
    budget: str | None = None
    evaluation_interval: int | None = None
    sample_prompts: tuple[str, ...] | None = None


class Run:
    """One run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def name(self) -> str:
        """The folder's name is the run's name."""
        return self.path.name

    @property
    def metrics_path(self) -> Path:
        """The events of the run."""
        return self.path / "metrics.jsonl"

    @property
    def commands_path(self) -> Path:
        """The commands to the run."""
        return self.path / "commands.jsonl"

    def last_log_lines(self, count: int) -> list[str]:
        """The last lines that its process printed; none where it printed nothing."""
        try:
            with open_plain(self.log_path, follow_links=False) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
                return file.read().decode(errors="replace").splitlines()[-count:]
        except OSError:
            return []

    @property
    def lock_path(self) -> Path:
        """Held by the train process for its life."""
        return self.path / "lock"

    @property
    def log_path(self) -> Path:
        """What the train process printed."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """The folder of all checkpoints: `last`, `best`, and step-* of the history."""
        return self.path / "checkpoints"

    def manifest(self) -> RunManifest:
        """Read run.json. Raises RunError where it is missing or damaged."""
        path = self.path / "run.json"
        try:
            return loads(RunManifest, read_plain(path, follow_links=False), str(path))
        except FileNotFoundError:
            raise RunError(f"{self.path} is not a run: it has no run.json") from None
        except (OSError, SchemaError) as error:
            raise RunError(f"the run '{self.name}' cannot be read: {sentence_of(error)}") from error

    def write_corpus_spec(self, spec: str) -> None:
        """Write into run.json where the text lies now, and change nothing else, also of what another version wrote.

        Raises OSError; a run folder that was deleted is not made again.
        """
        path = self.path / "run.json"
        plain = parse(read_plain(path, follow_links=False))
        plain["corpus"]["spec"] = spec
        with complete_file(path) as temporary:
            temporary.write_text(dumps(plain, indent=2) + "\n", encoding="utf-8")

    def is_readable(self) -> bool:
        """Whether run.json is as it should be."""
        try:
            self.manifest()
        except RunError:
            return False
        return True

    def status(self) -> RunStatus | None:
        """Read status.json; None where the train process has not written one, or it cannot be read."""
        try:
            return loads(RunStatus, read_plain(self.path / "status.json", follow_links=False))
        except (OSError, SchemaError):
            return None

    def write_status(self, status: RunStatus) -> None:
        """Replace status.json. Raises OSError; a run folder that was deleted is not made again.

        On a full disk it is written over in place, which takes no room: what it says last, it says for long.
        """
        path, content = self.path / "status.json", dumps(status).encode() + b"\n"
        try:
            with complete_file(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            with open_plain(path, "rb+", follow_links=False) as file:
                file.write(content.ljust(path.stat().st_size))

    def is_alive(self) -> bool:
        """Whether a train process holds the lock, or seems to live on another host.

        Raises UserError where the file system has no locks.
        """
        return locks.is_held(self.lock_path) or self.other_host() is not None

    def seems_alive(self) -> bool:
        """The same for a screen: where the file system has no locks, whether the latest heartbeat is fresh."""
        try:
            return self.is_alive()
        except UserError:
            status = self.status()
            return status is not None and status.state not in ENDED_STATES and _is_fresh(status)

    def other_host(self) -> str | None:
        """The other host on which the run is trained, by its latest heartbeat: its lock may be invisible from here."""
        status = self.status()
        if status is None or status.state in ENDED_STATES or status.host == socket.gethostname():
            return None
        return status.host if _is_fresh(status) else None

    def last_host(self) -> tuple[str, float] | None:
        """The other host on which the run is or was trained, and the time at which it was heard of last.

        None for a run that has ended, and for one of this host.
        """
        status = self.status()
        if status is None or status.state in ENDED_STATES or status.host == socket.gethostname():
            return None
        return status.host, status.heartbeat

    def check_files(self) -> None:
        """Raise RunError where anything in the folder is a link or no plain file.

        The folder may be a stranger's: what a trainer writes must not land elsewhere, and a FIFO is waited for.
        """
        for folder, folders, files in os.walk(self.path):
            for path in (Path(folder, name) for name in (*folders, *files)):
                if path.is_symlink():
                    raise RunError(f"{path} is a link, which is not followed; put the file or folder itself there")
                if not (path.is_file() or path.is_dir()) and os.path.lexists(path):
                    raise RunError(f"{path} is neither a plain file nor a folder; remove it")

    def check_not_trained(self) -> None:
        """Raise RunError where a train process works on the run."""
        if host := self.other_host():
            raise RunError(
                f"'{self.name}' is trained on {host}, as its latest heartbeat says; stop it there, or wait a minute "
                "where that process is gone"
            )
        if self.is_alive():
            raise RunError(f"'{self.name}' already trains; stop it first, or watch it with: minigpt-tui")

    def state(self) -> ShownState:
        """The run's state; where that says it has not ended but no process holds the lock, it crashed.

        Of a process of another host nothing is known but when it was heard of last: such a run is silent.
        Raises UserError where it has not ended and the file system has no locks.
        """
        return self._state(self.is_alive)

    def shown_state(self) -> ShownState:
        """The same for a screen, by `seems_alive`."""
        return self._state(self.seems_alive)

    def _state(self, is_alive: Callable[[], bool]) -> ShownState:
        status = self.status()
        if status is None or status.state not in ENDED_STATES:
            if is_alive():
                return status.state if status else "starting"
            since = status.heartbeat if status and status.state == "starting" else self._created()
            # absolute: a clock that was set back makes no run young for as long
            young = abs(time.time() - since) < _STARTING_TIME and (status is None or status.state == "starting")
            if young:
                return "starting"
            return "crashed" if status is None or status.host == socket.gethostname() else "silent"
        return status.state

    def send(self, command: Command) -> None:
        """Append a command for the train process, as one line at once: several processes may do so. Raises OSError."""
        line = COMMANDS.encode(command).encode()
        with open_plain(self.commands_path, "ab", follow_links=False) as file:
            if ends_within_a_line(self.commands_path):  # a sender was killed, or the disk full
                line = b"\n" + line
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.commands_path))

    def checkpoint(self, kind: Literal["newest", "best", "last"] = "newest") -> Path | None:
        """The folder of a checkpoint, None where there is none yet; `newest` is `last`, else `best`."""
        for name in ("last", "best") if kind == "newest" else (kind,):
            # while a checkpoint is being replaced the one before it has the hidden name
            for folder in (self.checkpoints / name, self.checkpoints / f".{name}.old"):
                if (folder / "minigpt.json").exists():
                    return folder
        return None

    def current_checkpoint(self) -> Path | None:
        """The checkpoint to generate with: the newest while the run trains, then the best; None where there is none.

        Raises UserError where the run has not ended and the file system has no locks.
        """
        status = self.status()
        ended = status is not None and status.state in ENDED_STATES
        return (self.checkpoint("best") if ended or not self.is_alive() else None) or self.checkpoint()

    def _created(self) -> float:
        try:
            return (self.path / "run.json").stat().st_mtime
        except OSError:
            return 0.0


def _is_fresh(status: RunStatus) -> bool:
    """Whether its heartbeat came within the last minute, by this machine's clock."""
    return abs(time.time() - status.heartbeat) < _SIGN_OF_LIFE


def check_name(name: str) -> str:
    """Return `name`, or raise RunError with the characters that a run's name may have."""
    if not (
        name[:1].isalnum()
        and all(map(_may_stand_in_name, name))
        and len(name) <= _LONGEST_NAME
        and len(name.encode(errors="surrogatepass")) <= _LONGEST_FOLDER
    ):
        raise RunError(
            f"'{name}' cannot be a run's name: begin with a letter or digit, of any script, then up to 63 more or '.', "
            "'_', '-'"
        )
    return name


def _may_stand_in_name(character: str) -> bool:
    return character in f"._-{_JOINERS}" or unicodedata.category(character)[0] in "LMN"


def free_name(stem: str) -> str:
    """A name for a new run made from `stem`: the first of stem-01, stem-02, ... that is not taken."""
    kept = (character if _may_stand_in_name(character) else " " for character in unicodedata.normalize("NFC", stem))
    clean = "-".join("".join(kept).split())
    while clean and not clean[0].isalnum():
        clean = clean[1:]
    while len(clean) > 48 or len(clean.encode()) > _LONGEST_FOLDER - 10:
        clean = clean[:-1]
    clean = clean.strip("-._") or "run"
    number = 1
    while (paths.runs_dir() / f"{clean}-{number:02d}").exists():
        number += 1
    return f"{clean}-{number:02d}"


def create_run(manifest: RunManifest) -> Run:
    """Make the folder and run.json.

    Raises RunError for a bad or taken name, or a directory that cannot be written, and UserError for one without locks.
    """
    run = Run(paths.runs_dir() / check_name(manifest.name))
    try:
        run.path.parent.mkdir(parents=True, exist_ok=True)
        locks.check_locks(run.path.parent)
        run.path.mkdir()
    except FileExistsError:
        raise RunError(f"there is already a run called '{manifest.name}'; choose another name") from None
    except OSError as error:
        raise RunError(f"the run's folder {run.path} cannot be made: {error.strerror}") from error
    try:
        write_atomic(run.path / "run.json", dumps(manifest, indent=2) + "\n")
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise RunError(f"{run.path} cannot be written: {error.strerror}; free some space and try again") from error
    return run


def list_runs() -> list[Run]:
    """All runs, the newest first; also those that are damaged."""
    return sorted(_folders(), key=lambda run: run._created(), reverse=True)


def run_to_open() -> Run | None:
    """The run that a start of the app shows: the newest that trains, else the newest with a model."""
    runs = [run for run in list_runs() if run.is_readable()]
    alive = next((run for run in runs if run.seems_alive()), None)
    return alive or next((run for run in runs if run.checkpoint() is not None), None)


def _folders() -> Iterator[Run]:
    try:
        entries = list(paths.runs_dir().iterdir())
    except OSError:
        return
    yield from (Run(path) for path in entries if (path / "run.json").is_file())
