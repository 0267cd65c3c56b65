"""nanoGPT as a peer: what its train.py prints, its data, and, where a checkout is named, the real thing."""

from __future__ import annotations

import os
import sys
from array import array
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus, split_position
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.models.interop.nanogpt import read_alphabet

from benchmarks.harness import Benchmark, Harness, TrialFailedError
from benchmarks.nanogpt import CPU_RECIPE, NAME, NanoGpt, TrainOutput, write_data
from benchmarks.train.setup import TrainingSetup

# What its train.py printed on a CPU, with `eval_interval=2`, `max_iters=4`.
RECORDED = """\
Overriding config with config/train_shakespeare_char.py:
found vocab_size = 65 (inside data/shakespeare_char/meta.pkl)
number of parameters: 0.80M
num decayed parameter tensors: 18, with 802,944 parameters
step 0: train loss 4.1655, val loss 4.1683
iter 0: loss 4.1662, time 1430.02ms, mfu -100.00%
iter 1: loss 4.1646, time 30.00ms, mfu -100.00%
step 2: train loss 4.1601, val loss 3.9000
saving checkpoint to out-shakespeare-char
iter 2: loss 4.1590, time 1210.00ms, mfu -100.00%
iter 3: loss 4.1590, time 50.00ms, mfu -100.00%
step 4: train loss 4.1489, val loss 4.1500
iter 4: loss nan, time 1240.00ms, mfu 0.05%
"""


@pytest.fixture
def output() -> TrainOutput:
    """The recorded lines, as if one came each second."""
    output = TrainOutput()
    for second, line in enumerate(RECORDED.splitlines()):
        output.take(line, float(second))
    return output


def test_iterations_and_evaluations_are_read(output: TrainOutput) -> None:
    assert output.iterations == {0: 1.43002, 1: 0.03, 2: 1.21, 3: 0.05, 4: 1.24}
    assert output.evaluations == [(4.0, 0, 4.1683), (7.0, 2, 3.9), (11.0, 4, 4.15)]
    assert output.best() == 3.9


def test_an_iteration_with_an_evaluation_counts_as_the_median(output: TrainOutput) -> None:
    assert output.seconds == pytest.approx(0.03 + 0.05 + 3 * 0.04)


def test_seconds_and_paces_are_by_the_clock(output: TrainOutput) -> None:
    assert output.reached(4.0) == 7.0
    with pytest.raises(TrialFailedError, match=r"never came down to 1\.2; its lowest was 3\.9000"):
        output.reached(1.2)
    assert output.tokens_per_second(768, warm_up=1) == pytest.approx(3 * 768 / (12.0 - 6.0))
    with pytest.raises(TrialFailedError, match="too few"):
        output.tokens_per_second(768, warm_up=4)


def test_a_folder_without_its_programs_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no checkout of nanoGPT: it has no train\.py"):
        NanoGpt.at(tmp_path)


def test_the_text_is_prepared_as_its_own_program_does(tmp_path: Path) -> None:
    content = "To be, or not: é\n☃ " * 20
    write_data(content, tmp_path / "data", 0.1)
    alphabet = read_alphabet(tmp_path / "data" / "meta.pkl")
    assert alphabet == "".join(sorted(set(content)))
    parts = []
    for name in ("train.bin", "val.bin"):
        ids = array("H")
        ids.frombytes((tmp_path / "data" / name).read_bytes())
        if sys.byteorder == "big":
            ids.byteswap()
        parts.append("".join(alphabet[token] for token in ids))
    assert "".join(parts) == content
    assert len(parts[0]) == split_position(len(content), 0.1)


def test_a_train_program_that_fails_is_a_failed_trial_with_its_last_word(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("raise SystemExit('no data here')")
    (tmp_path / "meta.pkl").write_bytes(b"")
    with pytest.raises(TrialFailedError, match=r"train\.py ended with code 1: no data here"):
        NanoGpt(tmp_path).train(tmp_path, tmp_path / "out", {})


@pytest.mark.skipif(
    "MINIGPT_NANOGPT" not in os.environ, reason="MINIGPT_NANOGPT names no checkout of nanoGPT to be measured"
)
def test_a_real_checkout_is_measured_and_its_model_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    checkout = NanoGpt.at(Path(os.environ["MINIGPT_NANOGPT"]))
    setup = TrainingSetup(tmp_path, open_corpus("tales:20KB"), checkout)
    options = {**CPU_RECIPE, "max_iters": 8, "eval_interval": 4, "eval_iters": 2, "log_interval": 1, "n_layer": 1,
               "always_save_checkpoint": True}  # fmt: skip

    def figures(output: TrainOutput, out: Path) -> dict[str, float]:
        assert list(output.iterations) == list(range(9))
        assert [iteration for _, iteration, _ in output.evaluations] == [0, 4, 8]
        return {"whole": output.whole, "seconds": output.seconds, "loss": setup.loss_of_peer(out),
                "its own loss": output.evaluations[-1][2]}  # fmt: skip

    benchmark = Harness().measure(Benchmark("peer", [setup.peer(options, figures, NAME)], []), 1)
    assert not benchmark.failures, benchmark.failures
    found = benchmark.trials[0].figures
    assert isinstance(found["whole"], float)
    assert 0 < float(found["seconds"]) < found["whole"]
    assert float(found["loss"]) == pytest.approx(float(found["its own loss"]), rel=0.1), "few batches of a tiny model"
