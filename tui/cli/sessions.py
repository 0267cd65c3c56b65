"""The verb sessions: what was written with models, listed, shown, searched, named, taken elsewhere, deleted."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from ...data.storage.errors import UserError
from ...data.storage.typed_json import dumps, to_plain
from ...data.typed_path import typed_path
from ...engine.sessions.documents import ENDINGS, Form, export, import_file, plain_text, write_file
from ...engine.sessions.store import Session, SessionStore
from .console import Console, show, table_of
from .exit_codes import DONE, complain

_LAST = "last"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "What was written with models: each session is saved as it is written."
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all sessions, the newest first")
    listing.add_argument("--deleted", action="store_true", help="those in the trash")
    shown = actions.add_parser("show", help="print the texts of a session")
    search = actions.add_parser("search", help="where something was written")
    search.add_argument("words", metavar="WORDS", help="letters as they stand in the text, whatever their case")
    out = actions.add_parser("export", help="write a session into a file")
    out.add_argument(
        "--to", choices=("json", "markdown", "text"), default="json", help="json keeps all of it (default)"
    )
    out.add_argument("--output", type=Path, metavar="PATH", help="default: session-NUMBER, here")
    out.add_argument("--force", action="store_true", help="replace a file that is there")
    back = actions.add_parser("import", help="add a session that was exported as JSON")
    back.add_argument("file", metavar="FILE")
    delete = actions.add_parser("delete", help="move sessions to the trash")
    delete.add_argument("--forever", action="store_true", help="remove sessions that are in the trash")
    restore = actions.add_parser("restore", help="bring sessions back from the trash")
    rename = actions.add_parser("rename", help="give a session a name")
    tag = actions.add_parser("tag", help="give a session tags instead of those that it has")
    copy = actions.add_parser("duplicate", help="make another session with the same texts")
    for action in (shown, out, rename, tag, copy):
        action.add_argument("session", metavar="SESSION", help=f"its number, or '{_LAST}'")
    rename.add_argument("name", metavar="NAME", help="without one, '', it is called by its first words")
    tag.add_argument("tags", metavar="TAG", nargs="*", help="words by which it is found; none removes all")
    for action in (delete, restore):
        action.add_argument("sessions", metavar="SESSION", nargs="+", help="its number")
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the action."""
    with closing(SessionStore()) as store:
        return _ACTIONS[arguments.action](store, arguments)


def _list(store: SessionStore, arguments: argparse.Namespace) -> int:
    sessions = store.sessions(deleted=arguments.deleted)
    if arguments.json:
        return _print_json([_plain(session) for session in sessions])
    if not sessions:
        where = "in the trash" if arguments.deleted else "yet; the app keeps what you write: minigpt-tui"
        Console(stderr=True).print(f"no sessions {where}", markup=False)
        return DONE
    table = table_of("session", "changed", "way", "model", "characters", "tags", "begins", whole=("session", "changed"))
    for session in sessions:
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(session.changed))
        tags = " ".join(f"#{tag}" for tag in session.tags)
        model = Path(session.model).name
        table.add_texts(str(session.id), changed, session.way, model, f"{session.characters:,}", tags, session.title)
    show(table)
    return DONE


def _show(store: SessionStore, arguments: argparse.Namespace) -> int:
    session = _find(store, arguments.session)
    if arguments.json:
        print(export(store, session.id, "json"))
    else:
        print(plain_text(store, session.id), end="")
    return DONE


def _search(store: SessionStore, arguments: argparse.Namespace) -> int:
    places = list(store.search(arguments.words))
    if arguments.json:
        return _print_json(places)
    if not places:
        return complain(f"nothing was found for '{arguments.words}'")
    table = table_of("session", "node", "what stands there", whole=("session", "node"))
    for place in places:
        table.add_texts(str(place.session), str(place.node), " ".join(place.text.split()))
    show(table)
    return DONE


def _export(store: SessionStore, arguments: argparse.Namespace) -> int:
    session = _find(store, arguments.session)
    form: Form = arguments.to
    output = typed_path(str(arguments.output)) if arguments.output else Path(f"session-{session.id}{ENDINGS[form]}")
    if output.exists() and not arguments.force:
        return complain(f"{output} is there already; --force replaces it, --output names another")
    write_file(store, session.id, form, output)
    if arguments.json:
        return _print_json({"session": session.id, "path": str(output.absolute())})
    print(output)
    return DONE


def _import(store: SessionStore, arguments: argparse.Namespace) -> int:
    session = import_file(store, typed_path(arguments.file))
    if arguments.json:
        return _print_json(_plain(store.session(session)))
    print(session)
    return DONE


def _delete(store: SessionStore, arguments: argparse.Namespace) -> int:
    sessions = [_find(store, name) for name in arguments.sessions]
    for session in sessions:
        if arguments.forever and not session.deleted:
            return complain(f"session {session.id} is not in the trash; delete it first without --forever")
    for session in sessions:
        if not store.claim(session.id):
            return complain(f"session {session.id} is open in another window; close it there")
        if arguments.forever:
            store.erase(session.id)
        else:
            store.set_deleted(session.id, True)
    return _print_json([session.id for session in sessions]) if arguments.json else DONE


def _restore(store: SessionStore, arguments: argparse.Namespace) -> int:
    sessions = [_find(store, name) for name in arguments.sessions]
    for session in sessions:
        store.set_deleted(session.id, False)
    return _print_json([session.id for session in sessions]) if arguments.json else DONE


def _rename(store: SessionStore, arguments: argparse.Namespace) -> int:
    session = _find(store, arguments.session).id
    store.set_name(session, arguments.name)
    return _print_json(_plain(store.session(session))) if arguments.json else DONE


def _tag(store: SessionStore, arguments: argparse.Namespace) -> int:
    session = _find(store, arguments.session).id
    store.set_tags(session, arguments.tags)
    return _print_json(_plain(store.session(session))) if arguments.json else DONE


def _duplicate(store: SessionStore, arguments: argparse.Namespace) -> int:
    copy = store.duplicate(_find(store, arguments.session).id)
    if arguments.json:
        return _print_json(_plain(store.session(copy)))
    print(copy)
    return DONE


_ACTIONS = {
    "list": _list, "show": _show, "search": _search, "export": _export, "import": _import, "delete": _delete,
    "restore": _restore, "rename": _rename, "tag": _tag, "duplicate": _duplicate,
}  # fmt: skip


def _find(store: SessionStore, name: str) -> Session:
    """The session that a person names. Raises UserError where there is none."""
    if name == _LAST:
        if session := store.last():
            return session
        raise UserError("there are no sessions yet; the app keeps what you write: minigpt-tui")
    if not name.isdecimal():
        raise UserError(f"'{name}' is no session; sessions are named by their numbers: minigpt-tui sessions list")
    return store.session(int(name))


def _plain(session: Session) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(session)
    return plain | {"title": session.title}


def _print_json(value: object) -> int:
    print(dumps(value, indent=2))
    return DONE
