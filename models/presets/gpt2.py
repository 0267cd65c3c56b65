"""GPT-2 in its four published sizes, to be trained from the start or as the shape of a model that is opened.

Sizes: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), table 2, as the released weights
have them. GPT-2's training was never published, so the rates and batches are those of the same sizes of GPT-3 (Brown et
al., 2020, table 2.1), which nanoGPT's config/train_gpt2.py follows too, and the rest is nanoGPT's: AdamW, decay, cosine
to a tenth, clipping, no dropout. The rate rises over GPT-3's 375 million tokens, and the budget is twenty tokens for
each parameter (Hoffmann et al., 2022), the best use of one GPU; nanoGPT's own 600,000 steps are 120 times as many for
the small model.
"""

from __future__ import annotations

from ..config import ModelConfig
from ..recipe import Budget, Recipe, TrainingConfig

_WARMUP = 375_000_000  # tokens


def _gpt2(
    name: str, size: str, *, n_layer: int, n_head: int, d_model: int,
    learning_rate: float, batch_size: int, micro_batch_size: int, tokens: float,
) -> Recipe:  # fmt: skip
    """One row: the shape, the rate, and a micro-batch that fits a GPU with 80 GB."""
    return Recipe(
        name=name,
        description=f"GPT-2's architecture and tokenizer, {size}: one large GPU, and a large text.",
        source="GPT-2 (2019) for the shape, GPT-3 (2020) and nanoGPT for the training",
        model=ModelConfig(
            context_length=1024, n_layer=n_layer, n_head=n_head, d_model=d_model, position="learned",
            norm="layer", norm_eps=1e-5, mlp="gelu_tanh", qk_norm=False, tied=True, bias=True,
        ),
        training=TrainingConfig(
            budget=Budget(tokens, "tokens"), batch_size=batch_size, micro_batch_size=micro_batch_size,
            optimizer="adamw", learning_rate=learning_rate, weight_decay=0.1, gradient_clip=1.0,
            warmup_steps=_WARMUP // (batch_size * 1024), schedule="cosine", final_learning_rate_fraction=0.1,
        ),
        tokenizer="gpt2",
    )  # fmt: skip


GPT2 = (
    _gpt2("gpt2", "124M", n_layer=12, n_head=12, d_model=768,
          learning_rate=6e-4, batch_size=480, micro_batch_size=24, tokens=2.5e9),
    _gpt2("gpt2-medium", "355M", n_layer=24, n_head=16, d_model=1024,
          learning_rate=3e-4, batch_size=480, micro_batch_size=16, tokens=7.1e9),
    _gpt2("gpt2-large", "774M", n_layer=36, n_head=20, d_model=1280,
          learning_rate=2.5e-4, batch_size=480, micro_batch_size=12, tokens=15.5e9),
    _gpt2("gpt2-xl", "1.56B", n_layer=48, n_head=25, d_model=1600,
          learning_rate=2e-4, batch_size=960, micro_batch_size=6, tokens=31.2e9),
)  # fmt: skip
