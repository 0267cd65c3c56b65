"""The form of a new run: a text, a preset, a budget, and the most important numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Button, Checkbox, Footer, Input, Label, Select, Static

from ...data.catalog import CATALOG
from ...data.corpus import Corpus, open_corpus
from ...data.storage.errors import EXPECTED, sentence_of
from ...data.text_files import DEFAULT_READING, MarkupError, Reading
from ...data.typed_path import typed_path
from ...engine.launch import UnknownTextError, vocabulary_size
from ...engine.runs import RunError, check_name, free_name
from ...models.config import ConfigError, parameter_count
from ...models.memory import expected_memory
from ...models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS
from .. import keymap
from ..bridge import Bridge
from ..text import formatting
from ..text.typed_paths import PathSuggester
from ..training_offer import BUILT_IN
from ..widgets.facts import DIM, labelled
from ..widgets.model_input import ModelInput
from ..widgets.preset_select import PresetSelect
from ..widgets.text_input import TextInput
from .action_screen import ActionScreen
from .questions import Answer, Question
from .run_form import (
    NUMBERS,
    TOKENIZERS,
    UNKNOWN,
    FieldError,
    read_recipe,
    starting_values,
)

if TYPE_CHECKING:
    from ...models.config import ModelConfig
    from ...models.recipe import Recipe

OWN_TEXT = "a file or folder ..."
_TYPING_PAUSE = 0.3  # seconds without a key before a typed path is looked at


class NewRunScreen(ActionScreen):
    """Checked while it is typed: the first problem is shown below the form."""

    SCOPE = "new-run"
    BINDINGS = [*keymap.bindings("new-run")]
    AUTO_FOCUS = "#corpus"

    corpus_select = query_one("#corpus", Select)
    path_input = query_one("#path", Input)
    start_from = query_one("#start-from", ModelInput)
    preset_select = query_one("#preset", PresetSelect)
    tokenizer_select = query_one("#tokenizer", Select)
    unknown_select = query_one("#unknown_characters", Select)

    def __init__(self, bridge: Bridge, start_from: str = "", corpus: str = BUILT_IN) -> None:
        super().__init__()
        self._bridge = bridge
        self._start_from = start_from
        self._named = "" if corpus in CATALOG else corpus  # a path that the form begins with
        self._listed = OWN_TEXT if self._named else corpus
        self._corpus: Corpus | None = None
        self._problem_of_text = ""
        self._problem = ""
        self._reading = 0  # the number of the newest reading of a text
        self._name_was_typed = False  # whether the person has typed a name
        self._preset_before = DEFAULT_PRESET  # the one before fine-tuning

    # --- composition ----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The form, the estimate beside it, and two buttons."""
        with VerticalScroll(id="form", can_focus=False) as box:
            box.border_title = "new run"
            with Horizontal(id="columns"):
                with Vertical(id="fields"):
                    yield from self._text_fields()
                    yield from self._recipe_fields()
                    yield from self._tokenizer_fields()
                    yield from self._run_fields()
                with Vertical(id="facts"):
                    yield Static(id="estimate", markup=False)
                    yield Static(id="summary", markup=False)
                    yield Static(id="preview", markup=False)
        yield Static(id="problem", markup=False)
        with Horizontal(id="buttons"):
            yield Button("Start training  F5", id="start", variant="primary", compact=True)
            yield Button("Cancel  Esc", id="cancel", compact=True)
        yield Footer()

    def _text_fields(self) -> ComposeResult:
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

    def _recipe_fields(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label("preset")
            yield PresetSelect(id="preset")
        yield Static(id="preset-description", classes="hint", markup=False)
        with Horizontal(classes="field"):
            yield Label("start from")
            yield ModelInput(
                self._start_from, placeholder="new weights, or a trained model", id="start-from",
                tooltip="A run's name, a Hugging Face folder or nanoGPT's ckpt.pt, whose model is trained further; "
                "empty begins with new weights.",
            )  # fmt: skip

    def _tokenizer_fields(self) -> ComposeResult:
        with Horizontal(classes="field", id="tokenizer-field"):
            yield Label("tokenizer")
            kinds = [(Content(words), kind) for kind, words in TOKENIZERS.items()]
            yield Select(kinds, value="char", allow_blank=False, compact=True, id="tokenizer")
        with Horizontal(classes="field", id="vocabulary-field"):
            yield Label("vocabulary")
            yield Input(compact=True, id="bpe_vocab_size", tooltip="How many word pieces are learned, bytes included.")
        with Horizontal(classes="field", id="unknown-field"):
            yield Label("unknown")
            policies = [(Content(words), policy) for policy, words in UNKNOWN.items()]
            yield Select(
                policies, value="drop", allow_blank=False, compact=True, id="unknown_characters",
                tooltip="What becomes of characters in a prompt that the text of the training does not have.",
            )  # fmt: skip

    def _run_fields(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label("budget")
            yield Input(compact=True, id="budget", tooltip="How long to train: 2000 steps, 5 minutes, 30 s, 2 epochs.")
        with Horizontal(classes="field"):
            yield Label("name")
            yield TextInput(compact=True, id="name", tooltip="What the run is called; its folder has this name.")
        with Grid(id="numbers"):
            for number in NUMBERS:
                with Horizontal(classes="field"):
                    yield Label(number.label)
                    yield Input(compact=True, id=number.name, tooltip=number.help)

    def on_mount(self) -> None:
        """Begin with the text that was named, or the built-in one, and the quick preset."""
        self._show_fields_of_text(self._listed == OWN_TEXT)
        self._fill_in()
        self._begin_reading()

    # --- events -------------------------------------------------------------------

    @on(Select.Changed, "#corpus")
    def _corpus_chosen(self) -> None:
        own = self.corpus_select.value == OWN_TEXT
        self._show_fields_of_text(own)
        if own:
            self.path_input.focus()
        self._begin_reading()

    def _show_fields_of_text(self, own: bool) -> None:
        """Show the fields of a text of one's own; that about markup comes where there is some."""
        self.query_one("#path-field").display = self.query_one("#encoding-field").display = own
        self.query_one("#markup-field").display = False
        self.query_one("#as-text", Checkbox).value = False

    @on(Checkbox.Changed, "#as-text")
    def _markup_wanted(self) -> None:
        self._begin_reading()

    @on(Input.Changed, "#path")
    @on(Input.Changed, "#encoding")
    def _path_typed(self) -> None:
        self._corpus = None
        self._reading += 1
        self.set_timer(_TYPING_PAUSE, lambda wanted=self._reading: self._begin_reading_if(wanted))

    @on(Select.Changed, "#preset")
    def _preset_chosen(self) -> None:
        self._fill_in()

    @on(ModelInput.Looked)
    def _model_looked_up(self) -> None:
        """Switch the preset to fine-tuning with the model that is trained further, and back without one."""
        if self._model is not None and self.preset_select.value != FINE_TUNING.name:
            self._preset_before = str(self.preset_select.value)
            self.preset_select.value = FINE_TUNING.name  # fills the form
        elif not self.start_from.value.strip() and self.preset_select.value == FINE_TUNING.name:
            self.preset_select.value = self._preset_before
        elif self._model is not None:
            self._fill_in()
        else:
            self._validate()

    @on(Input.Changed, "#name")
    def _name_typed(self, event: Input.Changed) -> None:
        self._name_was_typed = bool(event.value) and event.input.has_focus
        self._validate()

    @on(Input.Changed)
    @on(Select.Changed, "#tokenizer")
    @on(Select.Changed, "#unknown_characters")
    def _something_changed(self) -> None:
        self._validate()

    @on(Input.Submitted)
    def _to_the_next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss()

    @work(group="start", exclusive=True)
    async def action_start(self) -> None:
        """Make the run and start it; where that fails, say why and stay."""
        recipe = self._validate()
        if recipe is None:
            return
        start = self.query_one("#start", Button)
        start.disabled = True
        name, found = self.query_one("#name", Input).value.strip() or None, self.start_from.found
        spec, file, reading = self._spec(), found.file if found else None, self._how_to_read()
        try:
            try:
                await self._bridge.train(spec, recipe, name, file, reading=reading)
            except UnknownTextError as error:
                answers = [Answer("learn", "learn what is left of the text", "l")]
                if await self.app.push_screen_wait(Question("another script", sentence_of(error), answers)) is None:
                    raise
                await self._bridge.train(spec, recipe, name, file, reading=reading, drop_unknown=True)
        except EXPECTED as error:
            self._show_problem(sentence_of(error))
            start.disabled = False
        else:
            self.dismiss()

    # --- the text -------------------------------------------------------------------------------

    def _spec(self) -> str:
        if self.corpus_select.value == OWN_TEXT:
            return str(typed_path(self.path_input.value)) if self.path_input.value.strip() else ""
        return str(self.corpus_select.value)

    def _how_to_read(self) -> Reading:
        if self.corpus_select.value != OWN_TEXT:
            return DEFAULT_READING
        encoding = self.query_one("#encoding", Input).value.strip()
        return Reading(encoding or None, self.query_one("#as-text", Checkbox).value)

    def _begin_reading_if(self, wanted: int) -> None:
        if wanted == self._reading:
            self._begin_reading()

    def _begin_reading(self) -> None:
        self._corpus, self._problem_of_text = None, ""
        self._reading += 1
        spec = self._spec()
        self.query_one("#summary", Static).update("reading the text ..." if spec else "")
        self.query_one("#preview").display = False
        if spec:
            self._read_text(spec, self._how_to_read(), self._reading)
        self._validate()

    @work(thread=True, group="inspect", exit_on_error=False)
    def _read_text(self, spec: str, how: Reading, reading: int) -> None:
        """Read the text in a thread; only the newest reading counts."""
        markup = how.as_text
        try:
            result: Corpus | str = open_corpus(spec, reading=how)
        except EXPECTED as error:
            result, markup = sentence_of(error), markup or isinstance(error, MarkupError)
        self.app.call_from_thread(self._text_read, result, markup, reading)

    def _text_read(self, result: Corpus | str, markup: bool, reading: int) -> None:
        if reading != self._reading or not self.is_mounted:
            return
        self.query_one("#markup-field").display = markup
        if isinstance(result, str):
            self._problem_of_text = result
            self.query_one("#summary", Static).update("")
        else:
            self._corpus = result
            self._show_corpus(result)
            if not self._name_was_typed:
                self.query_one("#name", Input).value = free_name(result.name)
        self._validate()

    def _show_corpus(self, corpus: Corpus) -> None:
        files = f" in {corpus.n_files:,} files" if corpus.n_files > 1 else ""
        notices = [("", formatting.one_line(notice)) for notice in corpus.notices]
        self.query_one("#summary", Static).update(
            labelled(
                ("size", f"{formatting.memory(corpus.n_bytes)}{files}"),
                ("characters", f"{corpus.n_characters:,}, {len(corpus.alphabet):,} of them distinct"),
                *notices,
            )
        )
        preview = self.query_one("#preview", Static)
        preview.display = True
        preview.update(Content("\n".join(formatting.one_line(line) for line in corpus.preview.splitlines())))

    # --- the recipe -----------------------------------------------------------------------------

    @property
    def _model(self) -> ModelConfig | None:
        """The shape of the model that is trained further."""
        return self.start_from.found.config if self.start_from.found else None

    def _fill_in(self) -> None:
        """Fill the form from the preset, and from the model that is trained further."""
        recipe = PRESETS[str(self.preset_select.value)]
        self.query_one("#preset-description", Static).update(
            Content.assemble(recipe.description, ("\n" + recipe.source, DIM))
        )
        for field, text in starting_values(recipe.name, self._model).items():
            widget = self.query_one(f"#{field}")
            if isinstance(widget, (Select, Input)):
                widget.value = text
        self._validate()

    def _show_fields(self) -> None:
        """Show the fields that apply now."""
        own = self._model is None
        for number in NUMBERS:
            self.query_one(f"#{number.name}", Input).disabled = number.shape and not own
        self.query_one("#tokenizer-field").display = own
        self.query_one("#vocabulary-field").display = own and self.tokenizer_select.value == "bpe"
        self.query_one("#unknown-field").display = own and self.tokenizer_select.value == "char"

    def _validate(self) -> Recipe | None:
        """The recipe if everything is in order; the estimate and the first problem are shown either way."""
        self._show_fields()
        for field in self.query(Input):
            field.remove_class("-wrong")
        try:
            if self.start_from.problem:
                raise FieldError("start-from", formatting.one_line(self.start_from.problem))
            recipe = self._recipe()
            check_name(self.query_one("#name", Input).value.strip() or "run")
        except FieldError as error:
            self.query_one(f"#{error.field}", Input).add_class("-wrong")
            self._show_problem(str(error))
            return None
        except RunError as error:
            self.query_one("#name", Input).add_class("-wrong")
            self._show_problem(str(error))
            return None
        except ConfigError as error:
            self._show_problem(str(error))
            return None
        self._show_estimate(recipe)
        self._show_problem(self._problem_of_text)
        return recipe if self._corpus is not None and not self.start_from.looking else None

    def _recipe(self) -> Recipe:
        values = {field.id or "": field.value for field in self.query(Input)}
        for select in (self.tokenizer_select, self.unknown_select):
            values[select.id or ""] = str(select.value)
        return read_recipe(str(self.preset_select.value), values, self._model)

    def _show_estimate(self, recipe: Recipe) -> None:
        if self._corpus is None:
            self.query_one("#estimate", Static).update("")
            return
        found, model = self.start_from.found, recipe.model
        if not found:
            model = replace(model, vocab_size=vocabulary_size(recipe, self._corpus))
        at_most = "at most " if recipe.tokenizer == "bpe" and not found else ""
        tokens = recipe.training.batch_size * model.context_length
        memory = formatting.memory(expected_memory(model, recipe.training))
        if found:
            start = [("start from", f"{formatting.one_line(found.file.name)} ({found.kind})")]
            vocabulary = ("tokenizer", f"the model's: {found.tokenizer}, {model.vocab_size:,} tokens")
        else:
            start, vocabulary = [], ("vocabulary", f"{at_most}{model.vocab_size:,} tokens")
        facts = [
            *start,
            ("parameters", f"{at_most}{parameter_count(model):,}"),
            vocabulary,
            ("memory", f"about {memory} while it trains"),
            ("a step", f"{tokens:,} tokens"),
        ]
        self.query_one("#estimate", Static).update(labelled(*facts))

    @property
    def problem(self) -> str:
        """What is wrong with the form, in one sentence; empty where nothing is."""
        return self._problem

    def _show_problem(self, sentence: str) -> None:
        self._problem = sentence
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.display = bool(sentence)
