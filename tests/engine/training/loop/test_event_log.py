"""What the journal writes, and in which order."""

from __future__ import annotations

from minigpt_tui.engine.events import Evaluation, Note
from minigpt_tui.engine.training.loop.event_log import Journal


def test_a_journal_survives_a_place_that_cannot_be_written(make_run, events_of):
    run = make_run()
    run.metrics_path.mkdir()
    journal = Journal(run)
    journal.note("lost")
    run.metrics_path.rmdir()
    journal.note("kept")
    assert [event.text for event in events_of(run) if isinstance(event, Note)] == ["kept"]


def test_who_reads_of_a_change_of_state_finds_it_in_the_status(make_run, monkeypatch):
    run, seen, append = make_run(), [], Journal._append
    monkeypatch.setattr(Journal, "_append", lambda journal, line: (seen.append(run.status()), append(journal, line)))
    journal = Journal(run)
    journal.emit(Evaluation(3, 0.1, 1.5, 4.5, 2.2, "full", True))
    journal.state("finished")
    assert (seen[-1].state, seen[-1].validation_loss) == ("finished", 1.5)
