"""What a GPU can do at most, by its name."""

from __future__ import annotations

import pytest
import torch
from minigpt_tui.models.peak_flops import peak_flops, peak_of


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H200", 989), ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA H100 NVL", 835),
        ("NVIDIA H200 NVL", 835), ("NVIDIA H800 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA A100 80GB PCIe", 312), ("NVIDIA L4", 121), ("NVIDIA L40", 181),
        ("NVIDIA L40S", 362), ("NVIDIA A10G", 70), ("NVIDIA A10", 125), ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce RTX 3090", 71), ("AMD Instinct MI300X", 1307),
    ],
)  # fmt: skip
def test_a_known_gpu_is_found_by_its_name(name, teraflops):
    assert peak_of(name) == teraflops * 1e12


@pytest.mark.parametrize(
    "name",
    [
        "Tesla T4", "NVIDIA A1000", "NVIDIA GeForce RTX 3090 Ti", "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 5090 D", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "", "B2000",
    ],
)  # fmt: skip
def test_nothing_is_claimed_of_another(name):
    assert peak_of(name) is None


def test_only_a_gpu_in_bfloat16_has_a_peak(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert peak_flops(torch.device("cuda"), torch.bfloat16) == 989e12
    assert peak_flops(torch.device("cuda"), torch.float32) is None
    assert peak_flops(torch.device("cpu"), torch.bfloat16) is None
