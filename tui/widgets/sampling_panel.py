"""The sampling panel: the settings that the next replies are sampled with, and how many replies a prompt gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from ...engine.requests import SHAPE, SamplingSettings
from ...models.config import descriptions
from ..sampling_fields import FOLDED, FRONT, SAMPLES, SamplingField
from ..sampling_sets import BUILT_IN, applied, check_name, name_of
from ..settings import check_samples
from .sampling_set_line import SetLine, SetName
from .text_input import TextInput

_DEFAULTS = SamplingSettings()
_DESCRIPTIONS = descriptions(SamplingSettings) | {
    "samples": "How many replies to one prompt, each with a seed of its own; they are written at once."
}


class SamplingInput(TextInput):
    """An input whose value up and down change, and which is checked when the focus leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "change(1)", "More", id="sampling.more", tooltip="Raise the value"),
        Binding("down", "change(-1)", "Less", id="sampling.less", tooltip="Lower the value"),
    ]

    @dataclass
    class Left(Message):
        """The input has lost the focus."""

        input: SamplingInput

    @dataclass
    class Changing(Message):
        """Up or down was pressed."""

        input: SamplingInput
        direction: int

    @dataclass
    class Resetting(Message):
        """The value of the set is wanted again."""

        input: SamplingInput

    def __init__(self, field: SamplingField) -> None:
        super().__init__(
            compact=True, placeholder=field.off_word, max_length=field.longest, id=field.name.replace("_", "-")
        )
        self.field = field
        self.tooltip = _DESCRIPTIONS[field.name]

    def on_key(self, event: Key) -> None:
        """An equals sign, which stands in no number, takes the value of the set."""
        if event.character == "=" and self.field.name in SHAPE:
            event.stop()
            event.prevent_default()
            self.post_message(self.Resetting(self))
        else:
            super().on_key(event)

    def action_change(self, direction: int) -> None:
        """Ask the panel for the next value."""
        self.post_message(self.Changing(self, direction))

    def on_blur(self) -> None:
        """Have the panel check the value."""
        self.post_message(self.Left(self))


class Fold(Static, can_focus=True):
    """The line that shows and hides the fields that are rarely changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "More settings", id="sampling.fold", tooltip="Show or hide the other settings"),
    ]

    class Pressed(Message):
        """Enter, space or the mouse on the line."""

    def action_fold(self) -> None:
        self.post_message(self.Pressed())

    def on_click(self) -> None:
        self.action_fold()


class SamplingPanel(Widget):
    """The number of samples and the fields of SamplingSettings in two columns, the rarer ones behind a fold.

    Posts Changed when one has a new valid value.
    """

    HELP = (
        "Up and down change a value, Enter or leaving the field takes it, = takes that of the set again. An empty "
        "field means what it shows in grey. What shapes the distribution also acts on a reply that streams, from its "
        "next token on. On the first line left and right choose a set of values, Enter takes all of its values again, "
        "s saves the present ones as a set of your own, d deletes yours. The line below the seed shows typical-p, the "
        "other penalties, whether the names of special tokens in a prompt are literal text, and texts that end a reply "
        "or never stand in it."
    )
    DEFAULT_CSS = """
    SamplingPanel {
        height: auto;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        layout: grid;
        grid-size: 2;
        grid-gutter: 0 1;
        grid-rows: auto;
        grid-columns: 17 1fr;
        &:focus-within { border: round $border; border-title-color: $text; }
        & > Horizontal { height: 1; }
        Label { width: 11; color: $text-muted; }
        .left Label, .wide Label { width: 12; }
        .long Label { width: 5; }
        SamplingInput { width: 1fr; background: $foreground 6%; }
        SamplingInput:focus { background: $foreground 14%; }
        #refusal { column-span: 2; height: auto; color: $text-error; display: none; }
        #refusal.-shown { display: block; }
        .wide, Fold, SetLine, SetName { column-span: 2; }
        Fold { height: 1; color: $text-muted; }
        Fold:focus { background: $foreground 14%; color: $text; }
        &.-folded .folded { display: none; }
    }
    """
    BORDER_TITLE = "sampling"

    @dataclass
    class Changed(Message):
        """The person set something else."""

        settings: SamplingSettings
        samples: int

    @dataclass
    class SetSaved(Message):
        """The person gave these settings a name."""

        name: str
        settings: SamplingSettings

    @dataclass
    class SetDeleted(Message):
        """The person wants a set of their own no more."""

        name: str

    def __init__(
        self,
        settings: SamplingSettings | None = None,
        samples: int = 1,
        *,
        own_sets: Callable[[], Mapping[str, SamplingSettings]] = dict,
        usual_set: str = "balanced",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`own_sets` gives those of the person, `usual_set` is the one whose values were changed at a start."""
        super().__init__(id=id, classes=classes)
        self._settings = settings or SamplingSettings()
        self._samples = samples
        self._own_sets = own_sets
        self._set = usual_set
        self._set_line = SetLine()
        self._inputs = {field.name: SamplingInput(field) for field in FRONT}
        self._fold = Fold(id="fold", markup=False)
        self._folded = True
        self._refusal = Static(id="refusal", markup=False)

    @property
    def settings(self) -> SamplingSettings:
        """What the next reply is sampled with; assigning shows it and posts nothing."""
        return self._settings

    @settings.setter
    def settings(self, settings: SamplingSettings) -> None:
        self._settings = settings
        for input in self._inputs.values():
            self._write(input)
        self._caption()
        self.show_set()

    @property
    def samples(self) -> int:
        """How many replies the next prompt gets; assigning shows it and posts nothing."""
        return self._samples

    @samples.setter
    def samples(self, number: int) -> None:
        self._samples = number
        self._write(self._inputs[SAMPLES.name])

    def compose(self) -> ComposeResult:
        """One field for each setting; what may be long has a row of its own. Those behind the fold are made when it is
        opened for the first time.
        """
        yield self._set_line
        for field in FRONT:
            yield self._row(field)
        yield self._fold
        yield self._refusal

    def _row(self, field: SamplingField) -> Horizontal:
        return Horizontal(Label(field.label), self._inputs[field.name], classes=field.place)

    def on_mount(self) -> None:
        self.settings = self._settings

    @on(Fold.Pressed)
    def _pressed(self, event: Fold.Pressed) -> None:
        event.stop()
        if FOLDED[0].name not in self._inputs:
            self._inputs |= {field.name: SamplingInput(field) for field in FOLDED}
            self.mount_all([self._row(field).add_class("folded") for field in FOLDED], before=self._refusal)
            self.settings = self._settings
        self._folded = not self._folded
        self.set_class(self._folded, "-folded")
        self._caption()

    def _caption(self) -> None:
        if not self._folded:
            self._fold.update("▾ less")
            return
        changed = sum(getattr(self._settings, s.name) != getattr(_DEFAULTS, s.name) for s in FOLDED)
        self._fold.update(f"▸ more ({changed} set)" if changed else "▸ more")

    # --- sets -------------------------------------------------------------------------------------

    def show_set(self) -> None:
        """Name the set of the present values, or the last one with a mark that values were changed."""
        name = name_of(self._settings, self._own_sets())
        if name is not None and (
            self._set not in self._sets or applied(self._sets[self._set], self._settings) != self._settings
        ):
            self._set = name
        known = self._set in self._sets  # one that was deleted leaves its values behind
        self._set_line.show(self._set if known else "none", changed=known and name is None)

    @property
    def _sets(self) -> dict[str, SamplingSettings]:
        return BUILT_IN | dict(self._own_sets())

    @on(SetLine.Asked)
    async def _set_asked(self, event: SetLine.Asked) -> None:
        event.stop()
        names = [*self._sets]
        match event.request:
            case "next" | "previous":
                step = 1 if event.request == "next" else -1
                place = names.index(self._set) if self._set in names else -step
                self._take_set(names[(place + step) % len(names)])
            case "back":
                self._take_set(self._set if self._set in names else names[0])
            case "save":
                self._set_line.display = False
                await self.mount(field := SetName(), before=self._set_line)
                field.focus()
            case "delete":
                if self._set in self._own_sets():
                    self.post_message(self.SetDeleted(self._set))
                else:
                    self._refuse(f"the set '{self._set}' is built in and stays")

    def _take_set(self, name: str) -> None:
        self._set = name
        settings = applied(self._sets[name], self._settings)
        if settings != self._settings:
            self.settings = settings
            self.post_message(self.Changed(settings, self._samples))
        else:
            self.show_set()
        self._refuse("")

    @on(SetName.Left)
    async def _set_name_left(self, event: SetName.Left) -> None:
        event.stop()
        await self._end_naming()

    async def _end_naming(self) -> None:
        had_focus = any(field.has_focus for field in self.query(SetName))
        self._set_line.display = True
        if had_focus:
            self._set_line.focus()
        await self.query(SetName).remove()

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if isinstance(event.input, SamplingInput):
            self._take(event.input)
        elif isinstance(event.input, SetName):
            try:
                check_name(event.value)
            except ValueError as error:
                self._refuse(str(error))
                return
            self._set = event.value
            self.post_message(self.SetSaved(event.value, self._settings))
            self._refuse("")
            await self._end_naming()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()  # a half-typed value is not a setting yet

    @on(SamplingInput.Left)
    def _left(self, event: SamplingInput.Left) -> None:
        event.stop()
        self._take(event.input)

    @on(SamplingInput.Changing)
    def _changing(self, event: SamplingInput.Changing) -> None:
        event.stop()
        if not self._take(event.input):
            return
        field = event.input.field
        with suppress(ValueError):  # at the end of its range a value stays
            self._set_value(field, field.changed(self._value(field), event.direction))
        self._write(event.input)

    @on(SamplingInput.Resetting)
    def _resetting(self, event: SamplingInput.Resetting) -> None:
        event.stop()
        if self._set in self._sets:
            self._set_value(event.input.field, getattr(self._sets[self._set], event.input.field.name))
        self._write(event.input)
        self._refuse("")

    def _take(self, input: SamplingInput) -> bool:
        """Take the value of an input, or say why it cannot be used; the input shows the value in use."""
        field, refusal = input.field, ""
        try:
            self._set_value(field, field.value(input.value))
        except ValueError as error:
            refusal = str(error).replace(field.name, field.label)
        self._refuse(refusal)
        self._write(input)
        return not refusal

    def _refuse(self, sentence: str) -> None:
        self._refusal.update(sentence)
        self._refusal.set_class(bool(sentence), "-shown")

    def _set_value(self, field: SamplingField, value: Any) -> None:
        """Change one of the settings. Raises ValueError with the range."""
        if value == self._value(field):
            return
        if field is SAMPLES:
            check_samples(value)
            self._samples = value
        else:
            self._settings = replace(self._settings, **{field.name: value})
            self.show_set()
        self.post_message(self.Changed(self._settings, self._samples))

    def _value(self, field: SamplingField) -> Any:
        return self._samples if field is SAMPLES else getattr(self._settings, field.name)

    def _write(self, input: SamplingInput) -> None:
        # only this input: the person may be typing in another one already
        input.value = input.field.text(self._value(input.field))
