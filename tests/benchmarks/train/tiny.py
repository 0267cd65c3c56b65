"""A recipe that trains in a moment: thirty steps of a tiny model on one CPU thread."""

from dataclasses import replace

from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset
from minigpt_tui.models.recipe import Budget, Recipe

from .our_training import with_training

TINY: Recipe = replace(
    with_training(
        preset("quick"), budget=Budget(30), evaluation_interval=10, checkpoint_interval=30, batch_size=8,
        device="cpu", dtype="float32", threads=1,
    ),
    model=ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16),
)  # fmt: skip
