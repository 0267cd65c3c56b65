"""transformers' own `generate` with its cache, on a checkpoint folder of ours, which it opens as it is."""

from __future__ import annotations

from typing import Any

from .protocol import TEMPERATURE, TOP_K, PeerServer, read_job


def main() -> None:
    """Generate for each line on standard input."""
    server, job = PeerServer(), read_job()

    import torch
    import transformers

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(job.model, dtype=getattr(torch, job.dtype))
    model = model.to(job.device).eval()
    model.generation_config.max_length = None
    prompt = torch.tensor([job.prompt], device=job.device)

    def generate() -> int:
        with torch.inference_mode():
            texts = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=job.tokens, do_sample=True,
                temperature=TEMPERATURE, top_k=TOP_K, num_return_sequences=job.samples, eos_token_id=None,
            )  # fmt: skip
        return texts[:, len(job.prompt) :].cpu().numel()  # which waits for a GPU

    facts = {"version": transformers.__version__, "threads": torch.get_num_threads(), "dtype": job.dtype}
    server.serve_generation(facts, generate)


if __name__ == "__main__":
    main()
