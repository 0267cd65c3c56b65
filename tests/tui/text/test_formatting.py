import math

import pytest
from minigpt_tui.tui.text import formatting as f


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (812, "812"), (999.6, "1k"), (1200, "1.2k"), (47_123, "47k"), (5000, "5k"), (999_600, "1M"),
     (math.nan, "–"), (None, "–")],
)  # fmt: skip
def test_compact(number, text):
    assert f.compact(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(38_000, "38k"), (380_000, "0.38M"), (1_500_000, "1.5M"), (10_700_000, "10.7M"), (124_000_000, "124M"),
     (1_500_000_000, "1.5B"), (None, "–")],
)  # fmt: skip
def test_parameters(number, text):
    assert f.parameters(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-3, "0 s"), (4.4, "4 s"), (59.6, "1 m 00 s"), (80, "1 m 20 s"), (3599.7, "1 h 00 m"),
     (7500, "2 h 05 m"), (3 * 86400 + 4 * 3600, "3 d 04 h"), (math.inf, "–"), (None, "–")],
)  # fmt: skip
def test_duration(seconds, text):
    assert f.duration(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (1500, "2 kB"), (310_000_000, "310 MB"), (999_700_000, "1 GB"), (141_000_000_000, "141 GB"),
     (None, "–")],
)  # fmt: skip
def test_memory(n_bytes, text):
    assert f.memory(n_bytes) == text


@pytest.mark.parametrize(
    ("nats", "text"),
    [(1.6449, "1.64"), (0.0421, "0.042"), (0.0, "0.00"), (0.0999, "0.10"), (1234.0, "1.2k"), (math.nan, "NaN"),
     (math.inf, "∞"), (None, "–")],
)  # fmt: skip
def test_loss(nats, text):
    assert f.loss(nats) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.02, "2.0e-2"), (3e-4, "3.0e-4"), (1.0, "1.0e0"), (0.0, "0"), (None, "–")]
)
def test_learning_rate(value, text):
    assert f.learning_rate(value) == text


@pytest.mark.parametrize(("fraction", "text"), [(0, "0%"), (0.206, "20%"), (0.999, "99%"), (1.0, "100%"), (None, "–")])
def test_percent_says_hundred_only_at_the_end(fraction, text):
    assert f.percent(fraction) == text


def test_rate_and_whole():
    assert f.rate(47_000.0) == "47k tok/s"
    assert f.whole(12_000) == "12,000"


def test_foreign_text_is_made_harmless():
    assert f.one_line("a\nb\tc  d") == "a b c d"
    assert f.one_line("\x1b[31mred\u202e") == "�[31mred�"
