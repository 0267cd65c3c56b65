"""A recipe with other numbers: what follows from them, and what is refused."""

from __future__ import annotations

import pytest
from minigpt_tui.models.config import ConfigError
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget


def test_each_part_takes_its_fields_and_the_rest_stays():
    quick = preset("quick")
    other = quick.overridden(
        budget=Budget(5, "minutes"), tokenizer="byte", context_length=128, learning_rate=1e-3, seed=7
    )
    assert (other.tokenizer, other.model.context_length) == ("byte", 128)
    assert (other.training.budget, other.training.learning_rate) == (Budget(5, "minutes"), 1e-3)
    back = {"context_length": 64, "learning_rate": 0.03, "seed": 1337, "tokenizer": "char"}
    assert other.overridden(budget=quick.training.budget, **back) == quick
    assert quick.overridden() == quick


@pytest.mark.parametrize(
    ("name", "heads", "kv_heads"),
    [("quick", 12, 4), ("quick", 6, 2), ("quick", 4, 0), ("modern-10m", 8, 8), ("modern-124m", 6, 0)],
)
def test_key_value_heads_follow_the_heads_where_their_ratio_goes(name: str, heads: int, kv_heads: int):
    model = preset(name).overridden(n_head=heads).model
    assert (model.n_head, model.n_kv_head) == (heads, kv_heads)


def test_key_value_heads_that_are_given_stay():
    assert preset("quick").overridden(n_head=12, n_kv_head=2).model.n_kv_head == 2
    with pytest.raises(ConfigError, match="n_head 12 is not divisible by n_kv_head 5"):
        preset("quick").overridden(n_head=12, n_kv_head=5)


@pytest.mark.parametrize(("batch", "micro"), [(20, 4), (48, 24), (7, 1), (480, 24)])
def test_the_micro_batch_follows_the_batch(batch: int, micro: int):
    assert preset("modern-124m").overridden(batch_size=batch).training.micro_batch_size == micro
    assert preset("quick").overridden(batch_size=batch).training.micro_batch_size == 0  # the whole batch at once


def test_a_micro_batch_that_is_given_must_divide_the_batch():
    assert preset("modern-124m").overridden(batch_size=20, micro_batch_size=10).training.micro_batch_size == 10
    with pytest.raises(ConfigError, match="give micro_batch_size 0"):
        preset("modern-124m").overridden(batch_size=20, micro_batch_size=3)


def test_what_does_not_go_together_is_refused_whatever_part_it_is_of():
    quick = preset("quick")
    with pytest.raises(ConfigError, match="not divisible by n_head 7"):
        quick.overridden(n_head=7)
    with pytest.raises(ConfigError, match="learning_rate is 200"):
        quick.overridden(learning_rate=200.0)
    with pytest.raises(ConfigError, match="bpe_vocab_size is 100"):
        quick.overridden(bpe_vocab_size=100)
    with pytest.raises(TypeError, match="no_such_field"):
        quick.overridden(no_such_field=1)
