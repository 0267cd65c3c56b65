"""The device is one that is there, the dtype one that pays; a wrong name gets a sentence that lists the right ones."""

import mmap
import os
import time

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.models import devices
from minigpt_tui.models.cpu import cpu_name
from minigpt_tui.models.devices import DeviceError, choose_device, choose_threads, hardware_name, memory_in_use


def only_cpu(monkeypatch, gain: float = 1.0) -> None:
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu"])
    monkeypatch.setattr(devices, "bfloat16_speedup", lambda: gain)


def with_two_gpus(monkeypatch, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "xpu", "tpu", "CPU", "", "cpu:0"])
def test_a_device_that_is_not_there_is_refused_with_what_is(name, monkeypatch):
    only_cpu(monkeypatch)
    with pytest.raises(DeviceError, match=f"'{name}' is not available; choose auto or one of cpu$"):
        choose_device(name)


def test_a_dtype_that_is_not_known_is_refused():
    with pytest.raises(DeviceError, match="'float8' is not known; choose auto, float32 or bfloat16"):
        choose_device("cpu", "float8")


def test_a_cpu_takes_bfloat16_only_where_it_was_measured_to_pay(monkeypatch):
    only_cpu(monkeypatch, gain=4.0)
    assert choose_device().dtype == torch.bfloat16
    assert "4.0 times as fast" in choose_device().reason
    only_cpu(monkeypatch, gain=0.3)
    assert choose_device().dtype == torch.float32
    assert choose_device("cpu", "bfloat16").dtype == torch.bfloat16
    assert "was asked for" in choose_device("cpu", "bfloat16").reason


def test_a_cpu_generates_in_float32(monkeypatch):
    only_cpu(monkeypatch, gain=4.0)
    assert choose_device(training=False).dtype == torch.float32


def test_the_first_gpu_is_the_best_device(monkeypatch):
    with_two_gpus(monkeypatch, (9, 0))
    choice = choose_device()
    assert (choice.device, choice.dtype, choice.name) == (torch.device("cuda:0"), torch.bfloat16, "GPU 0")
    assert choose_device("cuda:1").name == "GPU 1"
    assert choose_device("cuda").device == torch.device("cuda:0")
    assert choose_device("cpu", "float32").device == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"one of cuda:0, cuda:1, .*cpu"):
        choose_device("cuda:2")


def test_an_old_gpu_computes_in_float32(monkeypatch):
    with_two_gpus(monkeypatch, (7, 5))
    assert choose_device().dtype == torch.float32
    assert "7.5" in choose_device().reason


def test_the_trial_gives_a_ratio():
    assert 0 < devices.bfloat16_speedup() < 1000


def test_threads_are_what_was_asked_for_or_the_cores_less_one_for_the_screen(monkeypatch):
    monkeypatch.setattr(devices, "physical_cores", lambda: 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert choose_threads(0, leave_core=False) == 4
    assert choose_threads(0, leave_core=True) == 3
    assert choose_threads(6, leave_core=True) == 6
    assert choose_threads(100, leave_core=False) == 8
    monkeypatch.setattr(devices, "physical_cores", lambda: 1)
    assert choose_threads(0, leave_core=True) == 1
    monkeypatch.setattr(devices, "physical_cores", lambda: 96)
    assert choose_threads(0, leave_core=True) == devices.MAX_THREADS


def test_a_cpu_is_called_what_the_system_calls_it():
    assert choose_device("cpu", "float32").name == hardware_name(torch.device("cpu")) == cpu_name()


def test_memory_grows_with_what_is_held():
    before = memory_in_use(torch.device("cpu"))
    with mmap.mmap(-1, 64 << 20) as held:  # not from the heap, which may have kept as much
        held.write(bytes(len(held)))
        assert memory_in_use(torch.device("cpu")) >= before + len(held) // 2


def test_a_kernel_that_is_slow_to_make_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[torch.dtype] = []
    multiply = F.linear

    def slow_at_first(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if x.dtype not in calls:
            time.sleep(0.03)  # longer than the whole trial
        calls.append(x.dtype)
        return multiply(x, weight)

    monkeypatch.setattr(devices.F, "linear", slow_at_first)
    devices.bfloat16_speedup.__wrapped__()
    assert calls.count(torch.float32) == calls.count(torch.bfloat16) > 5
