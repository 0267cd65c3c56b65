"""The command line as a program sees it: what lands on which stream, and with which exit code."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minigpt_tui.engine.locks import acquire
from minigpt_tui.engine.runs import Run
from minigpt_tui.models.presets import PRESETS

from .command import TEXT, TINY, command


def test_version() -> None:
    result = subprocess.run([sys.executable, "-m", "minigpt_tui.tui", "--version"], capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stdout.startswith("minigpt-tui 0.")


def test_generate_streams_text_and_the_same_seed_repeats_it(trained: Path) -> None:
    words = ("generate", "cats", "--prompt", "the cat", "--max-tokens", "40", "--seed", "3")
    first, second = command(trained, *words), command(trained, *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert len(first.stdout.rstrip("\n")) <= 40
    assert first.stdout.strip()


def test_generate_reads_standard_input_takes_an_empty_prompt_and_echoes(trained: Path) -> None:
    piped = command(trained, "generate", "--max-tokens", "5", "--seed", "1", "--echo", stdin="the dog")
    assert piped.stdout.startswith("the dog")
    empty = command(trained, "generate", "--prompt", "", "--max-tokens", "5")
    assert empty.returncode == 0, empty.stderr


@pytest.mark.long
def test_what_the_locale_cannot_encode_and_what_is_no_text_goes_into_a_pipe_as_it_came(trained: Path) -> None:
    words = [sys.executable, "-m", "minigpt_tui.tui", "generate", "--max-tokens", "3", "--echo"]
    for encoding, argument, echo in (
        ("ascii:strict", "the é".encode(), "the é".encode()), ("utf-8:strict", b"the \xff", b"the \xff"),
    ):  # fmt: skip
        environment = os.environ | {"MINIGPT_HOME": str(trained), "PYTHONIOENCODING": encoding}
        result = subprocess.run(
            [*words, "--prompt", argument], capture_output=True, env=environment, timeout=120, check=False
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(echo)


def test_generate_stops_before_a_stop_string_and_prints_one_json_object(trained: Path) -> None:
    words = ("generate", "--prompt", "the ", "--stop", "a", "--temperature", "0", "--max-tokens", "200", "--json")
    result = json.loads(command(trained, *words).stdout)
    assert result["reason"] == "stop"
    assert "a" not in result["text"]
    assert 0 < result["step"] <= 60  # that of the best checkpoint


def test_an_unknown_character_is_named_and_left_out(trained: Path) -> None:
    result = command(trained, "generate", "--prompt", "the €", "--max-tokens", "3")
    assert result.returncode == 0
    assert "€" in result.stderr


def test_evaluate_prints_one_object(trained: Path) -> None:
    result = command(trained, "evaluate", "--json")
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures) >= {"loss", "perplexity", "bits_per_byte", "protocol", "tokens"}
    assert figures["protocol"] == "full"
    assert figures["tokens"] == len(TEXT) - int(len(TEXT) * 0.9) - 1


def test_runs_lists_the_run_with_its_losses(trained: Path) -> None:
    (row,) = json.loads(command(trained, "runs", "--json").stdout)
    assert (row["name"], row["state"], row["step"]) == ("cats", "finished", 60)
    assert row["validation_loss"] > 0
    lines = command(trained, "runs").stdout.splitlines()
    assert any({"cats", "finished", "60/60", "cats.txt"} <= set(line.split()) for line in lines)  # a run is one line


def test_presets_lists_every_recipe_with_its_size(home: Path) -> None:
    rows = {row["name"]: row for row in json.loads(command(home, "presets", "--json").stdout)}
    assert rows.keys() == PRESETS.keys()
    assert round(rows["nanogpt-char"]["parameters"], -5) == 10_700_000
    assert rows["finetune"]["parameters"] is None
    assert set(rows["quick"]) == {"name", "parameters", "tokenizer", "budget", "description", "source"}
    text = command(home, "presets").stdout
    assert all(name in text for name in PRESETS)
    assert "2.5B tokens" in text


def test_a_model_is_trained_further_from_a_run_or_a_folder(trained: Path) -> None:
    checkpoint = trained / "data" / "runs" / "cats" / "checkpoints" / "best"
    for number, model in enumerate(("cats", str(checkpoint))):
        name = f"further-{number}"
        words = ("train", "cats.txt", "--from", model, "--steps", "5", "--name", name, "--context-length", "8")
        result = command(trained, *words)
        assert result.returncode == 0, result.stderr
        manifest = Run(trained / "data" / "runs" / name).manifest()
        assert (manifest.start_from, manifest.preset) == (str(checkpoint), "finetune")
        assert (manifest.model.context_length, manifest.model.d_model) == (8, 32)
        shutil.rmtree(trained / "data" / "runs" / name)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "cats", "--n-layer", "2"), "--n-layer cannot be given together with --from"),
        (("--from", "cats", "--no-tied", "--tokenizer", "byte"), "--tokenizer, --tied cannot be given"),
        (("--from", "cats", "--context-length", "64"), "at most 16"),
        (("--from", "dogs"), "neither a run nor a file called 'dogs'"),
        (("--from", "cats.txt"), "is a text, not a model"),
        (("--preset", "finetune"), "name it with --from"),
        (("--tokenizer", "huggingface"), "invalid choice"),
    ],
)
def test_what_a_fine_tuning_cannot_have_is_refused_by_name(
    trained: Path, words: tuple[str, ...], sentence: str
) -> None:
    result = command(trained, "train", "cats.txt", *words)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert len(json.loads(command(trained, "runs", "--json").stdout)) == 1


def test_byte_pairs_are_learned_from_the_text(home: Path) -> None:
    result = command(
        home, "train", "cats.txt", "--tokenizer", "bpe", "--bpe-vocab-size", "300", "--steps", "3", "--json", *TINY
    )
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    (started,) = (event for event in events if event["event"] == "started")
    assert 256 < started["vocab_size"] <= 300
    assert Run(home / "data" / "runs" / "cats-01").manifest().tokenizer == "bpe"


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("nothing", "neither a run nor a file"), ("cats.txt", "is a text, not a model"), ("hollow", "empty folder")],
)
def test_what_is_no_model_is_refused_before_the_app_starts(home: Path, model: str, sentence: str) -> None:
    (home / "hollow").mkdir()
    result = command(home, "open", model)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_paths_and_corpora(home: Path) -> None:
    assert json.loads(command(home, "paths", "--json").stdout)["runs"].startswith(str(home))
    assert {entry["name"] for entry in json.loads(command(home, "corpora", "--json").stdout)} >= {
        "tales",
        "tinyshakespeare",
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "missing.txt"), "missing.txt"),
        (("train", "empty.txt"), "empty"),
        (("train", "short.txt"), "context"),
        (("train", "binary.bin"), "binary"),
        (("train", "hollow"), "hollow"),
        (("train", "cats.txt", "--name", "a/b"), "a/b"),
        (("train", "cats.txt", "--n-head", "5"), "divisible"),
        (("train", "cats.txt", "--steps", "0"), "budget"),
        (("train", "cats.txt", "--steps", "soon"), "'soon' is not a number"),
        (("train", "cats.txt", "--tokenizer", "bpe", "--bpe-vocab-size", "100"), "bpe_vocab_size is 100; it must"),
        (("train", "cats.txt", "--validation-fraction", "1.5"), "validation_fraction is 1.5; it must"),
        (("train", "cats.txt", "--seed", "9" * 30), "seed must lie between 0 and 9223372036854775807, not 999"),
        (("train", "cats.txt", "--seed", "-4"), "seed must lie between 0 and 9223372036854775807, not -4"),
        (("generate", "cats", "--seed", "-4"), "seed must lie between 0 and 9223372036854775807, not -4"),
        (("train", "cats.txt", "--device", "cuda:9", "--name", "nowhere"), "cuda:9"),
        (("generate",), "no run"),
        (("generate", "hollow/\x1b[31m"), "?[31m"),
        (("generate", "nothing"), "nothing"),
        (("evaluate", "nothing"), "nothing"),
        (("stop", "nothing"), "nothing"),
        (("nonsense", "words"), "nonsense"),
        (("nonsense",), "nonsense"),
    ],
)
def test_bad_input_gets_one_sentence(home: Path, words: tuple[str, ...], sentence: str) -> None:
    (home / "empty.txt").touch()
    (home / "short.txt").write_text("to be")
    (home / "binary.bin").write_bytes(bytes(range(256)) * 20)
    (home / "hollow").mkdir()
    result = command(home, *words)
    assert result.returncode in (1, 2)
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "option", ["--temperature=-1", "--top-p=0", "--top-k=-2", "--max-tokens=0", "--seed=-1", "--threads=-1"]
)
def test_a_setting_out_of_range_names_the_range(trained: Path, option: str) -> None:
    result = command(trained, "generate", "--prompt", "the", option)
    assert result.returncode == 2
    assert "must" in result.stderr


def test_a_second_trainer_on_a_locked_run_is_refused(trained: Path) -> None:
    lock = acquire(Run(trained / "data" / "runs" / "cats").lock_path)
    assert lock is not None
    with lock:
        result = command(trained, "resume", "cats")
    assert result.returncode == 2
    assert "already trains" in result.stderr


def test_a_checkpoint_cut_in_half_is_named(trained: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained / "data" / "runs" / "cats" / "checkpoints" / "last", broken)
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    result = command(trained, "generate", str(broken), "--prompt", "the")
    assert result.returncode == 2
    assert "model.safetensors" in result.stderr
    assert "Traceback" not in result.stderr


def test_control_c_stops_and_saves(home: Path) -> None:
    words = ["train", "cats.txt", "--steps", "1000000", "--name", "long", *TINY, "--json"]
    child = subprocess.Popen(
        [sys.executable, "-m", "minigpt_tui.tui", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, "MINIGPT_HOME": str(home)},
    )
    assert child.stdout is not None
    for line in child.stdout:
        if json.loads(line)["event"] == "step":
            break
    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert json.loads(output.splitlines()[-1])["state"] == "stopped"
    assert Run(home / "data" / "runs" / "long").checkpoint("last") is not None


def until(run: Run, state: str) -> None:
    deadline = time.monotonic() + 120
    while run.state() != state and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.state() == state


def test_a_detached_run_is_stopped_by_name_and_resumed(home: Path) -> None:
    started = command(home, "train", "cats.txt", "--steps", "1000000", "--name", "apart", "--detach", *TINY)
    assert started.stdout == "apart\n"
    run = Run(home / "data" / "runs" / "apart")
    until(run, "running")
    assert command(home, "stop", "apart").returncode == 0
    assert run.state() == "stopped"
    assert command(home, "resume", "apart", "--detach").returncode == 0
    assert command(home, "stop", "apart").returncode == 0  # at once, while it is being prepared
    assert command(home, "resume", "apart", "--detach").returncode == 0
    until(run, "running")
    assert command(home, "resume", "apart", "--budget", "a while").returncode == 2
    assert command(home, "resume", "apart", "--detach").returncode == 2  # it trains already
    assert command(home, "resume", "apart", "--detach", "--budget", "2 hours").returncode == 0
    assert command(home, "stop").returncode == 0
    assert "the budget is now 120 minutes" in run.metrics_path.read_text(encoding="utf-8")


def test_resume_follows_a_stopped_run_to_its_end(home: Path) -> None:
    command(home, "train", "cats.txt", "--steps", "1000000", "--name", "halves", "--detach", *TINY)
    run = Run(home / "data" / "runs" / "halves")
    until(run, "running")
    assert command(home, "stop").returncode == 0
    status = run.status()
    assert status is not None
    assert status.state == "stopped"
    end = status.step + 20
    result = command(home, "resume", "--budget", str(end))
    assert result.returncode == 0, result.stderr
    assert f"'halves' finished at step {end}" in result.stderr
    longer = command(home, "resume", "--budget", str(end + 10))
    assert f"'halves' finished at step {end + 10}" in longer.stderr


# --- every control, several samples, and why each token was chosen ---------------------------------


def test_generate_takes_every_control_and_refuses_what_cannot_be_with_the_range(trained: Path) -> None:
    words = ("generate", "--prompt", "the ", "--max-tokens", "60", "--seed", "2", "--min-p", "0.01", "--typical-p",
             "0.95", "--repetition-penalty", "1.1", "--presence-penalty", "0.1", "--frequency-penalty", "0.1",
             "--penalty-window", "32", "--forbid", "q", "--forbid", "a", "--forbid", "€", "--json")  # fmt: skip
    result = command(trained, *words)
    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout)
    assert reply["tokens"] == 60
    assert "a" not in reply["text"]
    assert any("'€' ignored" in notice for notice in reply["notices"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--min-p", "2"), "min_p must lie between 0 and 1, not 2.0"),
        (("--typical-p", "0"), "typical_p must be above 0 and at most 1"),
        (("--repetition-penalty", "0"), "repetition_penalty must be above 0 and at most 100"),
        (("--frequency-penalty", "1e9"), "frequency_penalty must lie between -100 and 100"),
        (("--samples", "0"), "samples must lie between 1 and 256, not 0"),
        (("--seed", "-1"), "seed must lie between 0 and"),
        (("--forbid", ""), "a forbidden text cannot be empty"),
        (("--explain",), "--explain has nowhere to go without --json"),
    ],
)
def test_a_control_out_of_range_is_refused_with_the_range(trained: Path, words: tuple[str, ...], sentence: str) -> None:
    result = command(trained, "generate", "--prompt", "the", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_forbidding_every_token_is_one_sentence(trained: Path) -> None:
    forbid = [word for character in sorted(set(TEXT)) for word in ("--forbid", character)]
    result = command(trained, "generate", "--prompt", "the", *forbid)
    assert result.returncode == 2
    assert "leave no token" in result.stderr


def test_samples_are_printed_apart_and_the_first_is_the_text_of_the_seed(trained: Path) -> None:
    words = ("generate", "--prompt", "the cat", "--max-tokens", "12", "--seed", "3")
    alone = json.loads(command(trained, *words, "--json").stdout)
    lines = command(trained, *words, "--samples", "3").stdout
    assert lines.startswith(f"--- sample 1 of 3, seed 3 ---\n{alone['text']}\n--- sample 2 of 3, seed ")
    result = json.loads(command(trained, *words, "--samples", "3", "--json").stdout)
    assert result["samples"][0]["text"] == alone["text"]
    assert [sample["sample"] for sample in result["samples"]] == [0, 1, 2]
    again = command(trained, *words[:-1], str(result["samples"][2]["seed"]), "--json")
    assert json.loads(again.stdout)["text"] == result["samples"][2]["text"]


def test_explained_tokens_spell_the_text_and_their_logarithms_add_up_to_its_score(trained: Path) -> None:
    words = ("generate", "--prompt", "the", "--max-tokens", "10", "--seed", "3", "--json")
    plain, explained = (json.loads(command(trained, *words, *more).stdout) for more in ((), ("--explain",)))
    details = explained.pop("details")
    for result in (plain, explained):
        del result["seconds"], result["tokens_per_second"]
    assert plain == explained
    assert "".join(detail["text"] for detail in details) == plain["text"]
    words = ("score", "cats", "--text", "the" + plain["text"], "--json", "--explain")
    score = json.loads(command(trained, *words).stdout)
    assert [detail["token"] for detail in score["details"][2:]] == [detail["token"] for detail in details]
    for ours, theirs in zip(score["details"][2:], details, strict=True):
        assert ours["probability"] == pytest.approx(theirs["probability"], rel=1e-4)
        assert (ours["rank"], len(ours["alternatives"])) == (theirs["rank"], 10)


def test_score_agrees_with_evaluate_and_reads_arguments_files_and_standard_input(trained: Path) -> None:
    theirs = json.loads(command(trained, "evaluate", "--on", "cats.txt", "--protocol", "sliding", "--json").stdout)
    ours = json.loads(command(trained, "score", "cats", "cats.txt", "--json").stdout)
    for name in ("loss", "perplexity", "bits_per_byte"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5)
    assert ours["tokens"] == theirs["tokens"]
    assert "details" not in ours
    piped = command(trained, "score", stdin=TEXT)
    assert piped.stdout.startswith(f"loss {ours['loss']:.4f} nats per token, perplexity ")
    table = command(trained, "score", "--text", "the\ncat €", "--explain")
    assert len(table.stdout.splitlines()) == 8
    assert table.stdout.splitlines()[2].startswith("'\\n' ")
    assert "'€'" in table.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("cats", "--text", "t"), "at least two tokens"),
        (("cats", "nothing.txt"), "nothing.txt cannot be read (No such file"),
        (("cats", "image.txt"), "image.txt"),
        (("nobody", "--text", "the cat"), "nobody"),
        (("cats", "--text", "the cat", "--threads", "-1"), "threads must be at least 0"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(trained: Path, words: tuple[str, ...], sentence: str) -> None:
    (trained / "image.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    result = command(trained, "score", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr
