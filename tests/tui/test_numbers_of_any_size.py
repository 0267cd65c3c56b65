"""What a damaged or foreign metrics.jsonl may hold: numbers of any size end neither the screen nor the command line."""

from __future__ import annotations

import dataclasses
import json
import typing

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from minigpt_tui.data.storage.typed_json import SchemaError
from minigpt_tui.engine.events import TRAINING_EVENTS, Evaluation, Preparing, Started, Step
from minigpt_tui.engine.runs import Run
from minigpt_tui.tui.charts.loss_plot import draw
from minigpt_tui.tui.cli.console import Console
from minigpt_tui.tui.cli.follow import _ProgressLine
from minigpt_tui.tui.state import TrainingView
from minigpt_tui.tui.widgets.training_panel import figures

INTEGERS = ["0", "1", "7", "300", "-1", str(2**63), str(-(2**63)), str(2**64)]
NUMBERS = ["1e308", "-1e308", "1e999", "-1e999", "1e100", "-1e100", "5e-324", "1e-99", "0", "-0.0", "1", "-1", "2.5"]
REFUSED = ["NaN", "Infinity", "-Infinity", "1" + "0" * 400, "-1" + "0" * 400, "1" + "0" * 5000, "[]"]
KINDS = {"preparing": Preparing, "started": Started, "step": Step, "eval": Evaluation}
WORDS = {"stage": "encoding", "protocol": "full"}


@st.composite
def lines(draw_from: st.DrawFn) -> str:
    """A line as a trainer writes it, its numbers of any size."""
    tag = draw_from(st.sampled_from(sorted(KINDS)))
    hints = typing.get_type_hints(KINDS[tag])
    parts = [f'"event":"{tag}"']
    for field in dataclasses.fields(KINDS[tag]):
        kind = hints[field.name]
        if kind is bool:
            value = draw_from(st.sampled_from(["true", "false"]))
        elif kind is str or field.name in WORDS:
            value = json.dumps(WORDS.get(field.name, "word"))
        else:
            value = draw_from(st.sampled_from(INTEGERS if kind in (int, int | None) else NUMBERS))
        parts.append(f'"{field.name}":{value}')
    return "{" + ",".join(parts) + "}"


@seed(12)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(lines(), min_size=1, max_size=12))
def test_events_of_any_size_can_be_drawn(text: list[str]) -> None:
    view = TrainingView(name="tiny")
    for number, each in enumerate(text):
        try:
            event = TRAINING_EVENTS.decode(each)
        except SchemaError:
            continue
        view.apply(event)
        width, height = 20 + 20 * (number % 4), 3 + 5 * (number % 3)
        assert figures(view, width, with_losses=True)
        for logarithmic in (False, True):
            picture = draw(
                view.train, view.validation, view.entropy_floor, width, height, logarithmic=logarithmic,
                window=(1.0, 0.25)[number % 2],
            )  # fmt: skip
            assert [len(row) for row in picture] == [width] * height


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: value[:9] + str(len(value)))
def test_a_line_with_no_number_or_one_without_end_is_skipped(value: str) -> None:
    with pytest.raises(SchemaError):
        TRAINING_EVENTS.decode(f'{{"event":"preparing","stage":"reading","fraction":{value}}}')
    with pytest.raises(SchemaError):
        TRAINING_EVENTS.decode(f'{{"event":"checkpoint","step":{value},"kind":"last"}}')


@seed(12)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(lines())
def test_the_line_of_progress_takes_them_too(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    progress = _ProgressLine(Run(tmp_path_factory.getbasetemp() / "tiny"), Console(stderr=True))
    try:
        progress.show(TRAINING_EVENTS.decode(text))
    except SchemaError:
        return
