"""Turns: their order, what is kept of them, and the arithmetic of medians and ratios."""

import pytest
from minigpt_tui.engine.bench.turns import (
    Contestant,
    Ratio,
    Summary,
    Turn,
    TurnFailedError,
    compare,
    figures,
    summarise,
    take_turns,
)


def test_each_repeat_goes_once_through_all_contestants() -> None:
    order: list[tuple[str, int]] = []

    def contestant(name: str) -> Contestant:
        return Contestant(name, lambda repeat: order.append((name, repeat)) or {"seconds": 1.0})

    kept: list[Turn] = []
    take_turns([contestant("ours"), contestant("peer")], 2, keep=kept.append)
    assert order == [("ours", 1), ("peer", 1), ("ours", 2), ("peer", 2)]
    assert [(turn.contestant, turn.repeat) for turn in kept] == order


def test_a_warm_up_is_done_and_not_kept() -> None:
    repeats: list[int] = []
    kept: list[Turn] = []
    contestant = Contestant("ours", lambda repeat: repeats.append(repeat) or {"seconds": 1.0})
    take_turns([contestant], 2, keep=kept.append, warm_up=True)
    assert repeats == [0, 1, 2]
    assert [turn.repeat for turn in kept] == [1, 2]


def test_a_contestant_that_fails_does_not_end_the_others_turns() -> None:
    def sometimes(repeat: int) -> dict[str, float]:
        if repeat == 1:
            raise TurnFailedError("the checkout has no data")
        return {"seconds": 2.0}

    def always(repeat: int) -> dict[str, float]:
        raise ZeroDivisionError("by nothing")

    kept: list[Turn] = []
    contestants = [Contestant("a", sometimes), Contestant("b", always), Contestant("c", lambda repeat: {"seconds": 1})]
    take_turns(contestants, 2, keep=kept.append)
    assert [(turn.contestant, turn.failure) for turn in kept] == [
        ("a", "the checkout has no data"), ("b", "ZeroDivisionError: by nothing"), ("c", ""),
        ("a", ""), ("b", "ZeroDivisionError: by nothing"), ("c", ""),
    ]  # fmt: skip
    assert figures(kept, "a", "seconds") == {2: 2.0}
    assert figures(kept, "b", "seconds") == {}


def test_an_interruption_keeps_the_turns_before_it() -> None:
    def interrupted(repeat: int) -> dict[str, float]:
        if repeat == 2:
            raise KeyboardInterrupt
        return {"seconds": 1.0}

    kept: list[Turn] = []
    with pytest.raises(KeyboardInterrupt):
        take_turns([Contestant("ours", interrupted)], 3, keep=kept.append)
    assert [turn.repeat for turn in kept] == [1]


def test_medians_and_ranges_are_as_defined() -> None:
    assert summarise({1: 3.0, 2: 1.0, 3: 8.0}) == Summary(3.0, 4.0, 1.0, 8.0, 3)
    assert summarise({1: 3.0, 2: 1.0}) == Summary(2.0, 2.0, 1.0, 3.0, 2)
    assert summarise({}) is None


def test_ratios_are_above_one_where_ours_is_better() -> None:
    ours, theirs = {1: 2.0, 2: 4.0, 3: 5.0}, {1: 10.0, 2: 8.0, 3: 40.0}
    # medians 4 and 10; repeat by repeat 5, 2 and 8
    assert compare(ours, theirs, "lower") == Ratio(2.5, 5.0)
    assert compare(ours, theirs, "higher") == Ratio(0.4, 0.2)


def test_ratios_by_turn_are_of_the_repeats_that_both_have() -> None:
    assert compare({1: 2.0, 3: 4.0}, {2: 6.0, 3: 12.0}, "lower") == Ratio(3.0, 3.0)
    assert compare({1: 2.0}, {2: 6.0}, "lower") == Ratio(3.0, None)
    assert compare({}, {2: 6.0}, "lower") is None
    assert compare({1: 0.0}, {1: 6.0}, "lower") is None


def test_a_fact_in_words_is_no_figure() -> None:
    turns = [Turn("ours", 1, {"seconds": 1.5, "gpu": "H200"})]
    assert figures(turns, "ours", "gpu") == {}
    assert figures(turns, "ours", "seconds") == {1: 1.5}
