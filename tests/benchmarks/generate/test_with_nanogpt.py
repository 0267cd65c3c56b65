"""nanoGPT with our weights: each has a place in its names, and where a checkout is named, it computes what we do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.child_process import python_module
from minigpt_tui.models.interop.huggingface import save_checkpoint

from benchmarks.generate.peers.protocol import GenerationJob
from benchmarks.generate.peers.with_nanogpt import with_our_weights
from benchmarks.generate.random_model import make_model
from benchmarks.generate.workloads import alphabet
from benchmarks.processes import environment

# The names of nanoGPT's modules; it computes nothing.
STAND_IN = """
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool


def named(**modules):
    return nn.ModuleDict(modules)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        print("this goes to the log")
        width, bias = config.n_embd, config.bias
        blocks = [
            named(
                ln_1=nn.LayerNorm(width, bias=bias), ln_2=nn.LayerNorm(width, bias=bias),
                attn=named(c_attn=nn.Linear(width, 3 * width, bias), c_proj=nn.Linear(width, width, bias)),
                mlp=named(c_fc=nn.Linear(width, 4 * width, bias), c_proj=nn.Linear(4 * width, width, bias)),
            )
            for _ in range(config.n_layer)
        ]
        self.transformer = named(
            wte=nn.Embedding(config.vocab_size, width), wpe=nn.Embedding(config.block_size, width),
            h=nn.ModuleList(blocks), ln_f=nn.LayerNorm(width, bias=bias),
        )
        self.lm_head = nn.Linear(width, config.vocab_size, bias=False)

    def generate(self, ids, count, temperature, top_k):
        return torch.cat((ids, ids.new_zeros(1, count)), 1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    model = make_model("nanogpt-char-cpu", 65)
    save_checkpoint(model, folder, tokenizer=CharTokenizer(alphabet(65)), step=0, validation_loss=None)
    (tmp_path / "model.py").write_text(STAND_IN)
    return folder


def job(folder: Path, checkout: Path) -> GenerationJob:
    return GenerationJob(str(folder), [1], 3, 1, "cpu", "float32", str(checkout))


def test_every_weight_has_a_place(folder: Path, tmp_path: Path) -> None:
    theirs = with_our_weights(job(folder, tmp_path)).state_dict()
    ours = make_model("nanogpt-char-cpu", 65)
    assert theirs["transformer.h.2.attn.c_attn.weight"].equal(ours.get_parameter("blocks.2.attention.qkv.weight"))
    assert theirs["lm_head.weight"].equal(ours.embedding)


def test_it_answers_for_each_line_and_ends_with_its_input(folder: Path, tmp_path: Path) -> None:
    module = "benchmarks.generate.peers.with_nanogpt"
    command = python_module(module, str(folder), "--prompt", "1,2", "--tokens", "7", "--checkout", str(tmp_path))
    done = subprocess.run(command, input="go\ngo\n", capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    facts, *trials = map(json.loads, done.stdout.splitlines())
    assert facts["dtype"] == "float32"
    assert [trial["tokens"] for trial in trials] == [7, 7]
    assert all(trial["seconds"] > 0 for trial in trials)
    assert "this goes to the log" in done.stderr


@pytest.mark.skipif("MINIGPT_NANOGPT" not in os.environ, reason="MINIGPT_NANOGPT names no checkout of nanoGPT")
def test_a_real_checkout_computes_what_we_do(folder: Path) -> None:
    theirs = with_our_weights(job(folder, Path(os.environ["MINIGPT_NANOGPT"]))).eval()
    ours, tokens = make_model("nanogpt-char-cpu", 65).eval(), torch.arange(60)[None]
    with torch.inference_mode():
        torch.testing.assert_close(theirs(tokens)[0][:, -1], ours(tokens)[:, -1], atol=1e-5, rtol=1e-4)
