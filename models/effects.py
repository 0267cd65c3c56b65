"""What more or less of each field of a recipe does, and each of its choices: beside `described`, which says what it is.

Light: no torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Effect:
    """What a higher and a lower value would do, and what each of the values does that have a meaning of their own."""

    more: str = ""
    less: str = ""
    choices: Mapping[Any, str] = field(default_factory=dict)

    def of(self, value: Any) -> str:
        """What this value does; empty for one among many."""
        return self.choices.get(value, "")


def _dropout(where: str) -> Effect:
    return Effect(
        f"Learns less by heart, more slowly: good where a small text is read many times. {where}",
        "Learns faster; right where the text is seen about once.",
        {0.0: "No dropout."},
    )


_RATE = Effect(
    "Learns faster, up to where the loss jumps or diverges.",
    "Calmer and slower; too little, and the budget ends before the model has learned what it could.",
)
_ONLY_SPEED = "It changes the speed, not what is learned."

EFFECTS: dict[str, Effect] = {
    # the model
    "vocab_size": Effect(
        "Shorter sequences for the same text, and more parameters in the embedding.",
        "Longer sequences; the model spells more and knows fewer words as one piece.",
        {0: "The tokenizer decides."},
    ),
    "context_length": Effect(
        "Sees more of what came before; an update takes more time and memory, attention in its square.",
        "Faster, and blind to what stands further back.",
    ),
    "n_layer": Effect(
        "More steps of thought for each token: better with enough text, slower in proportion.",
        "Faster, and sooner at its limit.",
    ),
    "n_head": Effect(
        "More places that a token can look at in one block, each with a narrower view.", "Fewer and wider views.",
        {1: "One view for each block."},
    ),
    "n_kv_head": Effect(
        "Closer to full attention, with more memory for each token of context.",
        "Less memory while writing, and slightly less able.",
        {0: "As many as heads: full attention.", 1: "All heads share one: multi-query attention."},
    ),
    "d_model": Effect(
        "Knows more; time and parameters grow with its square.", "Faster and smaller; forgets rare words first."
    ),
    "head_dim": Effect(
        "Each head compares more finely.", "Cheaper heads.", {0: "d_model divided by the number of heads."}
    ),
    "d_ff": Effect(
        "More of the model's knowledge fits; two thirds of a block's parameters are here.", "Smaller and faster.",
        {0: "The usual width for this kind of MLP."},
    ),
    "position": Effect(choices={
        "learned": "One learned vector for each place, as in GPT-2; it cannot write beyond its context.",
        "sinusoidal": "Fixed waves, as in the first Transformer.",
        "rope": "Queries and keys are rotated by their place, so that distances count: the usual choice today.",
        "none": "No positions: the causal mask alone tells the order.",
    }),
    "rope_theta": Effect("Slower rotations, for longer contexts.", "Faster rotations, for short ones."),
    "rope_scaling": Effect(choices={
        "none": "Positions as they were trained.", "linear": "All positions are pressed together.",
        "llama3": "Only slow rotations are stretched, as in Llama 3.",
    }),
    "rope_factor": Effect("Reaches further, with coarser places.", "Finer places.", {1.0: "Nothing is stretched."}),
    "rope_low_frequency_factor": Effect("Fewer rotations are slowed in full.", "More of them are."),
    "rope_high_frequency_factor": Effect("More rotations are slowed at least a little.", "Fewer of them are."),
    "rope_original_context": Effect(
        "Stretching begins at slower rotations.", "It begins at faster ones: write what the model was trained with."
    ),
    "norm": Effect(choices={
        "layer": "Mean and variance are taken out, with a bias, as in GPT-2.",
        "rms": "Only the size is taken out: faster, and as good.",
    }),
    "norm_position": Effect(choices={
        "pre": "Before each sub-layer: deep models train without trouble.",
        "post": "Behind each sum, as in the first Transformer: wants a warm-up and a lower rate.",
    }),
    "norm_eps": Effect("Steadier where activations are tiny.", "Closer to an exact norm."),
    "mlp": Effect(choices={
        "gelu": "GELU, as in GPT-2.", "gelu_tanh": "GELU by its approximation, as in GPT-2's own code.",
        "relu": "ReLU, the simplest.", "relu2": "The square of ReLU: cheap, and good in small models.",
        "swiglu": "A gate beside the values: the best for its size in most models.", "none": "Attention alone.",
    }),
    "qk_norm": Effect(choices={
        True: "Attention cannot run away, so higher rates work.", False: "As in GPT-2; high rates may diverge.",
    }),
    "tied": Effect(choices={
        True: "Fewer parameters: good where the vocabulary is most of the model.",
        False: "Input and output may differ: slightly better with enough text.",
    }),
    "bias": Effect(choices={True: "As in GPT-2.", False: "Slightly faster, and as good."}),
    "qkv_bias": Effect(choices={True: "As in Qwen2.", False: "Without, as in most models."}),
    "attention_dropout": _dropout("Whole glances are left out."),
    "residual_dropout": _dropout("Parts of what a sub-layer says are left out."),
    "embedding_dropout": _dropout("Parts of each token are left out."),
    # how it is trained
    "budget": Effect(
        "A lower loss, until it flattens or the model learns the text by heart.",
        "Done sooner; the schedule is pressed into the shorter time.",
    ),
    "batch_size": Effect(
        "Smoother updates, each slower; a somewhat higher rate becomes possible.",
        "More and rougher updates for the same text: often better on a CPU.",
    ),
    "micro_batch_size": Effect(
        f"More memory, better use of a GPU. {_ONLY_SPEED}", f"Less memory. {_ONLY_SPEED}",
        {0: "The whole batch at once, or as much as memory holds."},
    ),
    "optimizer": Effect(choices={
        "adamw": "The usual one: forgiving, and about twice the steps of Muon in small models.",
        "muon": "Makes the updates of hidden matrices orthogonal: learns most per step.",
    }),
    "learning_rate": _RATE,
    "embedding_learning_rate": _RATE,
    "head_learning_rate": _RATE,
    "momentum": Effect("Remembers gradients for longer: smoother.", "Turns faster, and is rougher.",
                       {0.0: "Each gradient alone."}),
    "beta1": Effect("Remembers gradients for longer.", "Turns faster.", {0.0: "Each gradient alone."}),
    "beta2": Effect(
        "A longer memory of how large gradients are: calmer, slow to see that they grew.",
        "Adapts faster: good for small batches.",
    ),
    "weight_decay": Effect(
        "Keeps weights small: less by heart, slower to learn.", "Weights may grow.", {0.0: "No decay."}
    ),
    "gradient_clip": Effect(
        "Cuts only the worst gradients.", "Cuts more of them: calmer, slower.", {0.0: "No gradient is cut."}
    ),
    "warmup_steps": Effect(
        "A gentler beginning: for high rates, post-norm and AdamW.", "Full rate sooner.",
        {0: "The full rate at once, which Muon and qk_norm allow."},
    ),
    "schedule": Effect(choices={
        "linear": "Constant, then down to the end: the loss falls most in the last part.",
        "cosine": "Falls in half a wave over the whole budget, as in nanoGPT.",
        "constant": "The same to the end: can be continued at any time, ends a little higher.",
    }),
    "decay_fraction": Effect(
        "The fall begins earlier.", "Trains for longer at the full rate.", {0.0: "The rate never falls."}
    ),
    "final_learning_rate_fraction": Effect(
        "Still learns at the end.", "Settles further: usually a slightly lower loss.", {0.0: "Down to nothing."}
    ),
    "average": Effect(
        "Averages over more steps: smoother, and behind while the loss falls fast.", "Closer to the present weights.",
        {0.0: "No average: the weights themselves are evaluated and saved."},
    ),
    "data_order": Effect(choices={
        "shuffle": "Each window once an epoch, in a new order.", "random": "Places drawn at random, as in nanoGPT.",
    }),
    "evaluation_interval": Effect("Fewer readings, more time for training.", "A finer curve, and more time for it.",
                                  {0: "Chosen by time: often at first, within 15 percent of it."}),
    "evaluation": Effect(choices={
        "full": "All of the validation text once: repeats exactly.",
        "random": "nanoGPT's, from windows at random places.",
        "sliding": "Each token with at least three quarters of the context: the lowest figure, and the slowest.",
    }),
    "evaluation_batches": Effect("A steadier figure, more time.", "A quicker and rougher one."),
    "checkpoint_interval": Effect("Less is written, more is lost by a power cut.", "Less is lost.",
                                  {0: "Chosen by time, within 3 percent of it."}),
    "checkpoint_history": Effect("Fewer to look back to.", "More of them, on disk.", {0: "None are kept."}),
    "checkpoint_history_limit": Effect("More of the run can be looked at later.", "Less disk."),
    "evaluate_every_epoch": Effect(choices={True: "After each pass over the text.", False: "By steps or time."}),
    "sample_interval": Effect("Samples come less often.", "They come more often.", {0: "At each evaluation."}),
    "sample_prompt": Effect(choices={"": "Samples begin by themselves."}),
    "sample_prompts": Effect("More of it is seen, in more time.", choices={(): "The one of sample_prompt."}),
    "sample_temperature": Effect("Wilder samples.", "Safer ones, with more repetition.", {0.0: "The likeliest."}),
    "patience": Effect("Waits for longer.", "Stops sooner.", {0: "Never stops by itself."}),
    "minimum_steps": Effect("Runs at least so long.", "May stop sooner.", {0: "No minimum."}),
    "seed": Effect(choices={}, more="Another seed is another draw: two differ by about 0.01 in the loss."),
    "deterministic": Effect(choices={
        True: "Runs repeat bit for bit, more slowly.", False: "As fast as it goes; runs differ in the last digits.",
    }),
    "device": Effect(choices={"auto": "The fastest that is there.", "cpu": "The processor."}),
    "dtype": Effect(choices={
        "auto": "What is faster here.", "float32": "Exact, everywhere.",
        "bfloat16": "Half the memory for activations; faster where the hardware has it.",
    }),
    "cuda_graph": Effect(choices={"auto": "Replays an update as one graph.", "off": "Kernel by kernel."}),
    "compile": Effect(choices={
        "on": "Faster steps after a wait of half a minute.", "off": "Begins at once.",
    }),
    "threads": Effect("More cores.", "Leaves cores to others.", {0: "Chosen by what is there."}),
    "devices": Effect("Shares the batch among more processes.", "Fewer processes.", {1: "One process."}),
    "sharded": Effect(choices={
        True: "Each process holds a part of the model: for models too large for one.", False: "Each holds all of it.",
    }),
    # the text
    "tokenizer": Effect(choices={
        "char": "One token for each character: spells, and learns fastest on small texts.",
        "byte": "One for each byte: any text, any language.",
        "gpt2": "GPT-2's 50,257 pieces: for larger texts.",
        "bpe": "Pieces learned from this text.",
        "huggingface": "As the model brought it.",
    }),
    "bpe_vocab_size": Effect("Longer pieces, more parameters.", "Shorter pieces, longer sequences."),
    "unknown_characters": Effect(choices={
        "drop": "Left out.", "refuse": "A text with one is refused.", "token": "They share a token of their own.",
    }),
    "literal": Effect(choices={
        True: "<|endoftext|> and the like are text as any other.", False: "They are read as special tokens.",
    }),
    "validation_fraction": Effect("A steadier figure, less to learn from.", "More to learn from, a rougher figure."),
}  # fmt: skip


def explained(name: str, value: Any) -> list[str]:
    """What the field is, what `value` does, and what more and less of it would do, a sentence or two each.

    Empty for a name that no part of a recipe has.
    """
    from .config import ModelConfig, descriptions
    from .recipe import Recipe, TrainingConfig

    what = next((text for part in (ModelConfig, TrainingConfig, Recipe) if (text := descriptions(part).get(name))), "")
    effect = EFFECTS.get(name, Effect())
    of_value = effect.of(value)
    return [
        *filter(None, (what,)),
        *([f"Now: {of_value}"] if of_value else []),
        *([f"More: {effect.more}"] if effect.more else []),
        *([f"Less: {effect.less}"] if effect.less else []),
        *(f"{choice}: {text}" for choice, text in effect.choices.items() if isinstance(choice, str) and choice
          and choice != value),
    ]  # fmt: skip
