"""What a model is made of: its layers and widths, and where its parameters are."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ...models.config import ModelConfig, parameters_by_part
from ..state import ModelView
from ..text import formatting, model_words
from .facts import DIM

_LABEL = 12  # cells
_BAR = 24  # cells of the largest part
_LINE = 72  # cells of a line at most


class Architecture(VerticalScroll):
    """The facts of a model, one a line, and its parameters by part as bars; `show` updates both."""

    DEFAULT_CSS = """
    Architecture {
        height: 1fr;
        padding: 0 1;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; border-title-color: $text; }
        & > Static { height: auto; }
    }
    """
    BORDER_TITLE = "model"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = Static(markup=False)
        self._shown: tuple[object, ...] | None = None
        self._view = ModelView()

    def compose(self) -> ComposeResult:
        yield self._text

    def on_resize(self) -> None:
        """Draw the bars for the new width."""
        self._write()

    def show(self, view: ModelView) -> None:
        """Draw the present figures of the model."""
        self._view = view
        self._write()

    def _write(self) -> None:
        view, width = self._view, min(_LINE, self.scrollable_content_region.width)
        shown = (
            width,
            view.name,
            view.config,
            view.tokenizer,
            view.device,
            view.memory,
            view.step,
            view.validation_loss,
        )
        if shown == self._shown or width <= 0:
            return
        self._shown = shown
        if view.config is None:
            self._text.update(Content.styled("no model yet", DIM))
            return
        self._text.update(
            Content("\n").join([*_facts(view, view.config, width), Content(), *_parts(view.config, width)])
        )


def _facts(view: ModelView, config: ModelConfig, width: int) -> list[Content]:
    place = " ".join(filter(None, (formatting.one_line(view.device), formatting.dtype(view.dtype))))
    facts = {
        "layers": f"{config.n_layer}",
        "heads": f"{config.n_head} of width {config.size_per_head}{model_words.shared_heads(config)}",
        "width": f"{config.d_model:,}",
        "positions": model_words.positions(config).replace(" positions", ""),
        "norm": model_words.norm(config),
        "MLP": model_words.mlp(config),
        "context": f"{config.context_length:,} tokens",
        "vocabulary": f"{config.vocab_size:,} tokens, {formatting.one_line(view.tokenizer)}",
        "output": "tied to the embedding" if config.tied else "a layer of its own",
        "training": f"{formatting.flops(view.flops_per_token)} a token, forward and backward",
        "memory": f"{formatting.memory(view.memory)} on {place}" if view.memory and place else "",
        "step": f"{view.step:,}" if view.step else "",
        "loss": f"{formatting.loss(view.validation_loss)} nats per token of the validation text"
        if view.validation_loss is not None
        else "",
    }
    heading = Content.styled(formatting.one_line(view.name), "bold").truncate(width, ellipsis=True)
    lines = [heading]
    for label, value in facts.items():
        if value:
            first, *more = Content(value).wrap(max(8, width - _LABEL))
            lines.append(Content.assemble((label.ljust(_LABEL), DIM), first))
            lines += [Content.assemble(" " * _LABEL, line) for line in more]
    return lines


def _parts(config: ModelConfig, width: int) -> list[Content]:
    """A row for each part: its parameters, their share, and a bar."""
    parts = parameters_by_part(config)
    total, longest = sum(parts.values()), max(map(len, parts))
    lines = [Content.assemble((f"{total:,}", "bold"), (" parameters", DIM))]
    room = max(0, min(_BAR, width - longest - 18))
    for part, number in parts.items():
        share = number / total
        bar = "━" * max(1, round(share * room)) if room else ""
        lines.append(
            Content.assemble(
                (part.ljust(longest), DIM), f"{number:>12,} {formatting.percent(share):>4} ", (bar, "$primary")
            )
        )
    return lines
