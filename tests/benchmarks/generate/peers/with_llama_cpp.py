"""llama.cpp through llama-cpp-python, on a GGUF file that our export wrote."""

from __future__ import annotations

import itertools
import os
import sys

from .protocol import TEMPERATURE, TOP_K, PeerServer, read_job

_BATCH = 512  # tokens of a prompt that are read at once


def main() -> None:
    """Generate for each line on standard input."""
    server, job = PeerServer(), read_job()

    import llama_cpp  # pyright: ignore[reportMissingImports]  # nobody has to have it

    if job.device != "cpu" and not llama_cpp.llama_supports_gpu_offload():
        sys.exit("this build of llama-cpp-python computes on the CPU only; install one that was built for the GPU")
    threads = _threads()
    llama = llama_cpp.Llama(
        job.model, n_ctx=len(job.prompt) + job.tokens, n_batch=_BATCH, n_threads=threads, n_threads_batch=threads,
        n_gpu_layers=0 if job.device == "cpu" else -1, verbose=False,
    )  # fmt: skip

    def generate() -> int:
        llama.reset()  # else it would remember the prompt
        drawn = llama.generate(
            job.prompt, temp=TEMPERATURE, top_k=TOP_K, top_p=1.0, min_p=0.0, typical_p=1.0, repeat_penalty=1.0
        )
        return sum(1 for _ in itertools.islice(drawn, job.tokens))

    server.serve_generation({"version": llama_cpp.__version__, "threads": threads}, generate)


def _threads() -> int:
    """All cores, as torch takes them, unless the environment says how many."""
    if (wanted := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
