"""The model panel: which model answers, and what it is made of."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from .. import formatting
from ..state import ModelView
from .facts import DIM, ends, in_two_columns


class ModelPanel(Widget):
    """A model's name and figures in six rows; `show` is the only way in."""

    DEFAULT_CSS = """
    ModelPanel {
        height: auto;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
    }
    """
    BORDER_TITLE = "model"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ModelView | None = None

    def show(self, view: ModelView) -> None:
        """Draw this model."""
        self._view = view
        self.refresh(layout=True)

    def render(self) -> Content:
        """The panel's content at its present width."""
        view, width = self._view, self.content_size.width
        if view is None or not view.name:
            return Content.styled("no model yet", DIM)
        heading = ends(
            Content.styled(formatting.one_line(view.name), "bold"),
            Content.assemble((formatting.parameters(view.parameters), "bold"), (" parameters", DIM)),
            width,
        )
        facts = [
            ("layers", _known(view.n_layer)), ("heads", _known(view.n_head)),
            ("width", _known(view.d_model)), ("context", _known(view.context_length)),
            ("vocabulary", _known(view.vocab_size)), ("memory", formatting.memory(view.memory)),
            ("device", formatting.one_line(view.device) or formatting.UNKNOWN),
            ("dtype", formatting.one_line(view.dtype) or formatting.UNKNOWN),
            ("steps", formatting.whole(view.step)), ("val loss", formatting.loss(view.validation_loss)),
        ]  # fmt: skip
        return Content("\n").join([heading, *in_two_columns(facts, width)])


def _known(number: int) -> str:
    return formatting.whole(number or None)
