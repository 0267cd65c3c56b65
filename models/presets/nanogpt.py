"""nanoGPT's two Shakespeare recipes, number by number.

nanoGPT's max_iters, eval_iters and dropout are our budget, evaluation_batches and three dropouts; its min_lr is our
final fraction of the rate. AdamW's epsilon, the decay of matrices alone and the first weights are the same in both.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import ModelConfig
from ..recipe import Budget, Recipe, TrainingConfig

_GPU = Recipe(
    name="nanogpt-char",
    description="nanoGPT's Shakespeare recipe for a GPU; its loss is 1.47.",
    source="nanoGPT, config/train_shakespeare_char.py",
    model=ModelConfig(
        context_length=256, n_layer=6, n_head=6, d_model=384,
        position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False, tied=True,
        attention_dropout=0.2, residual_dropout=0.2, embedding_dropout=0.2,
    ),
    training=TrainingConfig(
        budget=Budget(5000), batch_size=64, optimizer="adamw", learning_rate=1e-3, beta2=0.99,
        weight_decay=0.1, gradient_clip=1.0, warmup_steps=100, schedule="cosine", final_learning_rate_fraction=0.1,
        data_order="random", evaluation_interval=250, evaluation="random", evaluation_batches=200,
    ),
)  # fmt: skip

_CPU = replace(
    _GPU,
    name="nanogpt-char-cpu",
    description="nanoGPT's Shakespeare recipe for a laptop; its loss is 1.88.",
    source="nanoGPT, README.md: its command for a computer without a GPU",
    model=replace(
        _GPU.model, context_length=64, n_layer=4, n_head=4, d_model=128,
        attention_dropout=0.0, residual_dropout=0.0, embedding_dropout=0.0,
    ),
    training=replace(_GPU.training, budget=Budget(2000), batch_size=12, evaluation_batches=20),
)  # fmt: skip

NANOGPT = (_GPU, _CPU)
