"""Two kinds of cache, one forward pass: a position that lies on the device gives what a length in the program gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from minigpt_tui.models.cache import DeviceCache, KVCache
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT

MODERN = ModelConfig(vocab_size=29, context_length=12, n_layer=2, n_head=4, n_kv_head=2, d_model=32)
CONFIGS = {
    "modern": MODERN,
    "classic": replace(
        MODERN, position="learned", norm="layer", mlp="gelu", qk_norm=False, tied=True, bias=True, n_kv_head=0
    ),
    "post-norm": replace(MODERN, position="sinusoidal", norm_position="post", mlp="relu", n_kv_head=1),
    "attention alone": replace(MODERN, position="none", mlp="none"),
}


@pytest.fixture(params=CONFIGS.values(), ids=list(CONFIGS))
def model(request: pytest.FixtureRequest) -> GPT:
    model, generator = GPT(request.param), torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


@torch.inference_mode()
def test_a_position_on_the_device_gives_the_logits_of_a_length_in_the_program(model: GPT):
    tokens = torch.randint(29, (3, 12), generator=torch.Generator().manual_seed(2))
    expected = model(tokens)
    cache = DeviceCache(KVCache(model.config, 3, 12))
    model(tokens[:, :5], cache.read)
    for turn in range(2):  # the second time over what the first left behind
        cache.resume(5)
        for i in range(5, 12):
            following = model.next_logits(tokens[:, i : i + 1], cache)
            torch.testing.assert_close(following, expected[:, i], atol=1e-4, rtol=1e-3, msg=f"turn {turn}, at {i}")


@torch.inference_mode()
def test_every_row_goes_on_from_a_text_that_one_cache_holds(model: GPT):
    text = torch.randint(29, (1, 4), generator=torch.Generator().manual_seed(3))
    one = KVCache(model.config, 1, 12)
    model(text, one)
    cache, last = DeviceCache(KVCache(model.config, 2, 12)), torch.tensor([[7], [11]])
    cache.copy(one, 4)
    cache.resume(4)
    both = model(torch.cat((text.expand(2, -1), last), 1))[:, -1]
    torch.testing.assert_close(model.next_logits(last, cache), both, atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_a_window_gives_the_same_logits_as_long_as_it_has_room(model: GPT):
    tokens = torch.randint(29, (2, 12), generator=torch.Generator().manual_seed(4))
    expected, cache = model(tokens), DeviceCache(KVCache(model.config, 2, 12))
    model(tokens[:, :5], cache.read)
    cache.resume(5)
    for i, length in ((5, 7), (6, 7), (7, 10), (8, 10), (9, 10), (10, 12), (11, 12)):
        following = model.next_logits(tokens[:, i : i + 1], cache.window(length))
        torch.testing.assert_close(following, expected[:, i], atol=1e-4, rtol=1e-3)


def test_a_position_on_the_device_is_for_one_token(model: GPT):
    with pytest.raises(ValueError, match="2 positions at once"):
        model.next_logits(torch.zeros(1, 2, dtype=torch.int64), DeviceCache(KVCache(model.config, 1, 12)))
