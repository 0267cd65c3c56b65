"""What the event log writes, and in which order."""

from __future__ import annotations

from minigpt_tui.engine.events import Evaluation, Note, StateChanged
from minigpt_tui.engine.runs import Run
from minigpt_tui.engine.training.loop.event_log import EventLog


def test_an_event_log_survives_a_place_that_cannot_be_written(make_run, events_of):
    run = make_run()
    run.metrics_path.mkdir()
    event_log = EventLog(run)
    event_log.note("lost")
    run.metrics_path.rmdir()
    event_log.note("kept")
    assert [event.text for event in events_of(run) if isinstance(event, Note)] == ["kept"]


def test_a_change_of_state_is_in_the_status_before_it_is_an_event(make_run, events_of, monkeypatch):
    run, written, write_status = make_run(), [], Run.write_status

    def write(of, status):
        written.append((status.state, [event.state for event in events_of(of) if isinstance(event, StateChanged)]))
        write_status(of, status)

    monkeypatch.setattr(Run, "write_status", write)
    event_log = EventLog(run)
    event_log.emit(Evaluation(3, 0.1, 1.5, 4.5, 2.2, "full", True))
    event_log.state("finished")
    assert written == [("finished", [])]
    assert [event.state for event in events_of(run) if isinstance(event, StateChanged)] == ["finished"]
    status = run.status()
    assert status is not None
    assert (status.state, status.validation_loss) == ("finished", 1.5)


def test_the_loss_of_a_part_of_the_text_is_the_runs_until_there_is_one_of_all(make_run):
    run, told = make_run(), []
    event_log = EventLog(run)
    for loss, best, share in (3.0, False, 0.1), (2.0, True, 1.0), (1.0, False, 0.1), (1.9, False, 1.0):
        event_log.emit(Evaluation(3, 0.1, loss, 4.5, 2.2, "full", best, share=share))
        event_log.state("running")
        status = run.status()
        assert status is not None
        told.append((status.validation_loss, status.best_validation_loss))
    assert told == [(3.0, None), (2.0, 2.0), (2.0, 2.0), (1.9, 2.0)]
