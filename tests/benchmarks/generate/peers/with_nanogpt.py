"""nanoGPT's own `generate`, from a checkout of it, with the weights of a checkpoint folder of ours."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch
from minigpt_tui.models.interop.huggingface import load_checkpoint
from minigpt_tui.models.interop.huggingface_layouts import places

from .protocol import TEMPERATURE, TOP_K, GenerationJob, PeerServer, read_job


def main() -> None:
    """Generate for each line on standard input."""
    server, job = PeerServer(), read_job()
    model = with_our_weights(job).to(job.device).eval()
    prompt = torch.tensor([job.prompt], device=job.device)
    # as its sample.py has it: float32 weights, and autocast for products in another type
    cast = torch.autocast(job.device.split(":")[0], getattr(torch, job.dtype)) if job.dtype != "float32" else None

    def generate() -> int:
        with cast or contextlib.nullcontext():
            text = model.generate(prompt, job.tokens, temperature=TEMPERATURE, top_k=TOP_K)
        return text[:, len(job.prompt) :].cpu().numel()

    server.serve_generation({"threads": torch.get_num_threads(), "dtype": job.dtype}, generate)


def with_our_weights(job: GenerationJob) -> Any:
    """A GPT of theirs with every weight of ours. Raises RuntimeError where one has no place there."""
    theirs = _module(Path(job.checkout) / "model.py")
    ours = load_checkpoint(Path(job.model))
    config, parameters = ours.config, dict(ours.model.named_parameters())
    model = theirs.GPT(
        theirs.GPTConfig(
            block_size=config.context_length, vocab_size=config.vocab_size, n_layer=config.n_layer,
            n_head=config.n_head, n_embd=config.d_model, dropout=0.0, bias=config.bias,
        )
    )  # fmt: skip
    shapes = {name: parameter.shape for name, parameter in parameters.items()}
    named = {name: place.of(parameters[place.parameter]) for name, place in places(config, shapes, "nanogpt").items()}
    masks = {name: value for name, value in model.state_dict().items() if name.endswith(".attn.bias")}
    model.load_state_dict(masks | named | {"lm_head.weight": parameters["embedding"]})
    return model


def _module(path: Path) -> Any:
    specification = importlib.util.spec_from_file_location("nanogpt_model", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["nanogpt_model"] = module  # its dataclass looks for its own module
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
