"""What all ways of the write desk share: a text, and panels that stand beside it or take turns in a drawer."""

from __future__ import annotations

from abc import abstractmethod

from textual.containers import Horizontal

from ..settings import SettingsStore
from ..widgets.panels import Panels
from ..widgets.sampling_panel import SamplingInput, SamplingPanel
from .sizes import WIDE


class WritingWay(Horizontal):
    """One way of writing. `panels` and `sampling`, which is one of them, are made by the way itself."""

    panels: Panels
    sampling: SamplingPanel
    _store: SettingsStore

    @abstractmethod
    def focus_text(self) -> None:
        """Go to where the person writes."""

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

    def focus_sampling(self) -> None:
        """Go to the first sampling field, wherever the panels are."""
        if self.wide:
            self._store.change(panels=True)
        else:
            self.panels.open(self.sampling)
        self.arrange_panels()
        self.sampling.query(SamplingInput).first().focus()
