"""All settings: what each is, its value, its default; what is changed here is saved at once.

Made from the same dataclasses as settings.toml is read into, so a new field of theirs is a new line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static, Tab, Tabs
from textual.widgets.option_list import Option

from ...engine.requests import SamplingSettings
from .. import keymap, keys
from ..messages import SettingsChanged
from ..sampling_sets import check_name
from ..setting_fields import SettingField, fields_at, fields_of_set
from ..settings import Settings, SettingsStore, settings_path
from ..widgets.facts import DIM
from ..widgets.footer_line import FooterLine
from ..widgets.setting_row import SettingRow
from ..widgets.text_input import TextInput
from .action_screen import ActionScreen
from .help import SCOPES
from .key_box import KeyBox

_TURNS, _DOCUMENT = ("samples", "sampling"), ("document_samples", "document_sampling")
_NOTICES = "notice_bell", "notice_title", "notice_terminal", "notice_system", "notify"
_NAMES = ("app", "notices", "turns", "document", "sets", "keys")
_HINT = "Enter or leaving a field takes its value. Every change is saved at once."


class SettingsScreen(ActionScreen):
    """One part at a time; the lines below say what the setting in focus is, or why a value cannot be."""

    SCOPE = "settings"
    BINDINGS = [
        *keymap.bindings("settings"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]
    CSS_PATH = "../styles/settings.tcss"
    AUTO_FOCUS = "Tabs"

    tabs = query_one(Tabs)
    part = query_one("#settings-part", Vertical)
    about = query_one("#settings-about", Static)

    def __init__(self, store: SettingsStore, themes: Sequence[str], problems: Sequence[str] = ()) -> None:
        """`problems` are what of the file could not be used when the app began."""
        super().__init__()
        self._store, self._problems = store, problems
        self._choices = {"theme": themes}  # that the fields do not know themselves
        self._shown: dict[str, Widget] = {}  # the parts that were seen, by name

    def compose(self) -> ComposeResult:
        with Vertical(id="settings") as box:
            box.border_title = "settings"
            box.border_subtitle = f"saved in {settings_path().name}"
            yield Tabs(*(Tab(name, id=name) for name in _NAMES))
            yield Vertical(id="settings-part")
            yield Static(_HINT, id="settings-about", markup=False)
        yield FooterLine()

    # --- the parts ------------------------------------------------------------------------------

    @on(Tabs.TabActivated)
    def _chosen(self, event: Tabs.TabActivated) -> None:
        self._show(event.tab.id or "app")

    @work(exclusive=True, group="part")
    async def _show(self, name: str) -> None:
        await self.part.remove_children()
        await self.part.mount_all(self._rows_of(name))
        self._say(_HINT)

    def _rows_of(self, name: str) -> Iterable[Widget]:
        if name == "sets":
            return self._sets()
        if name == "keys":
            return [self._key_list()]
        settings = list(fields_at(Settings()))
        if name == "notices":
            return [self._row(field) for field in settings if field.name in _NOTICES]
        if name == "app":
            others = (*_TURNS, *_DOCUMENT, *_NOTICES)
            rows = [self._row(field) for field in settings if field.name not in others]
            return [*rows, *(Static(problem, markup=False, classes="settings-problem") for problem in self._problems)]
        number, table = _TURNS if name == "turns" else _DOCUMENT
        sampling = fields_at(getattr(Settings(), table), table)
        return [self._row(field) for field in (*(f for f in settings if f.name == number), *sampling)]

    def _row(self, field: SettingField) -> SettingRow:
        return SettingRow(field, field.value_in(self._store.settings), self._choices.get(field.name, ()))

    # --- values ---------------------------------------------------------------------------------

    @on(SettingRow.Changed)
    def _changed(self, event: SettingRow.Changed) -> None:
        field = event.row.field
        try:
            changed = field.changed(self._store.settings, event.value)
        except ValueError as error:
            event.row.mark(wrong=True)
            self._say(str(error), wrong=True)
            return
        self._save(changed)
        event.row.show(event.value)
        self._say(field.what)

    @on(SettingRow.Refused)
    def _refused(self, event: SettingRow.Refused) -> None:
        self._say(event.sentence, wrong=True)

    def _save(self, settings: Settings) -> None:
        before: Any = self._store.settings
        names = [field.name for field in fields(settings)]
        self._store.change(**{n: getattr(settings, n) for n in names if getattr(settings, n) != getattr(before, n)})
        self.post_message(SettingsChanged())

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        self.about.update(Content.styled(sentence, "$text-error" if wrong else "$text-muted"))

    @on(events.DescendantFocus)
    def _focused(self) -> None:
        if row := self._row_in_focus():
            self._say(row.field.what)

    def _row_in_focus(self) -> SettingRow | None:
        return (
            next((node for node in self.focused.ancestors_with_self if isinstance(node, SettingRow)), None)
            if (self.focused)
            else None
        )

    # --- sets -----------------------------------------------------------------------------------

    def _sets(self) -> list[Widget]:
        rows: list[Widget] = []
        for name in self._store.settings.sampling_sets:
            delete = Button("delete", compact=True, classes="delete-set", name=name)
            rows.append(Horizontal(Static(name, markup=False, classes="set-name"), delete, classes="set-heading"))
            rows += map(self._row, fields_of_set(name))
        new = TextInput(compact=True, placeholder="name of a new set", id="new-set")
        return [*rows, Horizontal(new, classes="set-heading")]

    @on(Button.Pressed, ".delete-set")
    def _delete_set(self, event: Button.Pressed) -> None:
        sets = self._store.settings.sampling_sets
        self._change_sets({name: one for name, one in sets.items() if name != event.button.name})

    @on(Input.Submitted, "#new-set")
    def _new_set(self, event: Input.Submitted) -> None:
        sets, name = self._store.settings.sampling_sets, event.value.strip()
        try:
            check_name(name)
        except ValueError as error:
            self._say(str(error), wrong=True)
            return
        self._change_sets(sets | {name: sets.get(name, SamplingSettings(temperature=1.0))})

    def _change_sets(self, sets: dict[str, SamplingSettings]) -> None:
        self._save(replace(self._store.settings, sampling_sets=sets))
        self.tabs.focus()  # what was in focus is made anew, or gone
        self._show("sets")

    # --- keys -----------------------------------------------------------------------------------

    def _key_list(self) -> OptionList:
        options: list[Option] = []
        for scope, title in SCOPES:
            options.append(Option(Content.styled(title, "bold $primary"), disabled=True))
            options += [Option(_line_of(action), id=action.id) for action in keymap.actions(scope)]
        return OptionList(*options, markup=False, id="settings-keys")

    @on(OptionList.OptionHighlighted, "#settings-keys")
    def _key_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_id:
            self._say(f"{event.option_id}: {keymap.BY_ID[event.option_id].help} Enter asks for another key.")

    @on(OptionList.OptionSelected, "#settings-keys")
    def _key_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_id:
            self._ask_for_key(keymap.BY_ID[event.option_id])

    @work(exclusive=True, group="key")
    async def _ask_for_key(self, action: keymap.Action) -> None:
        def refusal(key: str) -> str:
            return keys.checked(self._store.settings.keys | {action.id: key})[1].get(action.id, "")

        chosen = await self.app.push_screen_wait(KeyBox(action, refusal))
        if chosen is not None:
            self._set_key(action, chosen)

    def _set_key(self, action: keymap.Action, chosen: str) -> None:
        """Give an action this key, none, or the "usual" ones."""
        others = {name: key for name, key in self._store.settings.keys.items() if name != action.id}
        before = {other.id: keys.keys_of(other) for other in keymap.ACTIONS}
        keys.use(own := others if chosen == "usual" else others | {action.id: chosen})
        self._save(replace(self._store.settings, keys=own))
        changed = [other for other in keymap.ACTIONS if keys.keys_of(other) != before[other.id]]
        options = self.query_one("#settings-keys", OptionList)
        for other in changed:
            options.replace_option_prompt(other.id, _line_of(other))
        if lost := [f"'{other.title}'" for other in changed if other.id != action.id]:
            self._say(f"The keys of {', '.join(lost)} are others now as well.")

    # --- actions --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A default is taken where a setting has the focus."""
        return action != "default" or (self.is_mounted and self._row_in_focus() is not None)

    def action_default(self) -> None:
        if row := self._row_in_focus():
            row.post_message(SettingRow.Changed(row, row.field.default))

    def action_close(self) -> None:
        """Take what is written in the field in focus, and go back."""
        if row := self._row_in_focus():
            with suppress(ValueError):  # it was no value, and the one before it stays
                self._save(row.field.changed(self._store.settings, row.value))
        self.dismiss()


def _line_of(action: keymap.Action) -> Content:
    key = keys.shown(action) or "none"
    usual = "" if keys.keys_of(action) == action.keys else f"  usually {keys.usual(action)}"
    return Content.assemble(f"  {action.title[:32]:<32}", (f" {key:<12}", "$accent"), (usual, DIM))
