"""The model panel: which model answers, and what it is made of."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from ...models.config import ModelConfig
from ..state import ModelView
from ..text import formatting, model_words
from .facts import DIM, in_two_columns, spread


class ModelPanel(Widget):
    """A model's name and figures in six rows, which are kept free while there is no model; `show` updates it."""

    DEFAULT_CSS = """
    ModelPanel {
        height: 8;
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
        self._view = view
        config = view.config
        self.tooltip = Content(model_words.details(config, view.tokenizer, view.flops_per_token)) if config else None
        self.refresh()

    def render(self) -> Content:
        view, width = self._view, self.content_size.width
        if view is None or not view.name:
            return Content.styled("no model yet", DIM)
        heading = spread(
            Content.styled(formatting.one_line(view.name), "bold"),
            Content.assemble((formatting.parameters(view.parameters), "bold"), (" parameters", DIM)),
            width,
        )
        if view.config is None:
            return heading
        config = view.config
        place = " ".join(filter(None, (formatting.one_line(view.device), formatting.dtype(view.dtype))))
        facts = [
            ("layers", formatting.whole(config.n_layer)), ("heads", model_words.heads(config)),
            ("width", formatting.whole(config.d_model)), ("context", formatting.whole(config.context_length)),
            ("vocab", model_words.vocabulary(config, view.tokenizer)), ("memory", formatting.memory(view.memory)),
            ("device", place or formatting.UNKNOWN), _validation(view),
        ]  # fmt: skip
        return Content("\n").join([heading, _block(view, config, width), *in_two_columns(facts, width)])


def _block(view: ModelView, config: ModelConfig, width: int) -> Content:
    """The architecture in the longest words that fit, and the FLOPs of a token of training."""
    cost = Content.assemble((formatting.flops(view.flops_per_token), ""), ("/token", DIM))
    room = width - cost.cell_length - 1
    words = next((words for words in model_words.block(config) if len(words) <= room), model_words.block(config)[-1])
    return spread(Content(words), cost, width)


def _validation(view: ModelView) -> tuple[str, str]:
    """The validation loss of the weights in memory, and their step."""
    if view.validation_loss is None:
        return "step", formatting.whole(view.step or None)
    return "val", f"{formatting.loss(view.validation_loss)} @ {formatting.compact(view.step)}"
