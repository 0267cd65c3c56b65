"""`bench generate`: real generate processes and real peers of a tiny model, and which rows are measured."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from minigpt_tui.engine.bench import command, generation, generation_loss
from minigpt_tui.engine.bench.answering_process import AnsweringProcess
from minigpt_tui.engine.bench.generation_contestants import MACHINE, prompt_of, sampling
from minigpt_tui.engine.bench.generation_loss import change_in_loss, sentence
from minigpt_tui.engine.bench.generation_models import make_model
from minigpt_tui.engine.bench.generation_rows import GPT2, LLAMA, ROWS, TRANSFORMERS, Row, Shape, alphabet
from minigpt_tui.engine.bench.generation_setting import Setting
from minigpt_tui.engine.bench.generation_works import ALONE, CONTINUED, plan
from minigpt_tui.engine.bench.measurements import OURS, Measurements, Work
from minigpt_tui.engine.bench.turns import Contestant, TurnFailedError
from minigpt_tui.engine.requests import Load
from minigpt_tui.models.presets import preset

TINY = Shape("nanogpt-char-cpu", 65, "0.80M")  # context 64
HAS_LLAMA = all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the model is too small for more
    with ExitStack() as closing:
        yield Setting(tmp_path, closing, far_more=2**20)


def only(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if of the peers' packages only these were installed."""
    found, peers = importlib.util.find_spec, {"transformers", "llama_cpp", "gguf"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in peers.difference(packages) else found(name)
    )


def measured(row: Row, setting: Setting, repeats: int = 1) -> Work:
    work, _ = plan(row, setting)
    Measurements().measure(work, repeats, warm_up=True)
    assert not work.failures, work.failures
    return work


def figure(work: Work, contestant: str, name: str) -> float:
    (turn,) = (turn for turn in work.turns if turn.contestant == contestant)
    value = turn.figures[name]
    assert isinstance(value, (int, float))
    return value


# ------------------------------------------------------------------------------------------------------------ the rows


def test_the_pace_is_measured_in_turns_with_transformers(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "transformers")
    work = measured(Row("tiny", "", TINY, tokens=40, targets={TRANSFORMERS: "2.5 x"}), setting, repeats=2)
    assert [(turn.contestant, turn.repeat) for turn in work.turns] == [
        (MACHINE, 1), (OURS, 1), (TRANSFORMERS, 1), (MACHINE, 2), (OURS, 2), (TRANSFORMERS, 2),
    ]  # fmt: skip
    for turn in work.turns:
        numbers = [value for value in turn.figures.values() if not isinstance(value, str)]
        assert all(0 < value < math.inf for value in numbers)
        if turn.contestant != MACHINE:
            pace, milliseconds = turn.figures["tokens_per_second"], turn.figures["milliseconds"]
            assert isinstance(pace, float)
            assert isinstance(milliseconds, float)
            assert pace * milliseconds / 1000 == pytest.approx(40), "all tokens that were asked for were written"
    assert [(line.peer, line.target, line.limit) for line in work.comparisons] == [(TRANSFORMERS, "2.5 x", "limit")]
    assert work.turns[2].figures["threads"] == 1


@pytest.mark.skipif(not HAS_LLAMA, reason="llama-cpp-python and gguf are not installed")
def test_llama_cpp_writes_a_text_longer_than_the_context_from_our_files(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "llama_cpp", "gguf")
    work = measured(Row("tiny", "", TINY, tokens=70, quantize="int8"), setting)
    names = [f"{LLAMA} f32", f"{LLAMA} q8_0"]
    assert [turn.contestant for turn in work.turns] == [MACHINE, OURS, *names]
    for name in (OURS, *names):
        assert figure(work, name, "tokens_per_second") * figure(work, name, "milliseconds") == pytest.approx(70_000)
    assert [turn.figures["dtype"] for turn in work.turns if turn.contestant == OURS] == ["int8"]
    assert {line.peer for line in work.comparisons} == set(names)
    assert {file.name for file in setting.home.glob("*.gguf")} == {
        "nanogpt-char-cpu-75-f32.gguf", "nanogpt-char-cpu-75-q8_0.gguf",
    }  # fmt: skip


def test_several_texts_are_measured_beside_one(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "transformers")
    row = Row("tiny-4", "", TINY, "samples", tokens=10, samples=4)
    work, machine = plan(row, setting)
    assert machine.bound == ""
    Measurements().measure(work, 1, warm_up=True)
    assert not work.failures
    for name, tokens in ((OURS, 40), (ALONE, 10), (TRANSFORMERS, 40)):
        pace, milliseconds = figure(work, name, "tokens_per_second"), figure(work, name, "milliseconds")
        assert pace * milliseconds / 1000 == pytest.approx(tokens)
    assert not any("share" in turn.figures for turn in work.turns), "a step reads the weights for all texts at once"
    assert "memory sets the limit" in machine.bound or "arithmetic sets the limit" in machine.bound


def test_the_first_text_of_a_prompt_and_of_a_conversation(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch)
    work = measured(Row("tiny-first", "", TINY, "first", tokens=2, targets={OURS: "30 ms"}), setting)
    assert [turn.contestant for turn in work.turns] == [MACHINE, OURS, CONTINUED]
    assert [(line.ours, line.peer, line.target) for line in work.comparisons] == [
        (OURS, "", "30 ms"), (CONTINUED, "", "30 ms"),
    ]  # fmt: skip


def test_a_prompt_has_its_length_and_begins_with_its_number() -> None:
    prompts = [prompt_of(200, number) for number in range(5)]
    assert {len(prompt) for prompt in prompts} == {200}
    assert len({prompt[0] for prompt in prompts}) == 5
    assert set("".join(prompts)) <= set(alphabet(TINY.characters))


def test_more_positions_are_the_same_ones_again() -> None:
    model, longer = make_model("nanogpt-char-cpu", 65), make_model("nanogpt-char-cpu", 65, 100)
    assert longer.config.context_length == 100
    assert model.positions is not None
    assert longer.positions is not None
    assert longer.positions[:64].equal(model.positions)
    assert longer.positions[64:].equal(model.positions[:36])
    assert longer.embedding.equal(model.embedding)
    assert len(set(alphabet(GPT2.characters))) == GPT2.characters == 50_257


# ----------------------------------------------------------------------------------------------------------- the peers


def test_a_peer_that_dies_says_why_and_the_others_are_measured(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    work, _ = plan(Row("tiny", "", TINY, tokens=5), setting)
    job = ("--prompt", "1", "--tokens", "5", "--checkout", str(setting.home))
    dead = setting.peer("nanoGPT", "with_nanogpt", setting.checkpoint(TINY), *job)
    work.contestants.insert(1, Contestant(dead.name, lambda repeat: dead.work()))
    Measurements().measure(work, 2)
    assert [(turn.contestant, turn.repeat) for turn in work.failures] == [("nanoGPT", 1), ("nanoGPT", 2)]
    assert all(turn.failure.startswith("nanoGPT ended with code 1: FileNotFoundError") for turn in work.failures)
    assert [turn.contestant for turn in work.turns if not turn.failure] == [MACHINE, OURS] * 2


def test_a_peer_that_never_started_can_be_closed(setting: Setting) -> None:
    AnsweringProcess("nobody", "generation_peers.with_transformers").close()


def test_a_model_that_cannot_be_loaded_says_why(setting: Setting) -> None:
    ours = setting.generation(Load(1, str(setting.home / "nothing"), False))
    with pytest.raises(TurnFailedError, match="nothing"):
        ours.generate("A", sampling(5, 1))


# ------------------------------------------------------------------------------------------------------------ the loss


def test_the_change_in_loss_is_that_of_the_same_text(setting: Setting, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(prompt_of(500))
    work = change_in_loss(setting, str(setting.checkpoint(TINY)), str(text))
    Measurements().measure(work, 1)
    assert not work.failures
    before, after = (figure(work, name, "loss") for name in (generation_loss.FLOAT, OURS))
    assert before != after
    assert before == pytest.approx(after, abs=0.05)
    assert f"changes from {before:.4f} to {after:.4f} nats a token, by {after - before:+.4f}." in sentence(work)
    assert "on text.txt" in sentence(work)


def test_without_a_model_one_is_trained(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_loss, "_STEPS", 20)
    work = change_in_loss(setting, None, None)
    Measurements().measure(work, 1)
    assert not work.failures
    assert figure(work, OURS, "loss") < 3.5, "it has learned something"
    assert "`quick` after 20 steps on unseen `tales`" in sentence(work)


# --------------------------------------------------------------------------------------------------------- the command


def test_the_command_prints_a_table_and_the_json_last(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only(monkeypatch)
    monkeypatch.setattr(generation, "FAR_MORE", 2**20)
    monkeypatch.setitem(ROWS, "tiny", Row("tiny", "", TINY, tokens=20))
    assert command.main(["generate", "tiny", "--repeats", "1"]) == 0
    out, err = capsys.readouterr()
    content = json.loads(out.splitlines()[-1])
    assert [line["work"] for line in content["lines"]] == ["tiny"]
    assert content["lines"][0]["limit"] > 0
    assert "tiny: 20 tokens, 0.80M, float32, tokens/s" in out
    notes = content["notes"]
    assert "transformers is left out: the package transformers is not installed." in notes
    assert "llama.cpp is left out: the package llama_cpp is not installed." in notes
    assert any(note.startswith("nanoGPT is left out") for note in notes)
    assert "tiny, warm-up: ours ..." in err
    assert "tiny, repeat 1: ours: tokens_per_second" in err


def test_rows_for_a_gpu_are_refused_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generation, "find_gpu", lambda: "")
    assert command.main(["generate", "gpu-char", "char"]) == command.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "no GPU is found here, which gpu-char cannot do without; for a CPU there are char, " in err


def test_without_names_a_machine_measures_what_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu in ("", "Some GPU"):
        monkeypatch.setattr(generation, "find_gpu", lambda gpu=gpu: gpu)
        rows, found = generation._rows([], Measurements())
        assert found == gpu
        assert [row.name for row in rows] == [name for name in ROWS if name.startswith("gpu-") == bool(gpu)]


def test_what_cannot_be_scored_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    for option, name, words in (
        ("--model", "nobody", "'nobody'"),
        ("--text", str(tmp_path / "nothing"), "No such file"),
        ("--text", str(binary), "is not UTF-8 text"),
    ):
        assert command.main(["generate", "char-int8", option, name]) == command.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
        assert "preparing" not in err


def test_the_list_names_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["generate", "--list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == list(ROWS)
    assert {row.shape.preset for row in ROWS.values()} <= {preset(row.shape.preset).name for row in ROWS.values()}
