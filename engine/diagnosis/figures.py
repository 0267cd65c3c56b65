"""The figures of a run, each with what it is and how to read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """What a figure is, and what higher and lower values say."""

    what: str
    reading: str


FIGURES: dict[str, Explanation] = {
    "train loss": Explanation(
        "How surprised the model is by the text that it learns from, in nats per token.",
        "Lower is better. Far below the validation loss means that the text is learned by heart.",
    ),
    "val loss": Explanation(
        "The same on the held-out part of the text, which it never learns from.",
        "The figure that counts. A model that knows nothing has the logarithm of its vocabulary: 4.17 for 65 "
        "characters. The difference between two seeds is about 0.01.",
    ),
    "best": Explanation(
        "The lowest validation loss so far, and its step; that state is kept as the checkpoint `best`.",
        "Where it lies far back, the model has learned by heart since.",
    ),
    "perplexity": Explanation(
        "e to the loss: between how many equally likely tokens the model wavers.",
        "4 means as unsure as among four. Only models with one tokenizer can be compared by it.",
    ),
    "bits/byte": Explanation(
        "The loss in bits for each byte of the text, whatever the tokenizer.",
        "Compares models with different tokenizers. gzip needs about 3 on English, the best models below 1.",
    ),
    "floor": Explanation(
        "The lowest loss that is possible, known where a program wrote the text, as for `tales`.",
        "What is left above it can still be learned.",
    ),
    "speed": Explanation(
        "Tokens learned from in a second of training.",
        "Falls where other programs take the cores, or the machine becomes hot.",
    ),
    "lr": Explanation(
        "The learning rate of the latest update.", "Rises in the warm-up and falls as the schedule says."
    ),
    "gradient norm": Explanation(
        "How steep the loss is at the present weights, before clipping.",
        "Steady is good; jumps come before spikes of the loss, and 0 where nothing is learned any more.",
    ),
    "memory": Explanation("What the train process holds, or what is taken on its GPU.", "Grows only at the beginning."),
    "MFU": Explanation(
        "Model FLOPs utilisation: the arithmetic that the model needs, as a share of what the device could do.",
        "30 to 50 percent is good on a GPU; small models have less.",
    ),
    "trained": Explanation(
        "Time in updates, without evaluations, checkpoints and pauses.", "The time on the wall is somewhat longer."
    ),
    "tokens": Explanation(
        "How many tokens it has learned from, those of each pass counted again.",
        "About 20 for each parameter are a good budget where there is enough text.",
    ),
    "epochs": Explanation(
        "How often it has read the whole training text.",
        "Below 4, further reading is nearly as good as new text; above 10 or 20 it learns by heart.",
    ),
    "parameters": Explanation(
        "The numbers that the model learns.", "More can learn more, and need more text and time."
    ),
}
