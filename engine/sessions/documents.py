"""A session as a file for elsewhere: JSON with the whole tree, Markdown, plain text; and a session from such JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...data.storage.errors import UserError
from ...data.storage.typed_json import SchemaError, dumps, loads
from .store import SessionStore
from .tree import Node, TokenRecord, Tree, Way

Form = Literal["json", "markdown", "text"]


@dataclass(frozen=True)
class Document:
    """A session as JSON: the `leaf` is the id of one of its nodes, and each parent stands before those that follow."""

    name: str
    way: Way
    model: str
    tags: tuple[str, ...]
    leaf: int | None
    nodes: tuple[Node, ...]
    records: dict[str, list[TokenRecord]]  # of the nodes whose tokens were explained, by their ids
    version: int = 1


def export(store: SessionStore, session: int, form: Form) -> str:
    """The session as text in one of the forms. Raises UserError where there is no such session."""
    info, tree = store.session(session), store.tree(session)
    if form == "json":
        records = {str(node): store.records(node) for node in tree.nodes}
        known = {node: kept for node, kept in records.items() if kept}
        return dumps(
            Document(info.name, info.way, info.model, info.tags, info.leaf, tuple(tree.nodes.values()), known), indent=2
        )
    if form == "text":
        return "\n\n".join(text.strip("\n") for text in _texts(tree)) + "\n"
    heading = f"# {' '.join(info.title.split())}\n"
    return "\n".join([heading, *map(_section, (node for _, node in tree.walk()))])


def import_json(store: SessionStore, text: str, where: str) -> int:
    """Add a session from what `export` wrote as JSON; its id. Raises UserError, naming `where`, for anything else."""
    try:
        document = loads(Document, text, where)
        tree = Tree({node.id: node for node in document.nodes})
        seen: set[int | None] = {None}
        for node in document.nodes:
            if node.id in seen or node.parent not in seen:
                raise SchemaError(f"{where}: node {node.id} stands before its parent, or twice")
            seen.add(node.id)
        records = {int(node): kept for node, kept in document.records.items()}
    except (SchemaError, ValueError) as error:
        raise UserError(f"{where} is no exported session ({error}); export one with --to json") from error
    session = store.create(document.way, document.model)
    store.set_name(session, document.name)
    store.set_tags(session, document.tags)
    store.insert(session, tree, records, document.leaf)
    return session


def _texts(tree: Tree) -> list[str]:
    """Each text of the tree from its root to its end; notes of the app are left out."""
    ends = [node for _, node in tree.walk() if not tree.children(node.id) and node.author != "note"]
    return [tree.text(node.id) for node in ends]


def _section(node: Node) -> str:
    """A node as a block that Markdown shows letter for letter, whatever it holds."""
    longest = max((len(run) for run in _backticks(node.text)), default=0)
    fence = "`" * max(3, longest + 1)
    who = {"person": "You", "model": "Model", "note": "Note"}[node.author]
    by = f" ({node.origin.name}, step {node.origin.step}, seed {node.origin.seed})" if node.origin else ""
    return f"**{who}**{' '.join(by.split(chr(10)))}\n\n{fence}text\n{node.text}\n{fence}\n"


def _backticks(text: str) -> list[str]:
    runs, current = [], ""
    for character in text:
        if character == "`":
            current += character
        else:
            runs, current = [*runs, current] if current else runs, ""
    return [*runs, current]
