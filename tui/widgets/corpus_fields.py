"""The fields that say from which text a run learns and how that is read; it is read while they are filled in."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.getters import query_one
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Select, Static

from ...data.catalog import CATALOG
from ...data.corpus import Corpus, open_corpus
from ...data.storage.errors import EXPECTED, sentence_of
from ...data.text_files import DEFAULT_READING, MarkupError, Reading
from ...data.typed_path import typed_path
from ..text import formatting
from ..text.typed_paths import PathSuggester
from .text_input import TextInput

OWN_TEXT = "a file or folder ..."
_TYPING_PAUSE = 0.3  # seconds without a key before a typed path is looked at


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

    select = query_one("#corpus", Select)
    path = query_one("#path", Input)
    encoding = query_one("#encoding", Input)
    as_text = query_one("#as-text", Checkbox)

    def __init__(self, corpus: str) -> None:
        super().__init__()
        self._named = "" if corpus in CATALOG else corpus  # a path that the fields begin with
        self._listed = OWN_TEXT if self._named else corpus
        self._newest = 0  # the number of the newest reading
        self.corpus: Corpus | None = None
        self.problem = ""  # why it is no text to learn from, in one sentence
        self.looking = False  # whether the text is being read

    def compose(self) -> ComposeResult:
        """What to read; the other fields come where they mean something."""
        names = [(name, name) for name in CATALOG]
        with Horizontal(classes="field"):
            yield Label("text")
            yield Select(
                [*names, (OWN_TEXT, OWN_TEXT)], value=self._listed, allow_blank=False, compact=True, id="corpus"
            )
        with Horizontal(classes="field", id="path-field"):
            yield Label("path")
            yield TextInput(
                self._named, placeholder="~/my-novel.txt", suggester=PathSuggester(), compact=True, id="path",
                tooltip="A text file, or a folder of them; the right arrow key takes the completion.",
            )  # fmt: skip
        with Horizontal(classes="field", id="encoding-field"):
            yield Label("encoding")
            yield Input(
                placeholder="found out", compact=True, id="encoding",
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
    def spec(self) -> str:
        """What `open_corpus` understands; empty where no path is typed yet."""
        if self.select.value != OWN_TEXT:
            return str(self.select.value)
        return str(typed_path(self.path.value)) if self.path.value.strip() else ""

    @property
    def reading(self) -> Reading:
        """How it is read."""
        if self.select.value != OWN_TEXT:
            return DEFAULT_READING
        return Reading(self.encoding.value.strip() or None, self.as_text.value)

    # --- events ---------------------------------------------------------------------------------

    @on(Select.Changed, "#corpus")
    def _chosen(self) -> None:
        self._show_fields()
        if self.select.value == OWN_TEXT:
            self.path.focus()
        self._look()

    def _show_fields(self) -> None:
        """Show the fields of a text of one's own; that about markup comes where there is some."""
        own = self.select.value == OWN_TEXT
        self.query_one("#path-field").display = self.query_one("#encoding-field").display = own
        self.query_one("#markup-field").display = self.as_text.value = False

    @on(Checkbox.Changed, "#as-text")
    def _markup_wanted(self) -> None:
        self._look()

    @on(Input.Changed, "#path")
    @on(Input.Changed, "#encoding")
    def _typed(self) -> None:
        self.corpus = None
        self._newest += 1
        self.set_timer(_TYPING_PAUSE, lambda wanted=self._newest: self._look_if(wanted))

    def _look_if(self, wanted: int) -> None:
        if wanted == self._newest:
            self._look()

    # --- the reading ----------------------------------------------------------------------------

    def _look(self) -> None:
        spec = self.spec
        self._newest += 1
        self._set(None, "", looking=bool(spec))
        if spec:
            self._read(spec, self.reading, self._newest)

    @work(thread=True, group="inspect", exit_on_error=False)
    def _read(self, spec: str, reading: Reading, number: int) -> None:
        """Read the text in a thread; only the newest reading counts."""
        markup = reading.as_text
        try:
            result: Corpus | str = open_corpus(spec, reading=reading)
        except EXPECTED as error:
            result, markup = sentence_of(error), markup or isinstance(error, MarkupError)
        self.app.call_from_thread(self._take, result, markup, number)

    def _take(self, result: Corpus | str, markup: bool, number: int) -> None:
        if number != self._newest or not self.is_attached:
            return
        self.query_one("#markup-field").display = markup
        if isinstance(result, str):
            self._set(None, result)
        else:
            self._set(result, "")

    def _set(self, corpus: Corpus | None, problem: str, *, looking: bool = False) -> None:
        self.corpus, self.problem, self.looking = corpus, problem, looking
        notices = self.query_one("#notices", Static)
        notices.display = bool(corpus and corpus.notices)
        notices.update("\n".join(map(formatting.one_line, corpus.notices if corpus else ())))
        self.post_message(self.Looked())
