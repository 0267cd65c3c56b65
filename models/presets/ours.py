"""Our own family: the modern block (rotary positions, RMSNorm, SwiGLU, QK-norm) and Muon at five sizes; fine-tuning.

docs/recipes.md has the runs that the numbers were chosen by, and says which of them were never measured.
"""

from __future__ import annotations

from ..config import ModelConfig
from ..recipe import Budget, Recipe, TrainingConfig

OURS = (
    Recipe(
        name="quick",
        description="Readable text within seconds on a laptop CPU: three small modern blocks.",
        source="ours; docs/recipes.md",
        model=ModelConfig(context_length=64, n_layer=3, n_head=3, n_kv_head=1, d_model=96, d_ff=256),
        training=TrainingConfig(
            budget=Budget(600), batch_size=32, average=0.99,
            learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
        ),
    ),
    Recipe(
        name="laptop",
        description="A minute or two on a laptop CPU: four modern blocks, twice the context.",
        source="ours; docs/recipes.md",
        model=ModelConfig(context_length=128, n_layer=4, n_head=4, n_kv_head=1, d_model=128, d_ff=256),
        training=TrainingConfig(
            budget=Budget(1600), batch_size=16, average=0.99,
            learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
        ),
    ),
    Recipe(
        name="thorough",
        description="Ten to twenty minutes on a CPU: six modern blocks, 256 tokens of context.",
        source="ours; docs/recipes.md",
        model=ModelConfig(
            context_length=256, n_layer=6, n_head=6, n_kv_head=2, d_model=192, d_ff=512, residual_dropout=0.1
        ),
        training=TrainingConfig(
            budget=Budget(2800), batch_size=16, weight_decay=0.1, decay_fraction=0.8, average=0.99,
            learning_rate=0.025, embedding_learning_rate=0.05, head_learning_rate=0.008,
        ),
    ),
    # The rates are those of `thorough`; the head's falls with the width, as the sum that makes a logit grows with it.
    # Dropout, decay and warm-up are for the thirty passes over a megabyte that the budget makes.
    Recipe(
        name="modern-10m",
        description="Ten million parameters with the modern block: a GPU, or patience.",
        source="ours, after JiHa-Kim/tinyshakespeare-gpt (2026); docs/recipes.md",
        model=ModelConfig(context_length=256, n_layer=6, n_head=6, n_kv_head=6, d_model=384, residual_dropout=0.15),
        training=TrainingConfig(
            budget=Budget(2000), batch_size=64, weight_decay=0.3, warmup_steps=100, average=0.99,
            learning_rate=0.025, embedding_learning_rate=0.05, head_learning_rate=0.004,
        ),
    ),
    # As long and as wide as GPT-2 small. Its tied table is an output layer as well, and gets the rate of one. Twenty
    # tokens for each parameter are what Hoffmann et al. (2022) found best for a given amount of computing.
    Recipe(
        name="modern-124m",
        description="GPT-2 small's size and tokenizer with the modern block: one large GPU.",
        source="ours; not measured yet",
        model=ModelConfig(context_length=1024, n_layer=12, n_head=12, d_model=768, tied=True),
        training=TrainingConfig(
            budget=Budget(2.5e9, "tokens"), batch_size=480, micro_batch_size=24, embedding_learning_rate=0.004,
            weight_decay=0.01, warmup_steps=200,
        ),
        tokenizer="gpt2",
    ),
)  # fmt: skip

# The rate is that of GPT-2 small's width, a third of what such a model is trained with from the start: it takes on a
# new text in some hundred steps and keeps what it knows. `fine_tuning_rate` scales it for other widths. Nothing but
# the longest context, the dropouts and the training counts: `fine_tuning` puts the model that is gone on with into the
# place of this one, and the tokenizer is that model's, so without a model there is nothing to start.
FINE_TUNING = Recipe(
    name="finetune",
    description="Go on with a trained model, gently: small rates, few steps.",
    source="ours; after nanoGPT, config/finetune_shakespeare.py",
    model=ModelConfig(context_length=512),
    training=TrainingConfig(
        budget=Budget(300), batch_size=16, micro_batch_size=4, optimizer="adamw", learning_rate=2e-4,
        weight_decay=0.01, gradient_clip=1.0, warmup_steps=20, decay_fraction=1.0, patience=5,
    ),
    tokenizer="huggingface",
)  # fmt: skip

_REFERENCE_WIDTH = 768
_LARGEST_RATE = 3e-3  # what was tried; narrower models than those would have more


def fine_tuning_rate(rate: float, d_model: int) -> float:
    """AdamW's `rate` for GPT-2 small's width, scaled for a model that is `d_model` wide: in inverse proportion.

    AdamW moves each weight by about its rate, whatever the gradient, and a sum over twice as many moves twice as far
    (Yang et al., 2021). Measured: from `tales` to Shakespeare in 300 steps, 96 wide with 3e-4 came to 2.13 nats per
    byte, 256 wide with 1e-4 to 2.15.
    """
    return float(f"{min(_LARGEST_RATE, rate * _REFERENCE_WIDTH / d_model):.2g}")
