"""A recipe is everything that decides how a run goes: model, tokenizer, optimizer, schedule, batch, evaluation.

Light: no torch here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Literal

from .config import ConfigError, ModelConfig, described, parameter_count

Unit = Literal["steps", "minutes", "epochs", "tokens"]
Optimizer = Literal["adamw", "muon"]
Schedule = Literal["linear", "cosine", "constant"]
DataOrder = Literal["shuffle", "random"]
Protocol = Literal["full", "random", "sliding"]
TokenizerKind = Literal["char", "byte", "gpt2", "bpe", "huggingface"]  # the last: as a foreign model brought it
UnknownCharacters = Literal["drop", "refuse", "token"]
AutoOrOff = Literal["auto", "off"]
Switch = Literal["on", "off"]
DTypeChoice = Literal["auto", "float32", "bfloat16"]

MOST_SAMPLE_PROMPTS = 16  # each is continued at every evaluation

_UNITS: dict[str, tuple[Unit, float]] = {
    "steps": ("steps", 1), "step": ("steps", 1), "": ("steps", 1),
    "minutes": ("minutes", 1), "minute": ("minutes", 1), "min": ("minutes", 1), "m": ("minutes", 1),
    "seconds": ("minutes", 1 / 60), "second": ("minutes", 1 / 60), "s": ("minutes", 1 / 60),
    "hours": ("minutes", 60), "hour": ("minutes", 60), "h": ("minutes", 60),
    "epochs": ("epochs", 1), "epoch": ("epochs", 1),
    "tokens": ("tokens", 1),
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """How long a run trains. The learning-rate schedule follows it."""

    amount: float
    unit: Unit = "steps"

    def __post_init__(self) -> None:
        if not 0 < self.amount < float("inf"):
            raise ConfigError(f"a budget of {self.amount:g} {self.unit} is not possible; give a number above 0")
        if self.unit == "steps" and self.amount != int(self.amount):
            raise ConfigError(f"{self.amount:g} steps is not a whole number of steps")

    def __str__(self) -> str:
        amount = f"{self.amount:,.0f}" if self.amount == int(self.amount) else f"{self.amount:g}"
        return f"{amount} {self.unit}"

    @property
    def written(self) -> str:
        """The budget as `parse` reads the same one again, to the last digit: `str` rounds it."""
        if self.amount == int(self.amount):
            return str(self)
        return f"{Decimal(repr(self.amount)):f} {self.unit}"

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read "2000", "2000 steps", "5 minutes", "30 s", "2 epochs". Raises ConfigError with what is understood."""
        match = re.fullmatch(r"\s*([0-9][0-9_,]*\.?[0-9]*)\s*([a-z]*)\s*", text.lower())
        if match is None or match[2] not in _UNITS:
            raise ConfigError(f"the budget '{text}' is not understood; write '2000 steps', '5 minutes' or '2 epochs'")
        unit, factor = _UNITS[match[2]]
        return cls(float(match[1].replace(",", "").replace("_", "")) * factor, unit)


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. Raises ConfigError for values that cannot work."""

    budget: Budget = described(Budget(2000), "How long to train: steps, minutes, epochs or tokens.")
    batch_size: int = described(32, "Sequences per optimizer step.")
    micro_batch_size: int = described(0, "Sequences per forward pass; 0 means the whole batch at once.")
    optimizer: Optimizer = described("muon", "AdamW, or Muon for hidden matrices with AdamW for the rest.")
    learning_rate: float = described(0.02, "Peak rate: AdamW's, or Muon's for the hidden matrices.")
    embedding_learning_rate: float = described(0.02, "AdamW's rate for embeddings and norms beside Muon.")
    head_learning_rate: float = described(0.02, "AdamW's rate for the output layer beside Muon.")
    momentum: float = described(0.95, "Muon's Nesterov momentum.")
    beta1: float = described(0.9, "AdamW's decay of the first moment.")
    beta2: float = described(0.95, "AdamW's decay of the second moment.")
    weight_decay: float = described(0.0, "Decoupled decay of matrices, scaled by the learning rate.")
    gradient_clip: float = described(0.0, "Largest norm of the gradient; 0 means no clipping.")
    warmup_steps: int = described(0, "Steps over which the rate rises from 0.")
    schedule: Schedule = described("linear", "Linear: constant, then down to the final rate. Cosine decays throughout.")
    decay_fraction: float = described(0.6, "Share of the budget that the linear decay takes.")
    final_learning_rate_fraction: float = described(0.0, "The rate at the end, as a fraction of the peak.")
    average: float = described(0.0, "Decay of an exponential average of the weights; 0 means none.")
    data_order: DataOrder = described("shuffle", "Shuffle windows once an epoch, or draw random offsets.")
    evaluation_interval: int = described(0, "Steps between evaluations; 0 chooses by time.")
    evaluation: Protocol = described("full", "Which validation loss is reported.")
    evaluation_batches: int = described(200, "Batches that the random protocol draws for an evaluation.")
    checkpoint_interval: int = described(0, "Steps between checkpoints; 0 chooses by time.")
    checkpoint_history: int = described(0, "Steps between checkpoints that are kept to look back to; 0 means none.")
    checkpoint_history_limit: int = described(10, "How many of those stay, spread over the run.")
    evaluate_every_epoch: bool = described(False, "Evaluate after each pass over the training text, and only then.")
    sample_interval: int = described(0, "Steps between samples; 0 means one at each evaluation.")
    sample_prompt: str = described("", "What the samples continue; nothing means they begin by themselves.")
    sample_prompts: tuple[str, ...] = described((), "Several prompts, in the place of the one; each is continued.")
    sample_temperature: float = described(0.8, "The temperature of the samples; 0 is greedy.")
    patience: int = described(0, "Stop after this many evaluations without a better loss; 0 means never.")
    minimum_steps: int = described(0, "Steps before which no lack of a better loss stops the run.")
    seed: int = described(1337, "Seed of weights, data order and dropout.")
    deterministic: bool = described(
        False,
        "Let nothing depend on timing: CPU threads and dtype are fixed, and only kernels run that repeat exactly.",
    )
    device: str = described("auto", "auto, cpu, cuda, cuda:1, mps or xpu.")
    dtype: DTypeChoice = described("auto", "The type that activations and matrix products use; weights stay float32.")
    cuda_graph: AutoOrOff = described(
        "auto",
        "Whether a cuda device, which with ROCm is an AMD GPU, replays updates as one graph: auto (where it can), off.",
    )
    compile: Switch = described(
        "off", "Whether torch.compile makes the loss faster; half a minute at first. on or off."
    )
    threads: int = described(0, "CPU threads; 0 chooses by what is there.")
    devices: int = described(1, "Processes that train together, each on a GPU of its own or on its share of the CPU.")
    sharded: bool = described(False, "Spread the model over these processes, for one that does not fit a device.")

    @property
    def all_sample_prompts(self) -> tuple[str, ...]:
        """What each round of samples continues; at least one, which may be empty."""
        return self.sample_prompts or (self.sample_prompt,)

    def __post_init__(self) -> None:
        for name in ("batch_size", "evaluation_batches", "checkpoint_history_limit", "devices"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("micro_batch_size", "warmup_steps", "evaluation_interval", "checkpoint_interval",
                     "checkpoint_history", "sample_interval", "patience", "minimum_steps", "threads",
                     "weight_decay", "gradient_clip"):  # fmt: skip
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it cannot be negative")
            if not getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; give a finite number, or 0 for none")
        for name in ("learning_rate", "embedding_learning_rate", "head_learning_rate"):
            if not 0 < getattr(self, name) < 100:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0 and below 100")
        for name in ("momentum", "beta1", "beta2", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1")
        for name in ("decay_fraction", "final_learning_rate_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        if not 0 <= self.sample_temperature <= 100:
            raise ConfigError(f"sample_temperature is {self.sample_temperature}; it must lie between 0 and 100")
        if len(self.sample_prompts) > MOST_SAMPLE_PROMPTS:
            raise ConfigError(
                f"{len(self.sample_prompts)} sample prompts are too many; give {MOST_SAMPLE_PROMPTS} at most"
            )
        if not -(1 << 63) <= self.seed < 1 << 63:
            raise ConfigError(f"seed is {self.seed}; it must be a number of at most 63 bits")
        if self.sharded and self.devices == 1:
            raise ConfigError("sharded spreads the model over several processes, and devices is 1; give at least 2")
        if self.sharded and self.compile == "on":
            raise ConfigError("a model that is sharded is not compiled; leave out compile or sharded")
        if self.evaluate_every_epoch and self.evaluation_interval:
            raise ConfigError(
                f"evaluate_every_epoch leaves no room for an evaluation_interval of {self.evaluation_interval}; "
                "choose one of them"
            )
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ConfigError(
                f"batch_size {self.batch_size} is not a multiple of micro_batch_size {self.micro_batch_size}; change "
                "one of them, or give micro_batch_size 0 for the whole batch at once"
            )


BPE_SIZES = (257, 1 << 20)  # every byte and the token that ends a text; more tokens than any model has
_USUAL_VOCABULARY: dict[TokenizerKind, int] = {"char": 65, "byte": 256, "gpt2": 50257}  # char: Tiny Shakespeare's


@dataclass(frozen=True)
class Recipe:
    """A named preset: a whole recipe, one line of what it is, and where it comes from.

    Raises ConfigError for values that cannot work.
    """

    name: str
    description: str
    source: str
    model: ModelConfig
    training: TrainingConfig
    tokenizer: TokenizerKind = described("char", "Characters, bytes, GPT-2's BPE, or a BPE trained on the text.")
    bpe_vocab_size: int = described(4096, "Tokens of a BPE that is trained on the text.")
    unknown_characters: UnknownCharacters = described(
        "drop", "Characters that a character tokenizer has never seen: left out, refused, or a token of their own."
    )
    literal: bool = described(False, "Read the names of special tokens, such as <|endoftext|>, as plain text.")
    validation_fraction: float = described(0.1, "The last part of the text, kept for validation.")

    def __post_init__(self) -> None:
        least, most = BPE_SIZES
        if not least <= self.bpe_vocab_size <= most:
            raise ConfigError(f"bpe_vocab_size is {self.bpe_vocab_size:,}; it must lie between {least:,} and {most:,}")
        if not 0 < self.validation_fraction < 1:
            raise ConfigError(f"validation_fraction is {self.validation_fraction}; it must be above 0 and below 1")

    def overridden(self, **changes: Any) -> Recipe:
        """The recipe with other values of some fields, named as in ModelConfig, TrainingConfig or here.

        Two fields follow another one, unless they are given as well. With `n_head`, `n_kv_head` changes so that as
        many heads share keys and values as before, or none do where that many do not divide the heads. With
        `batch_size`, `micro_batch_size` becomes the largest number that divides both it and the new batch.

        Raises ConfigError for values that do not go together, TypeError for a name that no part has.
        """
        model, training = self.model, self.training
        if "n_head" in changes and "n_kv_head" not in changes:
            shared = changes["n_head"] * model.n_kv_head
            changes["n_kv_head"] = 0 if shared % model.n_head else shared // model.n_head
        if "batch_size" in changes and "micro_batch_size" not in changes and training.micro_batch_size:
            changes["micro_batch_size"] = math.gcd(training.micro_batch_size, changes["batch_size"])
        of_model = {field.name: changes.pop(field.name) for field in fields(model) if field.name in changes}
        of_training = {field.name: changes.pop(field.name) for field in fields(training) if field.name in changes}
        return replace(self, model=replace(model, **of_model), training=replace(training, **of_training), **changes)

    @property
    def usual_vocabulary(self) -> int:
        """How many tokens its tokenizer usually has; 0 where a model will bring one."""
        return self.bpe_vocab_size if self.tokenizer == "bpe" else _USUAL_VOCABULARY.get(self.tokenizer, 0)

    def parameters(self, vocab_size: int = 0) -> int:
        """The model's parameters with that vocabulary; without one, with the size that its tokenizer usually has.

        0 where neither is known, as for a fine-tuning before its model is chosen.
        """
        size = vocab_size or self.model.vocab_size or self.usual_vocabulary
        return parameter_count(replace(self.model, vocab_size=size)) if size else 0
