"""Which workloads a machine measures, with and without names."""

import pytest
from minigpt_tui.data.storage.errors import UserError

from benchmarks.generate.workloads import WORKLOADS as GENERATION
from benchmarks.harness import Harness
from benchmarks.train.workloads import WORKLOADS as TRAINING
from benchmarks.workloads import choose


def never() -> str:
    raise AssertionError("nothing depends on a GPU")


def named(gpu: str, *names: str) -> list[str]:
    chosen, found = choose(TRAINING, list(names), Harness(), lambda: gpu)
    assert found == gpu
    return [workload.name for workload in chosen]


def test_without_names_those_that_this_machine_can_do() -> None:
    assert named("") == ["cpu-time-to-loss", "cpu-budget"]
    assert named("H200") == ["gpu-quality", "gpu-throughput", "gpu-mfu"]
    for gpu in ("", "H200"):
        chosen, _ = choose(GENERATION, [], Harness(), lambda gpu=gpu: gpu)
        assert [w.name for w in chosen] == [name for name in GENERATION if name.startswith("gpu-") == bool(gpu)]


def test_those_that_are_named_in_the_order_of_the_table() -> None:
    assert named("H200", "gpu-mfu", "cpu-budget") == ["cpu-budget", "gpu-mfu"]
    assert named("H200", "crafting-attention") == ["crafting-attention"]


def test_the_engine_is_asked_for_a_gpu_only_where_that_matters() -> None:
    chosen, gpu = choose(TRAINING, ["cpu-budget"], Harness(), never)
    assert ([workload.name for workload in chosen], gpu) == (["cpu-budget"], "")


@pytest.mark.parametrize(
    ("workloads", "names", "impossible"),
    [(TRAINING, ["gpu-mfu", "cpu-budget"], "gpu-mfu"), (GENERATION, ["gpu-char", "char"], "gpu-char")],
    ids=["train", "generate"],
)
def test_a_workload_for_a_gpu_is_refused_where_there_is_none(workloads, names: list[str], impossible: str) -> None:
    with pytest.raises(UserError, match=f"no GPU is found here, which {impossible} cannot do without; for a CPU there"):
        choose(workloads, names, Harness(), lambda: "")
