"""Small runs with every kind of tokenizer, and their exports."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.storage.typed_json import loads
from minigpt_tui.data.tokenizers import Tokenizer, build_tokenizer, load_tokenizer
from minigpt_tui.engine.export.process import main
from minigpt_tui.engine.results import ExportResult
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest, create_run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.recipe import TokenizerKind, TrainingConfig

TEXT = "The cat's dog said: \"it'll  rain!\"\n\n\tÀ l'été, ça va? 12 ½ 𝛼βγ, 漢字かな 😀🏳️‍🌈 e\u0301 n\u0303\n" * 3
BASE = ModelConfig(context_length=64, n_layer=2, n_head=4, d_model=64)
GPT2 = replace(BASE, position="learned", norm="layer", norm_eps=1e-5, mlp="gelu_tanh", qk_norm=False)


def tokenizer_of(kind: TokenizerKind, text: str = TEXT) -> Tokenizer:
    """A tokenizer of that kind, made for `text`."""
    return build_tokenizer(kind, alphabet="".join(sorted(set(text))), pieces=lambda: [text], bpe_vocab_size=330)


def foreign_tokenizer(home: Path, pattern: str, **changes: Any) -> Tokenizer:
    """One as a foreign model brings it: cut by that pattern, with a special token, and one more that is text."""
    from tokenizers import AddedToken, Regex, models, pre_tokenizers, processors, trainers
    from tokenizers import Tokenizer as Backend
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.normalizers import NFC

    backend = Backend(models.BPE(ignore_merges=pattern == "llama-bpe"))
    digits = {"qwen2": "", "llama-bpe": "{1,3}", "dbrx": "{1,3}"}
    regex = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + digits.get(pattern, "")
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )  # fmt: skip
    first = pre_tokenizers.Digits(True) if pattern == "smollm" else pre_tokenizers.Split(Regex(regex), "isolated")
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "smollm")
    backend.pre_tokenizer = pre_tokenizers.Sequence([first, last])  # pyright: ignore
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))  # pyright: ignore
    backend.add_special_tokens(["<|begin|>", "<|eot|>"])
    backend.add_tokens([AddedToken("<think>", normalized=False)])
    backend.decoder = ByteLevelDecoder()  # pyright: ignore
    if pattern == "qwen2":
        backend.normalizer = NFC()  # pyright: ignore
    if pattern == "llama-bpe":
        begin = backend.token_to_id("<|begin|>")
        backend.post_processor = processors.TemplateProcessing(  # pyright: ignore
            single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
        )
    folder = home / "foreign"
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) | changes
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|eot|>"}))
    return load_tokenizer(folder)


def make_run(config: ModelConfig, tokenizer: Tokenizer, name: str = "tiny") -> Run:
    """A run whose best checkpoint has random weights, large enough for logits that lie far apart."""
    model = GPT(replace(config, vocab_size=tokenizer.vocab_size))
    generator = torch.Generator().manual_seed(3)
    for parameter_name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if parameter_name.endswith("norm.weight") else 0.0)
    corpus = CorpusRecord("text", "text", "0" * 64, 1, 1)
    run = create_run(RunManifest(name, time.time(), "tiny", corpus, tokenizer.kind, model.config, TrainingConfig()))
    checkpoints.save(run.checkpoints, "best", model, tokenizer, Counters(step=5), state={"x": torch.zeros(3)})
    return run


def export(capsys: pytest.CaptureFixture[str], run: Run, output: Path, *options: str) -> ExportResult:
    """Write the run as a GGUF file, as the process does it, and return what it says about it."""
    arguments = [str(run.path), "--to", "gguf", "--dtype", "f32", "--output", str(output), *options]
    assert main(arguments) == 0, capsys.readouterr().err
    *progress, last = capsys.readouterr().out.splitlines()
    fractions = [json.loads(line)["progress"] for line in progress]
    assert fractions == sorted(fractions)
    return loads(ExportResult, last)
