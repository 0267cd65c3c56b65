"""The table of recipes by name. Every field of every row can be overridden when a run is started."""

from __future__ import annotations

from ..config import ConfigError, ModelConfig
from ..recipe import Budget, Recipe, TrainingConfig

DEFAULT_PRESET = "quick"

_NANOGPT = "nanoGPT, config/train_shakespeare_char.py"

PRESETS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="quick",
            description="Readable text within seconds on a laptop CPU: three small modern blocks.",
            source="ours; docs/benchmarks.md",
            model=ModelConfig(context_length=64, n_layer=3, n_head=3, n_kv_head=1, d_model=96, d_ff=256),
            training=TrainingConfig(
                budget=Budget(600), batch_size=32,
                learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
            ),
        ),
        Recipe(
            name="laptop",
            description="A minute or two on a laptop CPU: four modern blocks, twice the context.",
            source="ours; docs/benchmarks.md",
            model=ModelConfig(context_length=128, n_layer=4, n_head=4, n_kv_head=1, d_model=128, d_ff=256),
            training=TrainingConfig(
                budget=Budget(1600), batch_size=16,
                learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
            ),
        ),
        Recipe(
            name="modern-10m",
            description="Ten million parameters with the modern block: a GPU, or patience.",
            source="ours; not measured yet",
            model=ModelConfig(
                context_length=256, n_layer=6, n_head=6, n_kv_head=6, d_model=384, residual_dropout=0.15
            ),
            training=TrainingConfig(budget=Budget(2000), batch_size=64, weight_decay=0.1, warmup_steps=50),
        ),
        Recipe(
            name="modern-85m",
            description="GPT-2 small's depth and width with the modern block, on bytes: one large GPU.",
            source="ours; not measured yet",
            model=ModelConfig(context_length=1024, n_layer=12, n_head=12, d_model=768),
            training=TrainingConfig(budget=Budget(5000), batch_size=32, micro_batch_size=8, warmup_steps=200),
            tokenizer="byte",
        ),
        Recipe(
            name="nanogpt-char",
            description="nanoGPT's Shakespeare recipe for a GPU: 10.65M parameters, loss 1.47.",
            source=_NANOGPT,
            model=ModelConfig(
                context_length=256, n_layer=6, n_head=6, d_model=384,
                position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False, tied=True,
                attention_dropout=0.2, residual_dropout=0.2, embedding_dropout=0.2,
            ),
            training=TrainingConfig(
                budget=Budget(5000), batch_size=64, optimizer="adamw", learning_rate=1e-3, beta2=0.99,
                weight_decay=0.1, gradient_clip=1.0, warmup_steps=100, schedule="cosine",
                final_learning_rate_fraction=0.1, data_order="random", evaluation_interval=250, evaluation="random",
            ),
        ),
        Recipe(
            name="nanogpt-char-cpu",
            description="nanoGPT's Shakespeare recipe for a laptop: 0.80M parameters, loss 1.88.",
            source=f"{_NANOGPT} with the README's CPU settings",
            model=ModelConfig(
                context_length=64, n_layer=4, n_head=4, d_model=128,
                position="learned", norm="layer", norm_eps=1e-5, mlp="gelu", qk_norm=False, tied=True,
            ),
            training=TrainingConfig(
                budget=Budget(2000), batch_size=12, optimizer="adamw", learning_rate=1e-3, beta2=0.99,
                weight_decay=0.1, gradient_clip=1.0, warmup_steps=100, schedule="cosine",
                final_learning_rate_fraction=0.1, data_order="random", evaluation_interval=250, evaluation="random",
            ),
        ),
    )
}  # fmt: skip


def preset(name: str) -> Recipe:
    """The recipe called `name`. Raises ConfigError that lists the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"there is no preset '{name}'; choose one of {', '.join(PRESETS)}") from None
