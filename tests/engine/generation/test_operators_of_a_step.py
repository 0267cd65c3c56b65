"""What may not occur within a decode step on a GPU: a replay can neither wait for the device nor read other numbers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from minigpt_tui.engine.generation import sampling
from minigpt_tui.engine.generation.decode_graphs import DecodeGraphs
from minigpt_tui.engine.generation.sampling import Sampler
from minigpt_tui.engine.requests import SamplingSettings
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.fast.cuda_graph import Work
from minigpt_tui.models.gpt import GPT

from ..device_steps import DEVICE, Operators

MODERN = ModelConfig(vocab_size=50, context_length=64, n_layer=2, n_head=4, n_kv_head=2, d_model=32)
CLASSIC = replace(MODERN, position="learned", norm="layer", mlp="gelu_tanh", qk_norm=False, tied=True, bias=True)
SETTINGS = {
    "greedy": SamplingSettings(temperature=0),
    "filters": SamplingSettings(temperature=0.9, top_k=6, top_p=0.95, min_p=0.01, typical_p=0.9),
    "penalties": SamplingSettings(repetition_penalty=1.3, presence_penalty=0.2, penalty_window=5, max_tokens=50),
}


@pytest.mark.parametrize("model", [MODERN, CLASSIC], ids=["modern", "classic"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize(
    "alternatives",
    [
        pytest.param(None, id="alone", marks=pytest.mark.long),
        pytest.param(0, id="with probabilities", marks=pytest.mark.long),
        pytest.param(3, id="with alternatives"),
    ],
)
def test_every_step_is_the_same_work_on_the_device_alone(
    monkeypatch, model: ModelConfig, settings, alternatives: int | None
) -> None:
    monkeypatch.setattr(GPT, "reset_parameters", lambda self, generator: None)
    network = GPT(model, DEVICE, torch.bfloat16).to(DEVICE).eval()
    steps: list[Operators] = []

    def capture(work: Work, rewind: Work, device: torch.device) -> Work:
        def replay() -> None:
            with Operators() as operators:
                work()
            steps.append(operators)

        return replay

    explains = alternatives is not None
    with monkeypatch.context() as patch:  # noise is drawn before a step
        patch.setattr(sampling.torch, "Generator", lambda device: SimpleNamespace(manual_seed=lambda seed: None))
        sampler = Sampler(settings, 50, DEVICE, [1], [[1, 2]], [(3, 4)], explains, alternatives or 0)
    graph = DecodeGraphs(network, 64, capture, 4).graph_for(1, sampler, 50)
    with torch.inference_mode():
        for filled in (2, 6):
            graph.replay(4, filled)
    assert [step.on_cpu for step in steps] == [[]] * 2
    assert len(steps[0].calls) > 4 * 50
    assert steps[1].calls == steps[0].calls
