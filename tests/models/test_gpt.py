"""The decoder: causal, the same with and without a cache, as big as its configuration says, and able to learn."""

import math
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.models.cache import KVCache
from minigpt_tui.models.config import ModelConfig, flops_per_token, parameter_count
from minigpt_tui.models.gpt import (
    GPT,
    TABLE_SIZE,
    Attention,
    explicit_attention,
    fused_attention,
    masked_attention,
    rotary_frequencies,
    rotary_tables,
    rotate,
)
from minigpt_tui.models.norms import RMSNorm
from minigpt_tui.models.presets import PRESETS
from torch.utils.flop_counter import FlopCounterMode

MODERN = ModelConfig(vocab_size=19, context_length=24, n_layer=2, n_head=4, d_model=32)
CLASSIC = replace(MODERN, position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False)

OPTIONS = {
    "modern": MODERN,
    "gqa": replace(MODERN, n_kv_head=2),
    "multi-query, wide heads, tied": replace(MODERN, n_kv_head=1, head_dim=12, tied=True),
    "relu2 without qk-norm": replace(MODERN, mlp="relu2", qk_norm=False, bias=True),
    "swiglu with bias": replace(MODERN, bias=True, d_ff=40),
    "classic": CLASSIC,
    "classic, tied, bias": replace(CLASSIC, tied=True, bias=True, mlp="gelu_tanh"),
    "sinusoidal, odd width": replace(CLASSIC, position="sinusoidal", d_model=33, n_head=3, tied=True),
    "biases of queries, keys and values": replace(MODERN, qkv_bias=True, n_kv_head=2, qk_norm=False),
    "both kinds of bias": replace(MODERN, qkv_bias=True, bias=True),
    "linear scaling": replace(MODERN, rope_scaling="linear", rope_factor=3.0),
    "llama3 scaling": replace(MODERN, rope_scaling="llama3", rope_factor=8.0, rope_original_context=16),
    "RMS post-norm": replace(MODERN, norm_position="post"),
    "post-norm": replace(CLASSIC, norm_position="post", mlp="relu", bias=True),
    "attention only": replace(CLASSIC, mlp="none"),
    "attention only, post-norm": replace(CLASSIC, mlp="none", norm_position="post"),
    "sinusoidal": replace(CLASSIC, position="sinusoidal", n_kv_head=2, qk_norm=True),
    "no positions": replace(CLASSIC, position="none", mlp="swiglu"),
    "rope and LayerNorm": replace(MODERN, norm="layer"),
}
cases = pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)


def random_model(config: ModelConfig, seed: int = 1, **options) -> GPT:
    """Every parameter away from its special starting value, so that each part matters."""
    model, generator = GPT(config, **options), torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if name.endswith("norm.weight") else 0.0)
    return model.eval()


def random_tokens(batch: int, length: int, seed: int = 2) -> torch.Tensor:
    return torch.randint(19, (batch, length), generator=torch.Generator().manual_seed(seed))


@cases
def test_parameter_count_is_the_configurations(config):
    assert sum(parameter.numel() for parameter in GPT(config, device="meta").parameters()) == parameter_count(config)


@pytest.mark.parametrize("name", PRESETS)
def test_parameter_count_of_every_preset(name):
    config = replace(PRESETS[name].model, vocab_size=65)
    assert sum(parameter.numel() for parameter in GPT(config, device="meta").parameters()) == parameter_count(config)


@cases
def test_every_parameter_is_in_exactly_one_group(config):
    model = GPT(config)
    groups = (
        model.hidden_matrices() + model.embedding_parameters() + model.head_parameters() + model.vector_parameters()
    )
    assert sorted(map(id, groups)) == sorted(map(id, model.parameters()))
    assert all(parameter.ndim == 2 for parameter in model.hidden_matrices())


@cases
def test_a_token_changes_no_logit_before_it(config):
    model, tokens = random_model(config), random_tokens(2, 12)
    for training in (True, False):  # attention has another path where gradients are needed
        with torch.set_grad_enabled(training):
            before = model(tokens)
            for position in (0, 5, 11):
                changed = tokens.clone()
                changed[:, position] = (changed[:, position] + 1) % 19
                after = model(changed)
                assert torch.equal(after[:, :position], before[:, :position])
                assert not torch.allclose(after[:, position], before[:, position])


@cases
def test_both_attention_paths_agree(config):
    model, tokens = random_model(config), random_tokens(3, 24)
    with torch.no_grad():
        fused = model(tokens)
    torch.testing.assert_close(model(tokens).detach(), fused, atol=2e-5, rtol=1e-4)


@cases
def test_a_cache_changes_nothing(config):
    model, tokens = random_model(config), random_tokens(2, 24)
    with torch.inference_mode():
        expected = model(tokens)
        cache = KVCache(config, 2, 24)
        parts = [model(tokens[:, :7], cache), model(tokens[:, 7:8], cache), model(tokens[:, 8:12], cache)]
        parts += [model(tokens[:, i : i + 1], cache) for i in range(12, 24)]
        assert cache.length == 24
        torch.testing.assert_close(torch.cat(parts, 1), expected, atol=2e-5, rtol=1e-4)
        cache.truncate(9)
        torch.testing.assert_close(model(tokens[:, 9:11], cache), expected[:, 9:11], atol=2e-5, rtol=1e-4)
        cache.reset()
        torch.testing.assert_close(model(tokens[:, :3], cache), expected[:, :3], atol=2e-5, rtol=1e-4)


@cases
@torch.no_grad()
def test_what_follows_a_text_is_what_the_whole_model_says_at_its_end(config):
    model, tokens = random_model(config), random_tokens(2, 24)
    logits, cache = model(tokens), KVCache(config, 2, 24)
    for start, end in ((0, 9), (9, 10), (10, 23), (23, 24)):
        following = model.next_logits(tokens[:, start:end], cache)
        torch.testing.assert_close(following, logits[:, end - 1], atol=1e-5, rtol=1e-4)
        assert cache.length == end


def test_what_does_not_fit_is_refused():
    model = GPT(MODERN)
    with pytest.raises(ValueError, match="25 positions do not fit a context length of 24"):
        model(random_tokens(1, 25))
    cache = KVCache(MODERN, 1, 10)
    with torch.inference_mode():
        model(random_tokens(1, 9), cache)
        with pytest.raises(ValueError, match="11 positions do not fit a cache of 10"):
            model(random_tokens(1, 2), cache)
    assert cache.length == 9
    with pytest.raises(ValueError, match="cannot truncate"):
        cache.truncate(10)


def reference_attention(q, k, v):
    """One query at a time, one head at a time; everything [batch, time, heads, width]."""
    batch, length, heads, width = q.shape
    y = torch.zeros_like(q)
    for b in range(batch):
        for h in range(heads):
            kv = h // (heads // k.shape[2])
            for t in range(length):
                scores = k[b, : t + 1, kv] @ q[b, t, h] / math.sqrt(width)
                y[b, t, h] = scores.softmax(0) @ v[b, : t + 1, kv]
    return y


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_what_the_formula_says(kv_heads):
    q, k, v = torch.randn(2, 9, 4, 6), torch.randn(2, 9, kv_heads, 6), torch.randn(2, 9, kv_heads, 6)
    expected = reference_attention(q, k, v)
    torch.testing.assert_close(explicit_attention(q, k, v, 0.0), expected, atol=1e-5, rtol=1e-4)
    k, v = k.transpose(1, 2), v.transpose(1, 2)
    torch.testing.assert_close(fused_attention(q, k, v, None, 0.0), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fused_attention(q[:, -1:], k, v, None, 0.0), expected[:, -1:], atol=1e-5, rtol=1e-4)


def written_out_attention(attention: Attention, config: ModelConfig, x: torch.Tensor) -> torch.Tensor:
    """The whole sub-layer for x [T, C] from its weights: one head at a time, one position at a time."""
    width, group = config.size_per_head, config.n_head // config.kv_heads

    def projected(first_head: int, norm: RMSNorm | None) -> torch.Tensor:
        rows = slice(first_head * width, (first_head + 1) * width)
        head = torch.einsum("tc,dc->td", x, attention.qkv.weight[rows])
        if attention.qkv.bias is not None:
            head = head + attention.qkv.bias[rows]
        if norm is not None:
            head = head / (head.square().mean(-1, keepdim=True) + config.norm_eps).sqrt() * norm.weight
        return head

    def turned(head: torch.Tensor) -> torch.Tensor:
        if config.position != "rope":
            return head
        result = head.clone()
        for t in range(len(head)):
            for i, frequency in enumerate(rotary_frequencies(config).tolist()):
                cos, sin = math.cos(t * frequency), math.sin(t * frequency)
                a, b = head[t, i], head[t, i + width // 2]
                result[t, i], result[t, i + width // 2] = a * cos - b * sin, b * cos + a * sin
        return result

    heads = []
    for h in range(config.n_head):
        q = turned(projected(h, attention.q_norm))
        k = turned(projected(config.n_head + h // group, attention.k_norm))
        v = projected(config.n_head + config.kv_heads + h // group, None)
        rows = [(k[: t + 1] @ q[t] / math.sqrt(width)).softmax(0) @ v[: t + 1] for t in range(len(x))]
        heads.append(torch.stack(rows))
    y = torch.einsum("te,ce->tc", torch.cat(heads, -1), attention.out.weight)
    return y if attention.out.bias is None else y + attention.out.bias


@cases
def test_both_attentions_are_the_written_out_one(config):
    model, x = random_model(config), torch.randn(9, config.d_model, generator=torch.Generator().manual_seed(4))
    attention = model.blocks[0].attention
    assert isinstance(attention, Attention)
    rotary = None
    if config.position == "rope":
        cos, sin = (table[:9, None].expand(-1, config.n_head, -1) for table in (model.cos, model.sin))
        rotary = cos, sin
    explicit = attention(x[None], rotary, None)[0]
    with torch.no_grad():
        expected = written_out_attention(attention, config, x)
        fused = attention(x[None], rotary, None)[0]
    torch.testing.assert_close(explicit.detach(), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fused, expected, atol=1e-5, rtol=1e-4)


@cases
def test_operations_are_those_that_torch_counts(config):
    model, tokens = GPT(config), random_tokens(1, config.context_length)
    with FlopCounterMode(display=False) as counter:
        model(tokens)
    assert 3 * counter.get_total_flops() == flops_per_token(config) * config.context_length


def test_rotation_turns_each_pair_by_its_angle():
    cos, sin = rotary_tables(7, rotary_frequencies(ModelConfig(head_dim=6, rope_theta=100.0)))
    x = torch.randn(2, 7, 3, 6)
    y = rotate(x, cos[:, None], sin[:, None])
    for t in range(7):
        for i in range(3):
            turned = torch.view_as_complex(torch.stack((x[:, t, :, i], x[:, t, :, i + 3]), -1))
            turned = turned * complex(math.cos(t * 100.0 ** (-i / 3)), math.sin(t * 100.0 ** (-i / 3)))
            torch.testing.assert_close(y[:, t, :, i], turned.real, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(y[:, t, :, i + 3], turned.imag, atol=1e-5, rtol=1e-4)


def test_llama3_slows_what_turns_slowly_and_keeps_what_turns_fast():
    plain = ModelConfig(head_dim=64, rope_theta=500_000.0)
    config = replace(plain, rope_scaling="llama3", rope_factor=32.0)  # as Llama 3.2 has it
    before, after = rotary_frequencies(plain), rotary_frequencies(config)
    for old, new in zip(before.tolist(), after.tolist(), strict=True):
        wavelength = 2 * math.pi / old
        if wavelength < 8192 / 4:
            expected = old
        elif wavelength > 8192 / 1:
            expected = old / 32
        else:
            share = (8192 / wavelength - 1) / (4 - 1)
            expected = (1 - share) * old / 32 + share * old
        assert new == pytest.approx(expected, rel=1e-5)
    assert len(set((before / after).round(decimals=3).tolist()) - {1.0, 32.0}) > 1
    torch.testing.assert_close(rotary_frequencies(replace(plain, rope_scaling="linear", rope_factor=4.0)), before / 4)


@pytest.mark.parametrize(
    "config",
    [replace(MODERN, n_layer=1, n_head=1, n_kv_head=1, head_dim=4096, context_length=300),
     replace(MODERN, n_layer=1, n_head=1, n_kv_head=1, head_dim=8, d_model=4096, mlp="none", position="sinusoidal",
             context_length=300)],
    ids=["rope", "sinusoidal"],
)  # fmt: skip
def test_tables_grow_with_the_text(config):
    whole, tokens = random_model(config), random_tokens(1, 300)
    expected = whole(tokens)
    model = random_model(config)
    assert model.tabulated == 128
    with torch.inference_mode():
        for length in (3, 150, 300):
            assert torch.equal(model(tokens[:, :length]), whole(tokens[:, :length]))
    assert model.tabulated == 300
    assert torch.equal(model(tokens), expected)
    model.loss(tokens, tokens).backward()  # through tables that were made in inference mode
    assert model.state_dict().keys() == whole.state_dict().keys()


def test_a_long_context_costs_nothing_before_it_is_used():
    model = GPT(replace(MODERN, context_length=131_072, head_dim=64), device="meta")
    assert model.cos.numel() == TABLE_SIZE


def test_tied_weights_are_one_matrix():
    model = random_model(replace(CLASSIC, tied=True))
    assert model.head is None
    assert model.head_parameters() == []
    before = model(random_tokens(1, 4))
    with torch.no_grad():
        model.embedding[18] += 1.0  # a row that is not looked up still changes its logit
    tokens = torch.tensor([[0, 1, 2, 3]])
    assert model(tokens)[..., 18].ne(before[..., 18]).any()


def test_loss_is_the_cross_entropy_of_the_logits():
    model, tokens, targets = random_model(MODERN), random_tokens(3, 8), random_tokens(3, 8, seed=5)
    chosen = model(tokens).log_softmax(-1).gather(-1, targets[..., None])
    torch.testing.assert_close(model.loss(tokens, targets), -chosen.mean())
    torch.testing.assert_close(model.loss(tokens, targets, reduction="sum"), -chosen.sum())
    torch.testing.assert_close(model.loss(tokens, targets, reduction="none"), -chosen.flatten())


@pytest.mark.parametrize("config", [MODERN, replace(MODERN, n_kv_head=2), CLASSIC], ids=["modern", "gqa", "classic"])
def test_gradients_agree_with_finite_differences(config):
    model = random_model(replace(config, n_layer=1)).double()
    model.compute_dtype = torch.float64
    tokens, targets = random_tokens(2, 6), random_tokens(2, 6, seed=5)
    loss = lambda: F.cross_entropy(logits64(model, tokens).flatten(0, 1), targets.flatten())  # noqa: E731
    loss().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        index = int(parameter.grad.abs().argmax())
        flat, step = parameter.data.view(-1), 1e-5
        flat[index] += step
        above = loss().item()
        flat[index] -= 2 * step
        below = loss().item()
        flat[index] += step
        assert parameter.grad.view(-1)[index].item() == pytest.approx((above - below) / (2 * step), rel=2e-3), name


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [19, 64, 130])
def test_a_head_that_is_filled_up_has_the_same_loss_and_gradients(size: int, tied: bool):
    model = random_model(replace(MODERN, vocab_size=size, tied=tied))
    tokens, targets = random_tokens(3, 12) % size, random_tokens(3, 12, seed=5) % size
    padded = model(tokens, padded=True)
    assert padded.shape[-1] % 64 == 0
    assert padded.shape[-1] - size < 64
    assert torch.equal(padded[..., :size], model(tokens))
    found = []
    for loss in (model.loss(tokens, targets), F.cross_entropy(padded.flatten(0, 1), targets.flatten())):
        model.zero_grad()
        loss.backward()
        found.append((loss, [parameter.grad for parameter in model.parameters()]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("group", [1, 3])
def test_a_single_query_attends_as_the_fused_kernel_does(group: int):
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, 4, rows, 8, generator=generator) for rows in (group, 20, 20))
    mask = torch.zeros(1, 20)
    mask[:, 13:] = -torch.inf
    expected = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(masked_attention(q, k, v, mask), expected, rtol=1e-5, atol=1e-6)


def logits64(model: GPT, tokens: torch.Tensor) -> torch.Tensor:
    """The logits before they are rounded to float32."""
    head = model.head
    assert head is not None
    with patch.object(model, "head_logits", lambda x: F.linear(x, head)):
        return model(tokens)


def test_bfloat16_stays_close_to_float32():
    exact, rough = random_model(MODERN), random_model(MODERN, compute_dtype=torch.bfloat16)
    tokens, targets = random_tokens(4, 24), random_tokens(4, 24, seed=5)
    assert rough(tokens).dtype == torch.float32
    losses = exact.loss(tokens, targets), rough.loss(tokens, targets)
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.02)
    for loss in losses:
        loss.backward()
    for (name, a), b in zip(exact.named_parameters(), rough.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert b.grad.dtype == torch.float32
        assert F.cosine_similarity(a.grad.flatten(), b.grad.flatten(), dim=0) > 0.98, name


@cases
def test_one_batch_can_be_learned_by_heart(config):
    model = GPT(config)
    model.reset_parameters(torch.Generator().manual_seed(3))
    tokens = random_tokens(2, 13)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.0)
    if config.norm_position == "post":
        optimizer.param_groups[0]["lr"] = 0.005
    losses = []
    while len(losses) < 150 and min(losses, default=1.0) >= 0.1:
        loss = model.loss(tokens[:, :-1], tokens[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1


def test_the_seed_decides_the_weights():
    first, second, other = GPT(MODERN), GPT(MODERN), GPT(MODERN)
    for model, seed in ((first, 5), (second, 5), (other, 6)):
        model.reset_parameters(torch.Generator().manual_seed(seed))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.embedding, other.embedding)


@pytest.mark.parametrize("config", [MODERN, CLASSIC], ids=["modern", "classic"])
def test_a_new_model_knows_nothing(config):
    loss = GPT(config).loss(random_tokens(8, 24), random_tokens(8, 24, seed=9))
    assert loss.item() == pytest.approx(math.log(19), abs=0.05)


def test_dropout_acts_only_in_training():
    config = replace(MODERN, attention_dropout=0.5, residual_dropout=0.5, embedding_dropout=0.5)
    model, tokens = random_model(config), random_tokens(2, 8)
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))
    for name in ("attention_dropout", "residual_dropout", "embedding_dropout"):
        alone = random_model(replace(MODERN, **{name: 0.5})).train()
        assert not torch.equal(alone(tokens), alone(tokens)), name


@pytest.mark.parametrize("position", ["learned", "rope", "sinusoidal"])
def test_positions_matter(position):
    model = random_model(replace(CLASSIC, position=position))
    forwards, backwards = model(torch.tensor([[1, 2, 3]])), model(torch.tensor([[2, 1, 3]]))
    assert not torch.allclose(forwards[:, -1], backwards[:, -1])


def test_without_positions_earlier_tokens_are_a_bag():
    model = random_model(replace(CLASSIC, position="none", n_layer=1))
    forwards, backwards = model(torch.tensor([[1, 2, 3]])), model(torch.tensor([[2, 1, 3]]))
    torch.testing.assert_close(forwards[:, -1], backwards[:, -1])


def test_rows_of_a_cache_that_stay_go_on_as_if_the_others_had_never_been():
    model, generator = GPT(MODERN).eval(), torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    tokens = torch.randint(19, (5, 12), generator=generator)
    cache, order = KVCache(MODERN, 5, 12), [4, 1, 3]
    with torch.no_grad():
        expected = model(tokens)
        model(tokens[:, :5], cache)
        cache.keep(order)
        some = torch.cat([model(tokens[order, i : i + 1], cache) for i in range(5, 12)], 1)
    assert torch.allclose(some, expected[order, 5:], atol=1e-5)
    assert (cache.batch_size, cache.keys[0].shape[0]) == (3, 3)


def test_cache_memory_is_what_its_tensors_take():
    assert KVCache(replace(MODERN, n_kv_head=2), 3, 10).memory == 2 * 2 * 3 * 2 * 10 * 8 * 4
    assert KVCache(MODERN, 1, 24, dtype=torch.bfloat16).memory == 2 * 2 * 4 * 24 * 8 * 2
