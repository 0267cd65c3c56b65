"""What a training holds in memory, in bytes: counted from the shapes alone, before anything is built.

Counted are the tensors that gpt.py and the optimizers keep at the same time on a CPU; fused kernels on an accelerator
keep fewer. `python tests/benchmarks/training_memory.py` puts measured peaks beside it; docs/benchmarks.md has them.
Light: no torch here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .config import EXPLICIT_LENGTH, ModelConfig, parameter_count
from .cpu import has_bfloat16
from .recipe import TrainingConfig

PROCESS = 330_000_000  # the interpreter and torch, before there is a model
_LIBRARIES = 45_000_000  # what the math libraries load and prepare when they are first used: measured
_HEAP = 1.4  # resident memory for each byte of live activations: the heap has gaps between them. Measured, 1.3 to 1.45
_TOKENS_PER_PASS = {"cpu": 4096}  # of an evaluation: what stays in a CPU's cache; an accelerator wants more
_LOGITS_PER_PASS = 1 << 27  # half a gigabyte


@dataclass(frozen=True)
class TrainingMemory:
    """The parts of what a training holds beside its process, in bytes."""

    state: int  # weights, gradients, the optimizer's moments and the average: there all the time
    casts: int  # the weights in the activations' dtype, and the gradient of the largest matrix
    sequence: int  # each sequence of a micro-batch, from its forward pass until its gradient is computed
    optimizer: int  # one step of the optimizer
    evaluation: int  # one pass over held-out text, and the weights that make room for their average

    def peak(self, sequences: int) -> int:
        """The most that lies there at one time with `sequences` in a micro-batch."""
        return _LIBRARIES + self.state + max(self.casts + sequences * self.sequence, self.optimizer, self.evaluation)


def training_memory(model: ModelConfig, training: TrainingConfig, itemsize: int) -> TrainingMemory:
    """The memory of training `model` with activations of `itemsize` bytes a number: 4 for float32, 2 for bfloat16."""
    parameters, largest = parameter_count(model), model.vocab_size * model.d_model
    averaged = parameters if training.average else 0
    matrices = model.n_layer * max(_mlp_matrix_size(model), model.d_model * model.n_head * model.size_per_head)
    evaluated = model.context_length * evaluation_windows(model.vocab_size, model.context_length)
    logits = 12 * model.vocab_size  # float32: the log-probabilities and two gradients
    token = model.n_layer * _kept_by_block(model) * itemsize + 3 * model.d_model * itemsize + logits
    return TrainingMemory(
        state=4 * (4 * parameters + averaged),  # two moments; Muon has one for its matrices, and their update
        casts=4 * largest + (itemsize * parameters if itemsize < 4 else 0),
        sequence=int(_HEAP * model.context_length * token),
        optimizer=12 * matrices if training.optimizer == "muon" else 0,  # equal shapes stacked, three times in float32
        evaluation=4 * averaged + 8 * evaluated * model.vocab_size,  # logits and log-probabilities
    )


def expected_memory(model: ModelConfig, training: TrainingConfig) -> int:
    """Bytes that the whole train process will hold on this computer's CPU, for people; about right for a GPU too."""
    memory = training_memory(model, training, _itemsize(training))
    return PROCESS + memory.peak(training.micro_batch_size or training.batch_size)


def least_memory(model: ModelConfig, training: TrainingConfig) -> int:
    """Bytes that it holds beside its process with one sequence at a time: a train process comes down to that."""
    return training_memory(model, training, _itemsize(training)).peak(1)


def _itemsize(training: TrainingConfig) -> int:
    """Bytes of an activation on this computer's CPU."""
    return 2 if training.dtype == "bfloat16" or (training.dtype == "auto" and has_bfloat16()) else 4


def evaluation_windows(vocab_size: int, context_length: int, device_type: str = "cpu") -> int:
    """How many windows of held-out text an evaluation computes at once."""
    n_tokens = min(_TOKENS_PER_PASS.get(device_type, 1 << 16), _LOGITS_PER_PASS // vocab_size)
    return max(1, n_tokens // context_length)


def _kept_by_block(model: ModelConfig) -> int:
    """Numbers that a block keeps of each token for its gradient."""
    queries, keys = model.n_head * model.size_per_head, model.kv_heads * model.size_per_head
    kept = 2 * queries + 2 * keys + (queries + keys if model.qk_norm else 0)  # attention's operands and its result
    if model.context_length <= EXPLICIT_LENGTH:  # the attention weights, and with dropout its mask and its result
        kept += model.n_head * model.context_length * (3 if model.attention_dropout else 1)
    kept += 4 * model.d_model  # of both norms
    kept += 2 * model.d_model if model.residual_dropout else 0
    return kept + {"none": 0, "relu": 1, "swiglu": 4}.get(model.mlp, 2) * model.hidden_size


def _mlp_matrix_size(model: ModelConfig) -> int:
    """Numbers in the matrices of a block's MLP, which the optimizer treats at once."""
    return (3 if model.mlp == "swiglu" else 2) * model.d_model * model.hidden_size
