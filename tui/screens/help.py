"""F1: how the parts work together, and every key. Made from the table of actions."""

from __future__ import annotations

from textwrap import wrap

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from .. import keys
from ..keymap import Scope, actions
from .box import Box

_ABOUT = """\
A model learns from a text of yours in a process of its own, and writes what it has learned here, while it learns.
There are three desks: write, train and inside. On the first you write with the model in one of these ways, and \
{way} turns from one to the next. In turns each prompt begins a text of its own, and Enter sends it. A document is \
one text that you and the model write together: {go_on} lets the model go on from the cursor. In a chat the model \
answers; for that it needs a chat template. A small model does not answer questions; it continues texts like the one \
that it has read.
Every version of a text stays: what you edit, retry or undo becomes a branch. All of it is saved as it is written.
Closing the app leaves a training alone if you like; the next start shows it again."""

_EXTRA: dict[Scope, tuple[tuple[str, str], ...]] = {
    "turns": (
        ("Enter", "Send the prompt; Ctrl+J breaks the line."),
        ("Up Down", "Earlier prompts, from the first and the last line of the prompt."),
        ("PgUp PgDn End", "Scroll the transcript; End follows the reply again."),
        ("← → Enter", "In a coloured transcript: from token to token; Enter says why one was chosen."),
        ("/", "Search in the transcript, where it has the focus; n and N go from one place to the next."),
    ),
    "document": (
        ("Tab", "To the token panel, where Enter goes on from an alternative, and to the siblings."),
        ("^F", "Search in the text."),
    ),
    "app": (("^C", "Copy what is selected. It never quits."),),
}
_TEXT_WIDTH = 56
SCOPES: tuple[tuple[Scope, str], ...] = (
    ("desk", "on every desk"),
    ("write", "on the write desk"),
    ("turns", "on the write desk, in turns and in a chat"),
    ("document", "on the write desk, in a document"),
    ("compare", "side by side"),
    ("train", "on the train desk"),
    ("inside", "on the inside desk"),
    ("sessions", "in the list of sessions"),
    ("new-run", "in the form of a new run"),
    ("open-model", "where a model is opened"),
    ("settings", "in the settings"),
    ("app", "everywhere"),
)
"""Where the actions of each scope work, in words."""


class HelpScreen(Box[None]):
    BINDINGS = [Binding("escape,q,enter", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as page:
            page.border_title = "help"
            page.border_subtitle = "Esc closes"
            about = _ABOUT.format(way=keys.spoken("way"), go_on=keys.spoken("document.go-on"))
            yield Static(about, markup=False, classes="help-about")
            yield Static(_keys())


def _keys() -> Content:
    parts: list[tuple[str, str]] = []
    for scope, title in SCOPES:
        parts.append((f"\n{title}\n", "bold $primary"))
        rows = [(keys.shown(action), action.help) for action in actions(scope)]
        rows = [*_EXTRA.get(scope, ()), *rows]
        for key, text in rows:
            parts.append((f"  {key:<15}", "$accent"))
            parts.append((f"\n{' ' * 17}".join(wrap(text, _TEXT_WIDTH)) + "\n", "$foreground"))
    return Content.assemble(*parts)
