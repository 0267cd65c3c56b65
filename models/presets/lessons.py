"""Models that people write when they learn how a GPT works, as lectures teach it and as their projects have it.

Where a lecture leaves the optimizer to PyTorch, so do these: AdamW with its own moments and decay at a constant rate.
Heads have no bias here, and queries, keys and values have one, which changes a parameter count by less than a percent.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import ModelConfig
from ..recipe import Budget, Recipe, TrainingConfig

_CLASSIC = ModelConfig(
    position="learned", norm="layer", norm_eps=1e-5, mlp="relu", qk_norm=False, tied=False, bias=True
)
_PYTORCH = TrainingConfig(optimizer="adamw", beta1=0.9, beta2=0.999, weight_decay=0.01, schedule="constant")

_CRAFTING_ATTENTION = Recipe(
    name="crafting-attention",
    description="A pre-norm GPT on characters with dropout in three places: a GPU.",
    source="a student project after Karpathy's lecture \"Let's build GPT\" (2023)",
    model=replace(
        _CLASSIC, context_length=256, n_layer=6, n_head=6, d_model=384, mlp="gelu",
        attention_dropout=0.2, residual_dropout=0.2,  # after the joined heads and after the second layer of the MLP
    ),
    training=replace(
        _PYTORCH, budget=Budget(15_000), batch_size=64, learning_rate=3e-4, data_order="random",
        evaluation_interval=500,
    ),
)  # fmt: skip

_CHAR_POSTLN = Recipe(
    name="char-postln",
    description="LayerNorm after each residual sum, as the first Transformer: minutes on a CPU.",
    source="a student project after \"Attention Is All You Need\" (2017) and GPT (2018)",
    model=replace(_CLASSIC, norm_position="post", context_length=64, n_layer=4, n_head=4, d_model=128),
    # without a warm-up the gradients near the output are too large (Xiong et al., 2020)
    training=replace(
        _PYTORCH, budget=Budget(3000), batch_size=32, learning_rate=1e-3, warmup_steps=100, gradient_clip=1.0,
        sample_prompt="The ", evaluation_interval=250,
    ),
)  # fmt: skip

_SELF_ATTENTION = Recipe(
    name="self-attention",
    description="One self-attention layer alone, for one epoch.",
    source="a student project on the collected Shakespeare, first part",
    model=replace(_CLASSIC, context_length=128, n_layer=1, n_head=4, d_model=128, mlp="none"),
    training=replace(
        _PYTORCH, budget=Budget(1, "epochs"), batch_size=64, learning_rate=1e-3, evaluate_every_epoch=True
    ),
)

_DECODER = replace(
    _SELF_ATTENTION,
    name="decoder",
    description="The full decoder beside self-attention, for five epochs.",
    source="a student project on the collected Shakespeare, second part",
    model=replace(_SELF_ATTENTION.model, n_layer=4, mlp="relu"),
    training=replace(_SELF_ATTENTION.training, budget=Budget(5, "epochs")),
)

_BPE_LAPTOP = Recipe(
    name="bpe-laptop",
    description="GPT-2's tokenizer on a small decoder: nearly all of it is the vocabulary.",
    source="a student project with tiktoken",
    model=replace(_CLASSIC, context_length=64, n_layer=4, n_head=4, d_model=128, mlp="gelu"),
    training=replace(
        _PYTORCH, budget=Budget(5, "epochs"), batch_size=64, learning_rate=1e-3, evaluate_every_epoch=True
    ),
    tokenizer="gpt2",
)

_BPE_LAPTOP_MODERN = replace(
    _BPE_LAPTOP,
    name="bpe-laptop-modern",
    description="The same shape with rotary positions, shared keys and a BPE of your own text.",
    source="the same student project, as it planned to go on; optimizer and rates are ours",
    model=ModelConfig(context_length=64, n_layer=4, n_head=4, n_kv_head=2, d_model=128),
    training=TrainingConfig(
        budget=Budget(5, "epochs"), batch_size=64, evaluate_every_epoch=True,
        learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
    ),
    tokenizer="bpe",
    # of 2,048 tokens half are met 67 times or more in a megabyte of Shakespeare, of 4,096 only 21 times
    bpe_vocab_size=2048,
)  # fmt: skip

_TINY_SHAKESPEARE = Recipe(
    name="tiny-shakespeare",
    description="The lecture's small model: 0.2M parameters on Tiny Shakespeare.",
    source="Karpathy's lecture \"Let's build GPT\" (2023), the notebook's last cell",
    model=replace(_CLASSIC, context_length=32, n_layer=4, n_head=4, d_model=64),
    training=replace(
        _PYTORCH, budget=Budget(5000), batch_size=16, learning_rate=1e-3, data_order="random",
        evaluation="random", evaluation_interval=100, sample_temperature=1.0,
    ),
)  # fmt: skip

LESSONS = (
    _CRAFTING_ATTENTION, _CHAR_POSTLN, _SELF_ATTENTION, _DECODER, _BPE_LAPTOP, _BPE_LAPTOP_MODERN, _TINY_SHAKESPEARE,
)  # fmt: skip
