"""One new position for each row of a batch, at a place that the device alone knows.

A GPU computes a step of a small model in less time than a program needs to ask for it. Such a step is recorded once and
repeated (a CUDA graph), so nothing in it may depend on a number of the program: where the new position belongs is a
tensor, and attention looks at the whole cache with a mask behind that place.

Dimensions as in gpt.py: B rows, C width of the residual stream, H query heads, K key/value heads, D width of a head, S
positions of the cache, V vocabulary.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cache import KVCache
from ..gpt import GPT, Attention, Block, rotary_frequencies, rotary_tables, rotate, sinusoidal_positions


class StaticDecoding:
    """A model and a cache of `rows` rows and `length` positions.

    `cache` is for reading a prompt in the usual way; `resume` then says how much of it holds.
    """

    def __init__(self, model: GPT, rows: int, length: int) -> None:
        config, device, dtype = model.config, model.embedding.device, model.compute_dtype
        self.cache = KVCache(config, rows, length, device, dtype)
        self._model = model
        self._place = torch.zeros(1, dtype=torch.int64, device=device)  # of the next position
        self._places = torch.arange(length, device=device)
        self._rotary = self._sinusoidal = None
        if config.position == "rope":
            tables = rotary_tables(length, rotary_frequencies(config))
            self._rotary = torch.stack(tables).to(device, dtype)  # [2, S, D]
        if config.position == "sinusoidal":
            self._sinusoidal = sinusoidal_positions(length, config.d_model).to(device)

    def copy(self, cache: KVCache, length: int) -> None:
        """Let every row begin with the first `length` positions of the one row that `cache` holds."""
        for mine, theirs in zip(self.cache.keys + self.cache.values, cache.keys + cache.values, strict=True):
            mine[:, :, :length] = theirs[:, :, :length]

    def resume(self, length: int) -> None:
        """The next position stands behind `length` others."""
        self._place.fill_(length)

    def logits(self, tokens: Tensor) -> Tensor:
        """Read `tokens` [B] at the next position; the logits [B, V] after them, float32. Work of the device alone."""
        model = self._model
        positions = model.positions if self._sinusoidal is None else self._sinusoidal
        x = F.embedding(tokens, model.embedding)
        if positions is not None:
            x = x + positions.index_select(0, self._place)
        x = x.to(model.compute_dtype)
        rotary = None if self._rotary is None else self._rotary.index_select(1, self._place)  # [2, 1, D]
        visible = torch.zeros_like(self._places, dtype=x.dtype).masked_fill_(self._places > self._place, -torch.inf)
        for layer, block in enumerate(model.blocks):
            x = self._through(cast(Block, block), layer, x, rotary, visible[None])
        self._place.add_(1)
        return model.head_logits(x if model.norm is None else model.norm(x))

    def _through(self, block: Block, layer: int, x: Tensor, rotary: Tensor | None, visible: Tensor) -> Tensor:
        """[B, C] -> [B, C]."""
        if block.post:
            x = block.attention_norm(x + self._attend(block.attention, layer, x, rotary, visible))
            return x if block.mlp is None or block.mlp_norm is None else block.mlp_norm(x + block.mlp(x))
        x = x + self._attend(block.attention, layer, block.attention_norm(x), rotary, visible)
        return x if block.mlp is None or block.mlp_norm is None else x + block.mlp(block.mlp_norm(x))

    def _attend(self, attention: Attention, layer: int, x: Tensor, rotary: Tensor | None, visible: Tensor) -> Tensor:
        """[B, C] -> [B, C]; `visible` [1, S] is 0 or -inf. Queries that share keys stand below each other."""
        heads, kv_heads, width = attention.heads, attention.kv_heads, attention.width
        q, k, v = attention.qkv(x).view(len(x), -1, width).split((heads, kv_heads, kv_heads), 1)
        if attention.q_norm is not None and attention.k_norm is not None:
            q, k = attention.q_norm(q), attention.k_norm(k)
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        keys, values = self.cache.keys[layer], self.cache.values[layer]  # [B, K, S, D]
        keys.index_copy_(2, self._place, k[:, :, None])
        values.index_copy_(2, self._place, v[:, :, None])
        grouped = q.reshape(len(x), kv_heads, -1, width)  # [B, K, H / K, D]
        y = F.scaled_dot_product_attention(grouped, keys, values, visible)
        return attention.out(y.reshape(len(x), -1))
