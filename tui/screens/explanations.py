"""A box that explains a run: what its figures mean, each figure, and each field of its recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.getters import query_one
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ...engine.diagnosis.figures import FIGURES
from ...engine.diagnosis.rules import Finding
from ...engine.runs import RunManifest
from ...models.config import ModelConfig
from ...models.effects import explained
from ...models.recipe import TrainingConfig
from ..state import TrainingView
from ..text import formatting
from ..widgets.facts import DIM
from ..widgets.meaning_line import COLOURS, SIGNS
from .box import Box

_OF_RUN = ("tokenizer", "bpe_vocab_size", "unknown_characters", "literal")  # fields of the recipe that run.json keeps
_LABEL = 14  # cells; a longer name takes more


@dataclass(frozen=True)
class _Entry:
    """A line of the list: its name, its present value, and the paragraphs that explain it."""

    name: str
    value: str
    paragraphs: Sequence[str]


class ExplanationsBox(Box[None]):
    """The list at the left, the explanation of the line under the cursor at the right."""

    BINDINGS = [Binding("escape,w", "dismiss", "Close")]
    CSS_PATH = "../styles/explanations.tcss"
    AUTO_FOCUS = "OptionList"

    about = query_one("#explanation", Static)

    def __init__(self, findings: Sequence[Finding], view: TrainingView, manifest: RunManifest) -> None:
        super().__init__()
        self._findings, self._name = findings, manifest.name
        self._groups = {
            "figures": list(_figures(view)),
            "model": list(_recipe(manifest, ModelConfig, manifest.model)),
            "training": list(_recipe(manifest, TrainingConfig, manifest.training)),
        }
        self._paragraphs: list[Content] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="explanations") as box:
            box.border_title = formatting.one_line(f"what it means · {self._name}")
            box.border_subtitle = "↑↓ choose · Esc closes"
            with Horizontal():
                yield OptionList(*self._options(), markup=False)
                with VerticalScroll(can_focus=False):
                    yield Static(id="explanation", markup=False)

    def _options(self) -> Iterator[Option]:
        yield _heading("what the curve says")
        self._paragraphs.append(Content())
        for finding in self._findings or [Finding("nothing to say", "No rule is sure of anything at present.")]:
            sign = Content.styled(f"{SIGNS[finding.severity]} ", COLOURS[finding.severity])
            yield Option(Content.assemble(" ", sign, finding.kind))
            advice = f"\n\n{_sentence(finding.advice)}" if finding.advice else ""
            self._paragraphs.append(Content(_sentence(finding.text) + advice))
        for title, entries in self._groups.items():
            yield _heading(title)
            self._paragraphs.append(Content())
            for entry in entries:
                value = formatting.one_line(entry.value)
                yield Option(Content.assemble(f" {entry.name:<{_LABEL}}  ", (value, DIM)))
                heading = Content.assemble((entry.name, "bold"), f"  {value}\n\n")
                self._paragraphs.append(Content.assemble(heading, "\n\n".join(entry.paragraphs)))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self.about.update(self._paragraphs[event.option_index])


def _heading(title: str) -> Option:
    return Option(Content.styled(title, "bold $primary"), disabled=True)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _figures(view: TrainingView) -> Iterator[_Entry]:
    best = formatting.loss(view.best_validation_loss)
    at = f" @ {view.best_step:,}" if view.best_step is not None else ""
    epochs = f"{view.tokens / view.train_tokens:.1f}" if view.train_tokens else formatting.UNKNOWN
    values = {
        "train loss": formatting.loss(view.train_loss), "val loss": formatting.loss(view.validation_loss),
        "best": best + at, "perplexity": f"{view.perplexity:.2f}" if view.perplexity else formatting.UNKNOWN,
        "bits/byte": formatting.loss(view.bits_per_byte), "floor": formatting.loss(view.entropy_floor),
        "speed": formatting.rate(view.tokens_per_second), "lr": formatting.learning_rate(view.learning_rate),
        "gradient norm": formatting.loss(view.gradient_norm), "memory": formatting.memory(view.memory),
        "MFU": formatting.percent(view.mfu), "trained": formatting.duration(view.seconds),
        "tokens": formatting.compact(view.tokens), "epochs": epochs,
        "parameters": formatting.parameters(view.parameters),
    }  # fmt: skip
    for name, explanation in FIGURES.items():
        yield _Entry(name, values[name], (explanation.what, explanation.reading))


def _recipe(manifest: RunManifest, kind: type, part: Any) -> Iterator[_Entry]:
    """The fields of a part of the recipe; those that run.json keeps beside it come with the model."""
    if kind is ModelConfig:
        for name in _OF_RUN:
            value = getattr(manifest, name)
            yield _Entry(name, _shown(value), explained(name, value))
    for field in fields(kind):
        value = getattr(part, field.name)
        yield _Entry(field.name, _shown(value), explained(field.name, value))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
