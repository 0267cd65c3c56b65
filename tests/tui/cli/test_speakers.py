"""Who speaks in a text, and a word with them, on the command line."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.data.storage.typed_json import dumps
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.presets import preset

from .command import command

CYCLE = ": it.\nKMBO"

PLAY = "".join(
    f"{name}: {text}\n"
    for name, text in (("BO", "it rains."), ("KIM", "it does."), ("BO", "see you."), ("BO", "yes."), ("KIM", "no."))
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a play and a run that learns from it; its model continues a colon by " it.", and a line so on."""
    import torch
    from minigpt_tui.models.gpt import GPT
    from minigpt_tui.models.interop.huggingface import save_checkpoint

    home = tmp_path_factory.mktemp("speakers")
    (home / "play.txt").write_text(PLAY * 80)
    corpus, tokenizer = open_corpus(str(home / "play.txt")), CharTokenizer(CYCLE)
    model = GPT(ModelConfig(tokenizer.vocab_size, context_length=32, n_layer=1, n_head=1, d_model=16, qk_norm=False))
    assert model.head is not None
    with torch.no_grad():
        model.embedding.copy_(torch.eye(*model.embedding.shape))
        model.head.zero_()
        for current, following in pairwise(tokenizer.encode(CYCLE + CYCLE[0]).tolist()):
            model.head[following, current] = 50
    run, recipe = Run(home / "data" / "runs" / "play"), preset("quick")
    record = CorpusRecord(corpus.name, corpus.spec, corpus.fingerprint, corpus.n_bytes, corpus.n_characters)
    manifest = RunManifest("play", 1_750_000_000.0, "quick", record, "char", model.config, recipe.training)
    run.checkpoints.mkdir(parents=True)
    (run.path / "run.json").write_text(dumps(manifest))
    (run.checkpoints / "last").mkdir()
    save_checkpoint(model, run.checkpoints / "last", tokenizer=tokenizer, step=7, validation_loss=2.0)
    return home


def test_the_speakers_of_a_run_and_of_a_file_the_most_frequent_first(home: Path) -> None:
    for text in ((), ("play",), ("play.txt",)):
        shown = command(home, "speakers", *text)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert [line.split() for line in shown.stdout.splitlines() if "O" in line or "M" in line] == [
            ["BO", "240"], ["KIM", "160"]
        ]  # fmt: skip
    found = json.loads(command(home, "speakers", "play", "--json").stdout)
    assert found["speakers"] == [{"name": "BO", "count": 240}, {"name": "KIM", "count": 160}]
    assert (found["form"]["after"], found["form"]["end"]) == (": ", "line")


def test_where_nobody_speaks_nothing_is_printed(home: Path) -> None:
    (home / "novel.txt").write_text("It was late. He said: come in. The rain fell on the plain.\n\n" * 60)
    nobody = command(home, "speakers", "novel.txt")
    assert (nobody.returncode, nobody.stdout) == (0, "")
    assert "nobody speaks in this text" in nobody.stderr
    assert json.loads(command(home, "speakers", "novel.txt", "--json").stdout) == {"speakers": [], "form": None}
    assert command(home, "speakers", "gone.txt").returncode == 2


def test_one_says_the_prompt_and_the_other_answers_with_one_speech(home: Path) -> None:
    words = ("generate", "play", "--prompt", "it rains.", "--temperature", "0", "--max-tokens", "200")
    answered = json.loads(command(home, *words, "--you", "bo", "--answer", "KIM", "--json").stdout)
    assert answered["prompt"] == "BO: it rains.\nKIM:"
    assert (answered["text"], answered["reason"]) == (" it.", "stop")
    assert command(home, *words, "--answer", "kim").stdout == "it.\n"
    assert command(home, *words, "--you", "BO", "--echo").stdout == "BO: it rains.\nKIM: it.\n"
    begun = json.loads(command(home, *words[:2], "--prompt", "", "--answer", "bo", "--json").stdout)
    assert begun["prompt"] == "BO:"
    assert command(home, *words, "--answer", "kim", "--samples", "2").stdout.splitlines()[1::2] == ["it."] * 2


def test_what_cannot_be_said_so_is_refused_or_said(home: Path) -> None:
    words = ("generate", "play", "--prompt", "it rains.", "--max-tokens", "3")
    unknown = command(home, *words, "--answer", "ZOE")
    assert unknown.returncode == 0
    assert "nobody called ZOE speaks in the text, so the model has not learned how; it has BO, KIM" in unknown.stderr
    for wrong, says in (
        (("--answer", "x" * 61), "a speaker's name has 1 to 60 characters; the text has BO, KIM"),
        (("--answer", " "), "a speaker's name has 1 to 60 characters"),
        (("--you", "BO", "--chat"), "--you and --answer speak as the text does, --chat as the chat template"),
    ):
        refused = command(home, *words, *wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert says in refused.stderr
