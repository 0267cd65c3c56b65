"""A process that writes a checkpoint to be measured: a preset's model with the weights that it has before training.

python -m benchmarks.generate.random_model FOLDER --preset gpt2 --characters 50257 [--positions 505]
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint
from minigpt_tui.models.presets import preset

from .workloads import alphabet


@torch.no_grad()
def make_model(name: str, characters: int, positions: int = 0) -> GPT:
    """The preset's model; where more `positions` are wanted than its table has, the table is repeated.

    So a peer that cannot read on past the context writes a longer text with the same weights.
    """
    model = GPT(dataclasses.replace(preset(name).model, vocab_size=characters))
    if positions <= model.config.context_length:
        return model
    longer = GPT(dataclasses.replace(model.config, context_length=positions))
    weights = model.state_dict()
    table = weights["positions"]
    longer.load_state_dict(weights | {"positions": table.repeat(-(-positions // len(table)), 1)[:positions]})
    return longer


def main() -> None:
    """Write the checkpoint that the command line describes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--characters", type=int, required=True)
    parser.add_argument("--positions", type=int, default=0)
    arguments = parser.parse_args()
    model = make_model(arguments.preset, arguments.characters, arguments.positions)
    arguments.folder.mkdir(parents=True)
    tokenizer = CharTokenizer(alphabet(arguments.characters))
    save_checkpoint(model, arguments.folder, tokenizer=tokenizer, step=0, validation_loss=None)


if __name__ == "__main__":
    main()
