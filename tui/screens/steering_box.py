"""A box with the commands that a run takes while it trains, and what it answers."""

from __future__ import annotations

from typing import get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import printable
from ...engine.commands import SETTINGS, SettingName, new_command
from ...engine.events import CommandName
from ...engine.runs import Run
from ..run_words import STATE_STYLES
from ..steering import WORDS, Said, Steering, answered
from ..text import formatting
from ..widgets.text_input import TextInput
from .box import Box

_POLL = 0.2  # seconds between looks for answers
_LONGEST = 20_000  # characters of a field
_KEPT = 3  # answers in view
_COMMANDS: tuple[tuple[CommandName, str, str], ...] = (
    ("pause", "p", "pause"), ("resume", "r", "go on"), ("save", "v", "save now"), ("evaluate", "e", "evaluate now"),
    ("sample", "w", "write samples now"), ("stop", "s", "stop and save"), ("stop_now", "x", "stop, save nothing"),
)  # fmt: skip
_BY_NAME: dict[str, CommandName] = {name: name for name, _, _ in _COMMANDS}


class SteeringBox(Box[None]):
    """Fields with the present values, of which Enter sends one, and a button with its key for each other command."""

    BINDINGS = [
        Binding("escape", "dismiss", "Close"),
        # with priority, so that what is typed at once afterwards goes to the new field
        Binding("up", "app.focus_previous", show=False, priority=True),
        Binding("down", "app.focus_next", show=False, priority=True),
        *(Binding(key, f"give('{name}')", words, show=False) for name, key, words in _COMMANDS),
    ]
    CSS_PATH = "../styles/steering_box.tcss"
    AUTO_FOCUS = "#command-pause"

    def __init__(self, run: Run, name: str) -> None:
        """`name` is what the run is called."""
        super().__init__()
        self._steering, self._name = Steering(run), name
        self._values = self._steering.values()
        self._said: list[Said] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="steering") as box:
            box.border_title = Content(f"steer {formatting.one_line(self._name)}")
            box.border_subtitle = "Enter sends what is typed · Esc closes"
            yield Static(id="steering-state", markup=False)
            for name in SETTINGS:
                words, about = WORDS[name]
                with Horizontal(classes="steering--row"):
                    yield Label(words, markup=False)
                    yield TextInput(self._values[name], id=f"set-{name}", compact=True, max_length=_LONGEST)
                    yield Static(about, markup=False)
            with Grid(id="steering-commands"):
                for name, key, words in _COMMANDS:
                    yield Button(f"{key}  {words}", id=f"command-{name}", compact=True)
            yield Static(id="steering-said", markup=False)

    def on_mount(self) -> None:
        """Listen for answers at a steady pace."""
        self.set_interval(_POLL, self._listen)
        self._listen()

    # --- commands ----------------------------------------------------------------------------------

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name = (event.input.id or "").removeprefix("set-")
        try:
            self._steering.change(_setting(name), event.value)
        except EXPECTED as error:
            event.input.add_class("-wrong")
            self._say(Said(sentence_of(error), wrong=True))
        else:
            event.input.remove_class("-wrong")
            self._say()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_give((event.button.id or "").removeprefix("command-"))

    def action_give(self, name: str) -> None:
        """Give the command of that name."""
        try:
            self._steering.send(new_command(_BY_NAME[name]))
        except EXPECTED as error:
            self._say(Said(sentence_of(error), wrong=True))
        else:
            self._say()

    # --- answers ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Show the run's state, its answers, and the values that they have changed."""
        heard = self._steering.hear()
        self._say(*map(answered, heard))
        if heard:
            self._show_values()
        run = self._steering.run
        state, status = STATE_STYLES[run.shown_state()], run.status()
        of = f" of {status.total_steps:,}" if status and status.total_steps else ""
        where = f"  step {status.step:,}{of}" if status else ""
        self.query_one("#steering-state", Static).update(
            Content.assemble((state.label, f"bold ${state.colour}"), (where, "$foreground-muted")), layout=False
        )

    def _show_values(self) -> None:
        """Show the values in force; what a person is typing stays."""
        before, self._values = self._values, self._steering.values()
        for name in SETTINGS:
            field = self.query_one(f"#set-{name}", TextInput)
            if field.value == before[name] or not field.has_focus:
                field.value = self._values[name]
                field.remove_class("-wrong")

    def _say(self, *said: Said) -> None:
        """Show what was said last, and below it what is waited for."""
        self._said = [*self._said, *said][-_KEPT:]
        waiting = self._steering.waiting()
        lines = [
            Content.styled(printable(one.text, 500), "$text-error" if one.wrong else "$text-success")
            for one in self._said
        ]
        if waiting:
            lines.append(
                Content.styled(printable(waiting.text, 500), "$text-error" if waiting.wrong else "$text-muted")
            )
        self.query_one("#steering-said", Static).update(Content("\n").join(lines))


def _setting(name: str) -> SettingName:
    assert name in get_args(SettingName)
    return name  # type: ignore[return-value]
