"""The floor under the loss: known for the built-in corpus, approached by a model that learns, and never passed."""

from pathlib import Path

import pytest
from minigpt_tui.data.corpus import open_corpus
from minigpt_tui.engine.events import Evaluation, Started
from minigpt_tui.engine.launch import new_run
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.recipe import Budget, Recipe, TrainingConfig

from ..conftest import read_events
from ..preparing import prepared


@pytest.mark.long
@pytest.mark.usefixtures("polite")
def test_a_model_of_tales_stays_above_the_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    model = ModelConfig(context_length=32, n_layer=1, n_head=2, n_kv_head=1, d_model=64, d_ff=128)
    training = TrainingConfig(
        budget=Budget(200), batch_size=32, learning_rate=0.03, embedding_learning_rate=0.05, head_learning_rate=0.008,
        evaluation_interval=50, device="cpu", threads=1,
    )  # fmt: skip
    run = new_run(open_corpus("tales:200KB"), Recipe("small", "for tests", "tests", model, training))
    prepared(run).train()
    events = read_events(run)
    (floor,) = [event.entropy_floor for event in events if isinstance(event, Started)]
    losses = [event.validation_loss for event in events if isinstance(event, Evaluation)]
    assert floor is not None
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    assert floor < losses[-1] < losses[0] - 0.3
