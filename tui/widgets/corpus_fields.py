"""The fields that say from which text a run learns and how that is read; it is read while they are filled in."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Static
from textual.worker import get_current_worker

from ...data.catalog import CATALOG
from ...data.corpus import Corpus, open_corpus
from ...data.storage.errors import EXPECTED, UserError, sentence_of
from ...data.text_files import DEFAULT_READING, MarkupError, Reading
from ...data.text_preview import TextPreview, preview_of
from ...data.typed_path import typed_path
from ..text import formatting
from .text_choice import TextChoice

_TYPING_PAUSE = 0.3  # seconds without a key before a typed path is looked at
_FOLDER = "Enter reads all texts of this folder"


class CorpusFields(Vertical):
    """Posts Looked whenever a reading begins or ends; `corpus` or `problem` is what came of it."""

    DEFAULT_CSS = """
    CorpusFields {
        height: auto;
        #notices { height: auto; padding: 0 0 0 12; color: $text-warning; display: none; }
    }
    """

    class Looked(Message):
        """`corpus` or `problem` of the fields has changed, or the reading is still going on."""

    class GotOn(Message):
        """More of the text is read, or its `preview` is there."""

    choice = query_one("#corpus", TextChoice)
    encoding = query_one("#encoding", Input)
    as_text = query_one("#as-text", Checkbox)

    def __init__(
        self,
        corpus: str,
        encoding: str = "",
        *,
        agreed: bool = False,
        fingerprint: str = "",
        earlier: Sequence[str] = (),
    ) -> None:
        """Markup that was `agreed` to is read as it stands; `fingerprint` is that of the text as it was learned before.

        `earlier` are the specs of texts that were learned from before.
        """
        super().__init__()
        self._begin_with, self._encoding, self._agreed, self._fingerprint = corpus, encoding, agreed, fingerprint
        self._earlier = earlier
        self._newest = 0  # the number of the newest reading
        self._waits = False  # whether what is typed is still to be looked at
        self.corpus: Corpus | None = None
        self.preview: TextPreview | None = None  # comes a moment after the corpus
        self.problem = ""  # why it is no text to learn from, in one sentence
        self.looking = False  # whether the text is being read
        self.done = 0.0  # the fraction of it that is read

    def compose(self) -> ComposeResult:
        """What to read; the other fields come where they mean something."""
        with Horizontal(classes="field", id="corpus-field"):
            yield Label("text")
            yield TextChoice(self._begin_with, self._earlier, id="corpus")
        with Horizontal(classes="field", id="encoding-field"):
            yield Label("encoding")
            yield Input(
                self._encoding, placeholder="found out", compact=True, id="encoding",
                tooltip="How the text is encoded, where that is not found out: gb18030, shift_jis, cp1251, koi8-r ...",
            )  # fmt: skip
        with Horizontal(classes="field", id="markup-field"):
            yield Label("markup")
            yield Checkbox("learn it as it stands", compact=True, id="as-text")
        yield Static(id="notices", markup=False)

    def on_mount(self) -> None:
        """Read what the fields begin with."""
        self._show_fields()
        self._look()

    @property
    def is_own(self) -> bool:
        """Whether the text is one of the person's own, and not known by name."""
        return bool(self.spec) and self.spec not in CATALOG and not self.spec.startswith("tales:")

    @property
    def spec(self) -> str:
        """What `open_corpus` understands; empty where nothing is typed yet."""
        typed = self.choice.value.strip()
        if not typed or typed in CATALOG or typed.startswith("tales:"):
            return typed
        return str(typed_path(self.choice.value))

    @property
    def reading(self) -> Reading:
        """How it is read."""
        if not self.is_own:
            return DEFAULT_READING
        return Reading(self.encoding.value.strip() or None, self.as_text.value)

    # --- events ---------------------------------------------------------------------------------

    def _show_fields(self) -> None:
        """Show the fields of a text of one's own; that about markup comes where there is some."""
        self.query_one("#encoding-field").display = self.is_own
        self.query_one("#markup-field").display = self.as_text.value = False

    @on(Checkbox.Changed, "#as-text")
    def _markup_wanted(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._look()

    @on(TextChoice.Changed)
    def _corpus_typed(self, event: TextChoice.Changed) -> None:
        event.stop()
        self._agreed, self._fingerprint = False, ""
        self._show_fields()
        self._wait()

    @on(Input.Changed, "#encoding")
    def _encoding_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._wait()

    def _wait(self) -> None:
        """Look at what is typed when nobody types any more; a folder may hold much, so Enter is waited for."""
        self._newest += 1
        self._waits = True
        self._set(None, "", looking=bool(self.spec))
        self.set_timer(_TYPING_PAUSE, lambda wanted=self._newest: self._look_if(wanted))

    def _look_if(self, wanted: int) -> None:
        if wanted != self._newest:
            return
        if self.choice.is_active and self.is_own and typed_path(self.choice.value).is_dir():
            self._set(None, _FOLDER)
        else:
            self._look()

    @on(TextChoice.Taken)
    def _taken(self, event: TextChoice.Taken) -> None:
        event.stop()
        if self._waits:
            self._look()

    # --- the reading ----------------------------------------------------------------------------

    def _look(self) -> None:
        spec = self.spec
        self._newest += 1
        self._waits = False
        self._set(None, "", looking=bool(spec))
        if spec:
            self._read(spec, self.reading, self._newest)

    @work(thread=True, group="inspect", exclusive=True, exit_on_error=False)
    def _read(self, spec: str, reading: Reading, number: int) -> None:
        """Read the text in a thread; only the newest reading counts, and one before it ends."""
        markup, worker = reading.as_text, get_current_worker()

        def progress(done: float) -> None:
            if worker.is_cancelled:
                raise UserError("another text is read now")
            if done - self.done > 0.05:
                self.app.call_from_thread(self._get_on, done, number)

        try:
            result: Corpus | str = open_corpus(spec, reading=reading, progress=progress)
        except EXPECTED as error:
            result, markup = sentence_of(error), markup or isinstance(error, MarkupError)
        if worker.is_cancelled:
            return
        self.app.call_from_thread(self._take, result, markup, number)
        if isinstance(result, Corpus):
            try:
                preview = preview_of(result, lambda: worker.is_cancelled)
            except EXPECTED:  # it has changed since, which the start of the run will say
                preview = None
            if preview and not worker.is_cancelled:
                self.app.call_from_thread(self._take_preview, preview, number)

    def _get_on(self, done: float, number: int) -> None:
        if number == self._newest and self.is_attached:
            self.done = done
            self.post_message(self.GotOn())

    def _take(self, result: Corpus | str, markup: bool, number: int) -> None:
        if number != self._newest or not self.is_attached:
            return
        self.query_one("#markup-field").display = markup
        if isinstance(result, Corpus):
            self._set(result, "")
        elif markup and self._agreed:
            self._agreed = False
            self.as_text.value = True  # reads it again
        else:
            self._set(None, result)

    def _take_preview(self, preview: TextPreview, number: int) -> None:
        if number == self._newest and self.is_attached:
            self.preview = preview
            self.post_message(self.GotOn())

    def _set(self, corpus: Corpus | None, problem: str, *, looking: bool = False) -> None:
        self.corpus, self.preview, self.problem, self.looking, self.done = corpus, None, problem, looking, 0.0
        said = list(corpus.notices) if corpus else []
        if corpus and self._fingerprint not in ("", corpus.fingerprint):
            said.append("the text has changed since that run learned from it")
        notices = self.query_one("#notices", Static)
        notices.display = bool(said)
        notices.update("\n".join(map(formatting.one_line, said)))
        self.post_message(self.Looked())
