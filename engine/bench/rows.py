"""The pieces of work that `bench train` knows by name. How each is done stands in cpu_rows and gpu_rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A piece of work: its name, one line of what is measured, and what it needs."""

    name: str
    work: str
    needs_gpu: bool = False
    own_text: bool = False  # it learns from a text that --corpus must name, and is done only where it is asked for


ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("cpu-time-to-loss", "Tiny Shakespeare on the CPU: seconds until the loss of nanoGPT's CPU recipe, 1.898"),
        Row("cpu-budget", "the same text, 80 seconds of training on the CPU: the loss at context 64"),
        Row("gpu-quality", "Tiny Shakespeare, 10.7M parameters: best loss, and seconds until 1.4697", needs_gpu=True),
        Row("gpu-throughput", "10.65M parameters, batches of 64 x 256: tokens a second", needs_gpu=True),
        Row("gpu-mfu", "GPT-2's smallest size, context 1024: the share of the GPU's peak that is used", needs_gpu=True),
        Row("crafting-attention", "15,000 steps of that preset on the collected Shakespeare: seconds and loss",
            needs_gpu=True, own_text=True),
    )
}  # fmt: skip
