"""Losses on held-out text, each under the name of its protocol; they are never mixed.

full     windows side by side over all of the text; every token but the first is predicted once; deterministic
random   nanoGPT's: 200 batches (or as many as are asked for) of windows at random places, from a fixed seed
sliding  windows a quarter of the context apart; each token is predicted once, with at least 3/4 of the context
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ....data.dataset import sliding_window_starts, validation_windows
from ....models.gpt import GPT
from ....models.memory import evaluation_windows
from ....models.recipe import Protocol
from ...text_loss import TextLoss
from ..group import Group, Instruction

_IGNORED = -100  # F.cross_entropy leaves such targets out


class EvaluationEnded(Exception):
    """Rank 0 has ended the evaluation; raised in the other ranks."""


def evaluate(
    model: GPT,
    tokens: Tensor,
    n_bytes: int,
    protocol: Protocol,
    *,
    batch_size: int = 64,
    batches: int = 200,
    context_length: int | None = None,
    seed: int = 0,
    share: float = 1.0,
    progress: Callable[[float], None] | None = None,
    group: Group | None = None,
    collective_forward: bool = False,
) -> TextLoss:
    """The loss of `tokens` (1-D, on the model's device), which stand for `n_bytes` of UTF-8 text.

    Windows are as long as the model's context, unless `context_length` says a shorter one.
    `batch_size`, `batches` and `seed` matter to `random` alone; of `full` and `sliding` a `share` below 1 takes so many
    of the windows, evenly spaced. `progress` receives the fraction done after each pass.
    Draws from no global random state, and leaves the model in the mode in which it was. The ranks of a `group` share
    the passes: rank 0 has the others begin, and what `progress` raises there ends the evaluation in all of them.
    Where a forward pass is a collective of all ranks (`collective_forward`), each computes as many as the others.

    Raises LostProcessError, EvaluationEnded.
    """
    if group and group.rank == 0:
        group.instruct(Instruction.EVALUATE)
    training = model.training
    model.eval()
    total, count = 0.0, 0
    length = context_length or model.config.context_length
    rows = evaluation_windows(model.config.vocab_size, length, tokens.device.type)
    windows = _windows(tokens, length, protocol, rows, batches * batch_size, seed, share)
    try:
        # a sharded model keeps the parameters that it gathers here, and could not train with inference tensors
        with torch.no_grad() if collective_forward else torch.inference_mode():
            turn, inputs, targets = 0, tokens, tokens
            for turn, (inputs, targets, done) in enumerate(windows, start=1):
                if group is None or turn % group.size == group.rank:
                    total += model.loss(inputs, targets, reduction="none").sum().item()  # summed pairwise
                    count += int((targets != _IGNORED).sum())
                if group is None or turn % group.size == 0:
                    _report(group, progress, done)
            if group and collective_forward and turn % group.size and not 1 <= group.rank <= turn % group.size:
                model.loss(inputs, targets)  # the last round has no pass for this rank, but the others need its shards
    finally:
        model.train(training)
    if group:
        sums = torch.tensor([total, count], dtype=torch.float64)
        group.all_reduce(sums)
        total, count = sums[0].item(), int(sums[1])
    return TextLoss(total / count, count, n_bytes / len(tokens))


def _report(group: Group | None, progress: Callable[[float], None] | None, done: float) -> None:
    """Let rank 0 report the fraction done; where that raises, the evaluation ends in all ranks."""
    if group and group.rank != 0:
        if group.next_instruction()[0] != Instruction.CONTINUE_EVALUATION:
            raise EvaluationEnded
        return
    try:
        if progress:
            progress(done)
    except BaseException:
        if group:
            group.instruct(Instruction.END_EVALUATION)
        raise
    if group:
        group.instruct(Instruction.CONTINUE_EVALUATION)


def n_positions(protocol: Protocol, n_tokens: int, context_length: int, random_windows: int) -> int:
    """How many positions an evaluation computes: what its duration grows with."""
    match protocol:
        case "full":
            return n_tokens - 1
        case "random":
            return random_windows * context_length
        case "sliding":
            return len(sliding_window_starts(n_tokens, context_length)[0]) * context_length


def _windows(
    tokens: Tensor, context_length: int, protocol: Protocol, rows: int, random_windows: int, seed: int, share: float
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Inputs and targets (B, T) of a protocol, and the fraction done with them."""
    if protocol == "full" and share == 1:
        seen = 0
        for inputs, targets in validation_windows(tokens, context_length, rows):
            seen += targets.numel()
            yield inputs, targets, seen / (len(tokens) - 1)
        return
    if protocol == "random":
        generator = torch.Generator().manual_seed(seed)
        starts = torch.randint(len(tokens) - context_length, (random_windows,), generator=generator)
        first_new = starts
    else:
        starts, first_new = sliding_window_starts(len(tokens), context_length)
        if protocol == "full":
            starts = first_new = torch.arange(0, len(tokens) - context_length, context_length)
        number = max(1, round(share * len(starts)))
        chosen = torch.arange(number) * len(starts) // number
        starts, first_new = starts[chosen], first_new[chosen]
    offsets = torch.arange(context_length + 1, device=tokens.device)
    for i in range(0, len(starts), rows):
        positions = starts[i : i + rows, None].to(tokens.device) + offsets
        window = tokens[positions].long()
        predicted_before = positions[:, :-1] < first_new[i : i + rows, None].to(tokens.device)
        targets = window[:, 1:].masked_fill(predicted_before, _IGNORED)
        yield window[:, :-1], targets, min(1.0, (i + rows) / len(starts))
