import math

from minigpt_tui.engine.events import CheckpointSaved, Evaluation, Note, Preparing, Sample, Started, StateChanged, Step
from minigpt_tui.engine.requests import Loaded
from minigpt_tui.models.config import ModelConfig, flops_per_token, parameter_count
from minigpt_tui.tui.run_words import stage
from minigpt_tui.tui.state import NOTES_KEPT, ModelView, TrainingView


def started(step=0, total_steps: int | None = 2000) -> Started:
    return Started(
        step=step, total_steps=total_steps, parameters=380_000, vocab_size=65, train_tokens=900_000,
        validation_tokens=100_000, device="cpu", device_name="CPU", dtype="float32", threads=2, reason="no GPU",
        time=0.0, entropy_floor=0.55,
    )  # fmt: skip


def at(step, loss=2.0, total_steps: int | None = 2000, seconds=10.0, remaining: float | None = 30.0) -> Step:
    return Step(
        step=step, total_steps=total_steps, tokens=step * 2048, seconds=seconds, remaining=remaining, loss=loss,
        learning_rate=0.02, gradient_norm=0.5, tokens_per_second=47_000.0, memory=310_000_000,
    )  # fmt: skip


def evaluated(step, loss=2.1, best=True) -> Evaluation:
    return Evaluation(
        step=step, seconds=10.0, validation_loss=loss, perplexity=math.exp(loss), bits_per_byte=loss / math.log(2),
        protocol="full", best=best,
    )  # fmt: skip


def view(*events) -> TrainingView:
    result = TrainingView(name="play-01")
    for event in events:
        result.apply(event)
    return result


def test_begins_with_nothing_known():
    empty = TrainingView()
    assert (empty.state, empty.fraction, empty.ended, len(empty.train)) == (None, None, False, 0)


def test_folds_a_run_from_start_to_end():
    run = view(
        started(), at(1, 4.1), at(412, 1.64), evaluated(400, 1.71), CheckpointSaved(400, "best"),
        Sample(400, "ROMEO:", "What light"), Note(400, "saved"), StateChanged("finished", 2000, 9.0),
    )  # fmt: skip
    assert (run.state, run.step, run.total_steps) == ("finished", 2000, 2000)
    assert (run.train_loss, run.validation_loss, run.best_validation_loss, run.best_step) == (1.64, 1.71, 1.71, 400)
    assert run.bits_per_byte == 1.71 / math.log(2)
    assert (run.checkpoint_step, run.entropy_floor, run.parameters) == (400, 0.55, 380_000)
    assert run.sample == Sample(400, "ROMEO:", "What light")
    assert [note.text for note in run.notes] == ["saved"]
    assert [bucket.x for bucket in run.train.buckets] == [1, 412]
    assert run.ended
    assert run.remaining is None
    assert run.tokens_per_second is None


def test_fraction_by_steps_and_by_time():
    assert view(started(), at(500)).fraction == 0.25
    assert view(started(total_steps=None), at(5, total_steps=None, seconds=15, remaining=45)).fraction == 0.25
    assert view(started(total_steps=None), at(5, total_steps=None, remaining=None)).fraction is None
    assert view(started(), at(2100)).fraction == 1.0


def test_a_worse_evaluation_keeps_the_best():
    run = view(started(), evaluated(100, 1.7), evaluated(200, 1.9, best=False))
    assert (run.validation_loss, run.best_validation_loss, run.best_step) == (1.9, 1.7, 100)


def test_an_event_from_the_past_is_skipped():
    run = view(started(), at(10, 3.0), at(20, 2.0), at(15, 9.0), evaluated(20, 2.0), evaluated(10, 9.0))
    assert (run.step, run.train_loss, run.validation_loss) == (20, 2.0, 2.0)
    assert [bucket.x for bucket in run.train.buckets] == [10, 20]
    assert [bucket.x for bucket in run.validation.buckets] == [20]


def test_a_resumed_run_replaces_the_steps_it_repeats():
    run = view(started(), at(10, 4.0), at(20, 3.0), evaluated(20, 3.0), at(30, 2.0), at(40, 9.0), evaluated(40, 9.0))
    run.apply(started(step=20))
    assert run.step == 20
    assert len(run.train) == 4  # nothing is lost by starting again
    run.apply(at(30, 1.5))
    assert [(bucket.x, bucket.mean) for bucket in run.train.buckets] == [(10, 4.0), (20, 3.0), (30, 1.5)]
    run.apply(evaluated(40, 1.4))
    assert [(bucket.x, bucket.mean) for bucket in run.validation.buckets] == [(20, 3.0), (40, 1.4)]
    assert (run.step, run.train_loss, run.validation_loss) == (30, 1.5, 1.4)


def test_reading_the_whole_file_again_gives_the_same_view():
    events = [started(), at(10, 4.0), evaluated(10, 4.1), at(20, 3.0), StateChanged("paused", 20, 1.0)]
    once, twice = view(*events), view(*events, *events)
    assert [b.x for b in once.train.buckets] == [b.x for b in twice.train.buckets]
    assert (once.step, once.state, once.validation_loss) == (twice.step, twice.state, twice.validation_loss)


def test_nan_losses_are_counted_and_leave_the_curve_drawable():
    run = view(started(), at(10, 2.0), at(20, math.nan))
    assert run.train.not_finite == 1
    assert run.train.last == 2.0


def test_states_follow_the_file():
    run = view(StateChanged("starting", 0, 0.0))
    assert run.state == "starting"
    run.apply(started())
    assert run.state == "running"
    run.apply(StateChanged("paused", 0, 1.0))
    assert (run.state, run.ended) == ("paused", False)
    run.apply(at(1))
    assert run.state == "paused"  # the figures of the last steps may come after the state
    run.apply(StateChanged("failed", 1, 2.0, "out of memory; choose a smaller batch"))
    assert (run.state, run.reason, run.ended) == ("failed", "out of memory; choose a smaller batch", True)


def test_a_crash_is_marked_and_a_resume_clears_it():
    run = view(started(), at(10))
    run.mark_crashed()
    assert (run.state, run.ended, run.remaining) == ("crashed", True, None)
    assert "resume" in run.reason
    run.apply(started(step=10))
    assert (run.state, run.reason) == ("running", "")


def test_what_is_prepared_is_known_until_the_run_has_started_or_failed():
    run = view(StateChanged("starting", 0, 0.0), Preparing("encoding", 0.42))
    assert run.preparing == Preparing("encoding", 0.42)
    assert run.state == "starting"
    run.apply(started())
    assert run.preparing is None
    assert view(Preparing("tokenizer", None), StateChanged("failed", 0, 0.0, "no space")).preparing is None
    run = view(Preparing("tokenizer", None))
    run.mark_crashed()
    assert run.preparing is None


def test_a_stage_is_named_with_what_is_done_of_it():
    assert stage(Preparing("encoding", 0.42)) == "encoding the text 42%"
    assert stage(Preparing("loading", None)) == "loading the model"


def test_notes_are_bounded():
    run = view(*(Note(step, f"note {step}") for step in range(NOTES_KEPT + 10)))
    assert len(run.notes) == NOTES_KEPT
    assert run.notes[-1].text == f"note {NOTES_KEPT + 9}"


def test_a_model_from_its_configuration_then_loaded():
    config = ModelConfig(vocab_size=65, context_length=64, n_layer=4, n_head=4, d_model=128)
    model = ModelView.of("play-01", config, "char")
    assert (model.name, model.config, model.tokenizer) == ("play-01", config, "char")
    assert (model.parameters, model.flops_per_token) == (parameter_count(config), flops_per_token(config))
    assert model.step is None
    model.apply(Loaded(1, "/runs/play-01", 400, 800_000, 65, 64, "cpu", "float32", 12_000_000, 1.71))
    assert (model.step, model.validation_loss, model.device, model.parameters) == (400, 1.71, "cpu", 800_000)
