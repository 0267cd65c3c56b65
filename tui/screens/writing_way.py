"""What all ways of the write desk share: a text, and panels that stand beside it or take turns in a drawer."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal

from ...engine.requests import SamplingSettings
from ..keyed_node import KeyedNode
from ..sampling_sets import applied
from ..settings import SettingsStore
from ..training_texts import Quotable
from ..widgets.panels import Panels
from ..widgets.sampling_panel import SamplingInput, SamplingPanel
from .sizes import WIDE

if TYPE_CHECKING:
    from ..comparison.prompts import ComparedPrompt


class WritingWay(KeyedNode, Horizontal):
    """One way of writing. `panels` and `sampling`, which is one of them, are made by the way itself."""

    panels: Panels
    sampling: SamplingPanel
    _store: SettingsStore

    @abstractmethod
    def focus_text(self) -> None:
        """Go to where the person writes."""

    @abstractmethod
    def compared_prompt(self) -> ComparedPrompt:
        """What the columns of a comparison continue."""

    @abstractmethod
    def quotable(self) -> Quotable | None:
        """What is marked, else what the model wrote where the person is; None where there is neither."""

    @abstractmethod
    def look_for_quotes(self) -> None:
        """Say what is quoted where nothing was said yet: by now there may be an index."""

    def show_selection(self) -> None:
        """Say what there is to say of what the mouse has marked on the screen."""

    @property
    def wide(self) -> bool:
        """Whether the panels stand beside the text."""
        return self.app.size.width >= WIDE

    def arrange_panels(self) -> None:
        """Put the panels beside the text, or one of them as a drawer."""
        self.panels.arrange_for(wide=self.wide, shown=self._store.settings.panels)

    def turn_panels(self) -> None:
        """Show or hide the panels; in a narrow window turn to the next."""
        if self.wide:
            self._store.change(panels=not self._store.settings.panels)
        else:
            self.panels.turn()
        self.arrange_panels()
        if not self.panels.display:
            self.focus_text()

    def show_settings(self) -> None:
        """Take over the settings, which were changed elsewhere."""
        self.sampling.show_set()
        self.arrange_panels()

    def own_sets(self) -> dict[str, SamplingSettings]:
        """The person's own sets of sampling settings."""
        return self._store.settings.sampling_sets

    @on(SamplingPanel.SetSaved)
    def _set_saved(self, event: SamplingPanel.SetSaved) -> None:
        event.stop()
        shape = applied(event.settings, SamplingSettings())
        self._store.change(sampling_sets=self.own_sets() | {event.name: shape})
        self.sampling.show_set()

    @on(SamplingPanel.SetDeleted)
    def _set_deleted(self, event: SamplingPanel.SetDeleted) -> None:
        event.stop()
        self._store.change(sampling_sets={name: one for name, one in self.own_sets().items() if name != event.name})
        self.sampling.show_set()

    def focus_sampling(self) -> None:
        """Go to the first sampling field, wherever the panels are."""
        if self.wide:
            self._store.change(panels=True)
        else:
            self.panels.open(self.sampling)
        self.arrange_panels()
        self.sampling.query(SamplingInput).first().focus()
