"""A box with the speakers of a run's text, to choose who the person is and who answers."""

from __future__ import annotations

import asyncio
from typing import Literal

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.getters import query_one
from textual.suggester import Suggester
from textual.widgets import Button, Input, Label, OptionList, Static

from ...data.speakers.finding import Speakers
from ...data.speakers.form import LONGEST_NAME
from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import visible
from ...engine.runs import Run
from ...engine.speakers import speakers_of
from ..dialogue import Roles
from ..text import formatting
from ..widgets.facts import DIM
from ..widgets.text_input import TextInput
from .box import Box

_MOST_LISTED = 200  # names
_STEADY = 8  # rows of the list that stay while fewer and fewer names may be meant
_NOBODY = "Nobody speaks in this text: its lines do not begin with names, as those of plays and chats do."
_HINT = "↑ ↓ choose · Tab completes"


class SpeakersBox(Box[Roles | Literal["nobody"] | None]):
    """Dismissed with who speaks, with "nobody", or with None where all stays as it is."""

    BINDINGS = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+n", "nobody", "Nobody"),
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
    ]
    CSS_PATH = "../styles/speakers.tcss"
    AUTO_FOCUS = ""  # the fields are there when the speakers are known

    you = query_one("#speaker-you", TextInput)
    answering = query_one("#speaker-answering", TextInput)
    names = query_one(OptionList)
    hint = query_one("#speakers-hint", Static)

    def __init__(self, run: Run, roles: Roles | None) -> None:
        super().__init__()
        self._run, self._roles = run, roles
        self._found: Speakers | None = None
        self._text = ""  # its fingerprint
        self._done = 0.0  # the fraction of the text that is read
        self._spelled: dict[str, str] = {}  # the names by what is shown of them
        self._unknown: list[str] = []  # the names of which it was said that nobody has them
        self._listed: tuple[str, ...] = ()
        self._field: TextInput | None = None  # the one that the list is for

    def compose(self) -> ComposeResult:
        with Vertical(id="speakers") as box:
            box.border_title = "who speaks"
            box.border_subtitle = "Esc leaves"
            for id, label in (("speaker-you", "you"), ("speaker-answering", "answers")):
                with Horizontal(classes="speaker"):
                    yield Label(label)
                    yield TextInput(id=id, compact=True, suggester=_NameSuggester(self))
            yield OptionList(markup=False)
            yield Static(id="speakers-hint", markup=False)
            with Horizontal(id="speakers-buttons"):
                yield Button("Speak  Enter", id="take", variant="primary", compact=True)
                yield Button("Nobody  ^N", id="nobody", compact=True)
                yield Button("Cancel  Esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Find the speakers."""
        self.names.can_focus = False
        self._reading = self.set_interval(0.2, self._show_progress)
        self._show_progress()
        self._find()

    # --- the speakers ---------------------------------------------------------------------------

    def _show_progress(self) -> None:
        self.hint.update(f"looking for the speakers in the text ... {self._done:.0%}")

    @work(exclusive=True)
    async def _find(self) -> None:
        try:
            self._text = (await asyncio.to_thread(self._run.manifest)).corpus.fingerprint
            self._found = await asyncio.to_thread(speakers_of, self._run, self._progress)
            problem = "" if self._found else _NOBODY
        except EXPECTED as error:
            problem = formatting.one_line(sentence_of(error))
        self._reading.stop()
        if self._found is None:
            self._warn(problem)
        else:
            self._begin(self._found)

    def _progress(self, done: float) -> None:
        self._done = done

    def _begin(self, found: Speakers) -> None:
        self._spelled = {visible(name): name for name in reversed(found.names)}
        roles = self._roles
        chosen = (roles.you, roles.answering) if roles and roles.text == self._text else self._whoever("", "")
        for field, name in zip((self.you, self.answering), chosen, strict=True):
            with self.prevent(Input.Changed):
                field.value = visible(name)
        self.names.styles.min_height = min(_STEADY, len(found.speakers))
        self.query_one("#speakers").add_class("-found")
        self.you.focus()

    def _whoever(self, you: str, answering: str) -> tuple[str, str]:
        """Both names; who is not named is whoever speaks most."""
        names = self._found.names if self._found else ()
        answering = answering or next((name for name in names if name != you), you)
        return you or next((name for name in names if name != answering), answering), answering

    # --- the fields -----------------------------------------------------------------------------

    def completions(self, typed: str) -> tuple[str, ...]:
        """The names that may be meant, as they are shown; all of them for nothing."""
        return tuple(map(visible, self._found.completions(typed))) if self._found else ()

    def _meant(self, typed: str) -> str:
        """The name that is typed as the text spells it, the first that it may begin, or what was typed."""
        typed = " ".join(typed.split())
        if self._found is None or not typed:
            return ""
        known = self._spelled.get(typed) or self._found.spelled(typed)
        return known or next(iter(self._found.completions(typed)), typed)

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, TextInput):
            self._field = event.widget
            self._list("")

    @on(events.DescendantBlur)
    def _left(self, event: events.DescendantBlur) -> None:
        if isinstance(event.widget, TextInput):
            self._fill(event.widget, visible(self._meant(event.widget.value)))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.input is self._field:
            self._list(event.value)

    def _fill(self, field: TextInput, name: str) -> None:
        if field.value != name:
            with self.prevent(Input.Changed):
                field.value = name
            field.cursor_position = len(name)

    def _list(self, typed: str) -> None:
        """The names that may be meant with how often each speaks, and the one that is."""
        if self._found is None or self._field is None:
            return
        counts = {visible(speaker.name): speaker.count for speaker in self._found.speakers}
        width = len(f"{max(counts.values()):,}")
        self._listed = self.completions(typed)[:_MOST_LISTED]
        self.names.clear_options()
        self.names.add_options(Content.assemble((f"{counts[name]:>{width},}  ", DIM), name) for name in self._listed)
        meant = visible(self._meant(self._field.value))
        self.names.highlighted = self._listed.index(meant) if meant in self._listed else None
        self.hint.update(Content.styled(f"{_HINT} · {len(self._found.speakers):,} speakers", DIM))

    def action_step(self, step: int) -> None:
        """Take the next name of the list into the field, or the one before."""
        if self._field is None or not self._listed:
            return
        at = self.names.highlighted
        at = (0 if step > 0 else len(self._listed) - 1) if at is None else (at + step) % len(self._listed)
        self.names.highlighted = at
        self._fill(self._field, self._listed[at])
        self._field.action_select_all()  # so that what is typed next takes its place

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._field is not None:
            self._fill(self._field, self._listed[event.option_index])
            self._field.focus()

    # --- what is chosen -------------------------------------------------------------------------

    @on(Input.Submitted)
    @on(Button.Pressed, "#take")
    def action_take(self) -> None:
        """Speak as those who are named."""
        if self._found is None:
            return
        you, answering = self._whoever(self._meant(self.you.value), self._meant(self.answering.value))
        unknown = [name for name in dict.fromkeys((you, answering)) if name not in self._found.names]
        if any(len(name) > LONGEST_NAME for name in unknown):
            self._warn(f"A speaker's name has at most {LONGEST_NAME} characters.")
            return
        if unknown and unknown != self._unknown:
            self._unknown = unknown
            named = " or ".join(map(visible, unknown))
            self._warn(
                f"Nobody called {named} speaks in the text, so the model has not learned how. Enter takes it so."
            )
            return
        self.dismiss(Roles(you, answering, self._found.form, self._text))

    def _warn(self, sentence: str) -> None:
        self.hint.update(Content.styled(sentence, "$text-warning"))

    @on(Button.Pressed, "#nobody")
    def action_nobody(self) -> None:
        """Let prompts be what they are."""
        self.dismiss("nobody")

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(None)


class _NameSuggester(Suggester):
    """Continues what is typed by the name that Enter takes, where it begins so."""

    def __init__(self, box: SpeakersBox) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._box = box

    async def get_suggestion(self, value: str) -> str | None:
        """The first name that may be meant."""
        name = next(iter(self._box.completions(value)), "")
        return name if name.casefold().startswith(value.casefold()) else None
