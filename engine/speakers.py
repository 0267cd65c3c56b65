"""Who speaks in the text that a run learned from: for whoever offers names, and frames what is said. Light."""

from __future__ import annotations

from ..data.corpus import open_corpus
from ..data.speakers.finding import Speakers
from ..data.speakers.reading import known_speakers, speakers_of_corpus
from ..data.text_files import Progress
from .runs import Run


def speakers_of(run: Run, progress: Progress | None = None) -> Speakers | None:
    """The speakers of a run's text, the most frequent first; None where nobody speaks in it.

    The first time the text is read, some seconds for a gigabyte, so a screen calls this in a thread; from then on the
    cache answers at once, also where the text is gone. `progress` receives the fraction that is done.

        found = speakers_of(run)
        found.completions("ju")                           # the names that begin so: who speaks most stands first
        speeches = [*earlier, Speech(you, line)]
        prompt = found.form.frame(speeches, answering)    # what the model continues, and what is shown as the frame
        Generate(id, prompt, settings, speech=found.form) # the reply ends where the speech of `answering` does

    The reply may begin with a blank: it belongs to the text. Raises RunError where the run cannot be read, UserError
    where its text is needed and cannot be.
    """
    record = run.manifest().corpus
    if known := known_speakers(record.fingerprint):
        return known[0]
    first, second = (
        progress and (lambda done: progress(done / 2)),
        progress and (lambda done: progress((1 + done) / 2)),
    )
    return speakers_of_corpus(open_corpus(record.spec, reading=record.reading, progress=first), second)
