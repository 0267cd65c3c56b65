"""A large text as tokens: seconds of the first and the second start, and the peak of memory beyond torch's own.

python tests/benchmarks/encoding.py TEXT [--megabytes 100] [--tokenizers char,byte,gpt2,bpe]

TEXT is repeated to the size. Each start is a process of its own; the caches are new for each tokenizer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

START = """
import json, resource, sys, time
import torch
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.corpus_tokenizer import corpus_tokenizer
from minigpt_tui.data.encoding import encode_corpus

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before, marks = peak(), [time.perf_counter()]
corpus = open_corpus(sys.argv[1])
marks.append(time.perf_counter())
tokenizer = corpus_tokenizer(corpus, sys.argv[2], validation_fraction=0.1, bpe_vocab_size=4096, unknown="drop")
marks.append(time.perf_counter())
data = encode_corpus(corpus, tokenizer, validation_fraction=0.1, context_length=64, device="cpu")
marks.append(time.perf_counter())
seconds = [later - earlier for earlier, later in zip(marks, marks[1:])]
print(json.dumps({"seconds": seconds, "tokens": len(data.train) + len(data.validation), "memory": peak() - before}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--tokenizers", default="char,byte,gpt2,bpe")
    arguments = parser.parse_args()
    content = arguments.text.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.txt"
        with large.open("wb") as file:
            while file.tell() < arguments.megabytes * 10**6:
                file.write(content)
        os.utime(large, (1e9, 1e9))
        for kind in arguments.tokenizers.split(","):
            home = {**os.environ, "MINIGPT_HOME": f"{folder}/{kind}"}
            for start in ("first", "second"):
                command = [sys.executable, "-W", "ignore", "-c", START, str(large), kind]
                result = json.loads(subprocess.run(command, env=home, check=True, stdout=subprocess.PIPE).stdout)
                opened, built, encoded = result["seconds"]
                print(
                    f"{kind:5} {start:6} open {opened:5.2f} s  tokenizer {built:5.2f} s  encode {encoded:5.2f} s  "
                    f"{result['tokens']:,} tokens  {result['memory'] / 1e6:.0f} MB"
                )


if __name__ == "__main__":
    main()
