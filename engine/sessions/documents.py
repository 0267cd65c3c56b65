"""A session as a file for elsewhere: JSON with the whole tree, Markdown, plain text; and a session from such JSON.

A terminal obeys none of it, whatever was written: JSON names each control character, the others show it as a symbol.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from pathlib import Path
from struct import error as StructError
from typing import Literal

from ...data.storage.atomic import complete_file
from ...data.storage.errors import UserError
from ...data.storage.plain_files import read_plain
from ...data.storage.printable import visible, visible_lines
from ...data.storage.typed_json import SchemaError, dumps, loads
from .path_text import PathText
from .records import TokenRecord
from .store import SessionStore
from .tree import Author, Node, Origin, Part, Source, Tree, Way

Form = Literal["json", "markdown", "text"]
ENDINGS: dict[Form, str] = {"json": ".json", "markdown": ".md", "text": ".txt"}

_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # that JSON may have as they are
_VERSION = 2  # the first one had no parts


@dataclass(frozen=True)
class DocumentPart:
    """Characters `start` to `stop`, or to the end, of the text of a node."""

    node: int
    start: int
    stop: int | None


@dataclass(frozen=True)
class DocumentNode:
    """A node; where it has `parts` its words are these, and `text` is what was written as this node for others."""

    id: int
    parent: int | None
    author: Author | Literal["both"]
    text: str
    created: float  # Unix time
    origin: Origin | None = None
    tokens: int = 0
    tokens_per_second: float = 0.0
    reason: str = ""
    notices: tuple[str, ...] = ()
    bookmarked: bool = False
    deleted: bool = False
    merged: bool = False
    parts: tuple[DocumentPart, ...] = ()


@dataclass(frozen=True)
class Document:
    """A session as JSON: the `leaf` is the id of the node at whose end the person is."""

    name: str
    way: Way
    model: str
    tags: tuple[str, ...]
    leaf: int | None
    nodes: tuple[DocumentNode, ...]
    records: dict[str, list[TokenRecord]]  # of the nodes whose tokens were explained, by their ids
    version: int = 1


def export(store: SessionStore, session: int, form: Form) -> str:
    """The session as text in one of the forms. Raises UserError where there is no such session."""
    info, path = store.session(session), PathText(store, session)
    if form == "json":
        return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", dumps(_document(store, session), indent=2))
    if form == "text":
        return _shown(plain_text(store, session))
    heading = f"# {_one_line(info.title)}\n"
    if info.way == "turns":
        return "\n".join([heading, *(_section([node.source], node.text) for _, node in path.tree.walk())])
    return "\n".join([heading, *_sections(path)])


def plain_text(store: SessionStore, session: int) -> str:
    """The texts of a session as they were written, control characters too. Raises UserError where there is none."""
    info, path = store.session(session), PathText(store, session)
    texts = _turns(path.tree) if info.way == "turns" else [path.text]
    return "\n\n".join(text.strip("\n") for text in texts) + "\n"


def import_json(store: SessionStore, text: str, where: str) -> int:
    """Add a session from what `export` wrote as JSON; its id. Raises UserError, naming `where`, for anything else."""
    try:
        document = loads(Document, text, where)
        if document.version > _VERSION:
            raise SchemaError(f"it is of version {document.version}, and this program knows {_VERSION}")
        tree = _tree(document, where)
        records = {int(node): kept for node, kept in document.records.items()}
        with store.transaction():
            session = store.create(document.way, document.model)
            store.set_name(session, document.name)
            store.set_tags(session, document.tags)
            store.insert(session, tree, records, document.leaf)
    except (SchemaError, ValueError, OverflowError, StructError) as error:  # also numbers for which there is no room
        raise UserError(f"{where} is no exported session ({str(error)[:200]}); export one with --to json") from error
    return session


def import_file(store: SessionStore, path: Path) -> int:
    """Add a session from an exported file; its id. Raises UserError for any other one, OSError where there is none."""
    try:
        return import_json(store, read_plain(path).decode(), str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no exported session ({error.reason}); export one with --to json") from error


def export_file(store: SessionStore, session: int, form: Form, folder: Path) -> Path:
    """Write the session into a file of `folder` under a name that is free; the file. Raises UserError and OSError."""
    path, number = folder / f"session-{session}{ENDINGS[form]}", 1
    while path.exists():
        number += 1
        path = folder / f"session-{session}-{number}{ENDINGS[form]}"
    write_file(store, session, form, path)
    return path


def write_file(store: SessionStore, session: int, form: Form, path: Path) -> None:
    """Write the session into that file, complete or not at all. Raises UserError and OSError."""
    with complete_file(path) as temporary:
        temporary.write_text(export(store, session, form), encoding="utf-8", newline="\n")


# --- JSON ---------------------------------------------------------------------------------------------


def _document(store: SessionStore, session: int) -> Document:
    info, tree = store.session(session), store.tree(session)
    records = {str(node): kept for node in tree.sources if (kept := store.records(node))}
    nodes = tuple(_document_node(node, tree.sources.get(node.id)) for node in tree.all_nodes())
    return Document(info.name, info.way, info.model, info.tags, info.leaf, nodes, records, _VERSION)


def _document_node(node: Node, own: Source | None) -> DocumentNode:
    source = own or node.source
    return DocumentNode(
        node.id, node.parent, own.author if own else node.author, own.text if own else "", source.created,
        source.origin, source.tokens, source.tokens_per_second, source.reason, source.notices, node.bookmarked,
        node.deleted, node.merged,
        () if node.whole else tuple(DocumentPart(part.source.id, part.start, part.stop) for part in node.parts),
    )  # fmt: skip


def _tree(document: Document, where: str) -> Tree:
    """The tree of a document. Raises SchemaError where it is none."""
    sources: dict[int, Source] = {}
    for one in document.nodes:
        if not isfinite(one.created) or not isfinite(one.tokens_per_second):
            raise SchemaError(f"{where}: node {one.id} has no time or no speed")
        if one.author != "both" and (one.text or not one.parts):
            sources[one.id] = Source(
                one.id, one.author, one.text, one.created, one.origin, one.tokens, one.tokens_per_second,
                one.reason or "cancelled", one.notices,
            )  # fmt: skip
    nodes = [
        Node(
            one.id, one.parent, _parts(one, sources, where), bookmarked=one.bookmarked, deleted=one.deleted,
            merged=one.merged,
        )
        for one in document.nodes
    ]  # fmt: skip
    tree = Tree(nodes, sources)
    if not len({node.id for node in nodes}) == len(nodes) == len(list(tree.all_nodes())):
        raise SchemaError(f"{where}: a node stands there twice, or follows no other one and is no beginning")
    return tree


def _parts(one: DocumentNode, sources: dict[int, Source], where: str) -> tuple[Part, ...]:
    if not one.parts:
        if one.id not in sources:
            raise SchemaError(f"{where}: node {one.id} has neither words nor parts")
        return (Part(sources[one.id]),)
    parts: list[Part] = []
    for part in one.parts:
        source = sources.get(part.node)
        if source is None or not 0 <= part.start <= (len(source.text) if part.stop is None else part.stop) <= len(
            source.text
        ):
            raise SchemaError(f"{where}: node {one.id} is made of what is not there")
        parts.append(Part(source, part.start, part.stop))
    return tuple(parts)


# --- Markdown and text ----------------------------------------------------------------------------------


def _turns(tree: Tree) -> list[str]:
    """Each text of the tree from its root to its end; notes of the app are left out."""
    ends = [node for _, node in tree.walk() if not tree.children(node.id) and node.author != "note"]
    return [tree.text(node.id) for node in ends]


def _sections(path: PathText) -> Iterable[str]:
    """The text with who wrote what; what one author wrote in several goes is one section."""
    for _, group in groupby(path.spans(), key=lambda span: span.author):
        spans = list(group)
        text = path.between(spans[0].start, spans[-1].end)
        yield _section([span.source for span in spans], text)


def _section(sources: list[Source], text: str) -> str:
    """Words as a block that Markdown shows letter for letter, whatever they are."""
    text = _shown(text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    who = {"person": "You", "model": "Model", "note": "Note"}[sources[-1].author]
    by = dict.fromkeys(
        f" ({_one_line(origin.name)}, step {origin.step}, seed {origin.seed})"
        for origin in (source.origin for source in sources)
        if origin
    )
    return f"**{who}**{','.join(by)}\n\n{fence}text\n{text}\n{fence}\n"


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _shown(text: str) -> str:
    return visible_lines(text.replace("\r\n", "\n").replace("\r", "\n"))
