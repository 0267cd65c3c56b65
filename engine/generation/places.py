"""What could come next at a place in a text: the likeliest tokens before and after the settings, and how sure it is."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.tokenizers import Tokenizer
from ..requests import Alternative, Place, RequestError
from .decoder import Decoder
from .reply import Reply
from .sampling import Sampler
from .token_details import token_text


@torch.inference_mode()
def explain_place(id: int, decoder: Decoder, reply: Reply, step: int, checkpoint: str) -> Place:
    """The distribution from which the first token of `reply` would be drawn; nothing is.

    What the decoder's cache holds behind the place stays. Raises UserError as `Decoder.tokens` does, and RequestError
    where the settings forbid every token.
    """
    logits = decoder.logits_after(reply.ids)[None]
    sampler = Sampler(
        reply.settings,
        decoder.vocab_size,
        decoder.device,
        [reply.seed],
        [reply.all_ids],
        reply.forbidden,
        explains=True,
    )
    if int(sampler.draw(logits)) < 0:
        raise RequestError("the forbidden texts leave no token that could be written next; forbid fewer")
    given, drawn_from = (row[0].double().softmax(-1) for row in sampler.drawn_from)
    n = min(reply.alternatives, decoder.vocab_size)
    likeliest, drawn_likeliest = given.topk(n).indices, drawn_from.topk(n).indices
    return Place(
        id=id,
        alternatives=_alternatives(likeliest, given, drawn_from, decoder.tokenizer),
        drawn_alternatives=_alternatives(drawn_likeliest, given, drawn_from, decoder.tokenizer),
        entropy=_entropy(given),
        drawn_entropy=_entropy(drawn_from),
        rest=_rest(given, likeliest),
        drawn_rest=_rest(drawn_from, likeliest),
        step=step,
        checkpoint=checkpoint,
        notices=reply.notices,
    )


def _alternatives(tokens: Tensor, given: Tensor, drawn_from: Tensor, tokenizer: Tokenizer) -> tuple[Alternative, ...]:
    """`tokens` [n] with their probabilities among all, [V] each."""
    rows = zip(tokens.tolist(), given[tokens].tolist(), drawn_from[tokens].tolist(), strict=True)
    return tuple(Alternative(token, token_text(token, tokenizer), before, after) for token, before, after in rows)


def _entropy(probabilities: Tensor) -> float:
    return float(torch.special.entr(probabilities).sum())


def _rest(probabilities: Tensor, tokens: Tensor) -> float:
    """What all but `tokens` have together: summed, and not 1 minus theirs, which rounds to nothing."""
    return float(probabilities.index_fill(0, tokens, 0).sum())
