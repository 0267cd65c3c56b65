"""The form of a new run: a text, a preset, a budget, and the most important numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...engine.launch import UnknownTextError, vocabulary_size
from ...engine.runs import RunError, check_name, free_name
from ...models.config import ConfigError, descriptions, parameter_count
from ...models.memory import expected_memory
from ...models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS
from ...models.recipe import Recipe
from .. import keymap, keys
from ..bridge import Bridge
from ..text import formatting
from ..training_offer import BUILT_IN
from ..widgets.corpus_fields import CorpusFields
from ..widgets.facts import DIM, labelled
from ..widgets.footer_line import FooterLine
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
    from ...data.corpus import Corpus
    from ...models.config import ModelConfig


class NewRunScreen(ActionScreen):
    """Checked while it is typed: the first problem is shown below the form."""

    SCOPE = "new-run"
    BINDINGS = [*keymap.bindings("new-run")]
    AUTO_FOCUS = "#corpus"

    text = query_one(CorpusFields)
    start_from = query_one("#start-from", ModelInput)
    preset_select = query_one("#preset", PresetSelect)
    tokenizer_select = query_one("#tokenizer", Select)
    unknown_select = query_one("#unknown_characters", Select)

    def __init__(self, bridge: Bridge, start_from: str = "", corpus: str = BUILT_IN) -> None:
        super().__init__()
        self._bridge = bridge
        self._start_from = start_from
        self._begin_with = corpus
        self._problem = ""
        self._name_was_typed = False  # whether the person has typed a name
        self._preset_before = DEFAULT_PRESET  # the one before fine-tuning

    # --- composition ----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The form, the estimate beside it, and two buttons."""
        with VerticalScroll(id="form", can_focus=False) as box:
            box.border_title = "new run"
            with Horizontal(id="columns"):
                with Vertical(id="fields"):
                    yield CorpusFields(self._begin_with)
                    yield from self._recipe_fields()
                    yield from self._tokenizer_fields()
                    yield from self._run_fields()
                with Vertical(id="facts"):
                    yield Static(id="estimate", markup=False)
                    yield Static(id="summary", markup=False)
                    yield Static(id="preview", markup=False)
        yield Static(id="problem", markup=False)
        with Horizontal(id="buttons"):
            yield Button(keys.labelled("Start training", "new-run.start"), id="start", variant="primary", compact=True)
            yield Button(keys.labelled("Cancel", "new-run.cancel"), id="cancel", compact=True)
        yield FooterLine()

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

        with Horizontal(classes="field", id="literal-field"):
            yield Label("literal")
            yield Checkbox(
                "special tokens are plain text", compact=True, id="literal", tooltip=descriptions(Recipe)["literal"]
            )

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
        """Begin with the quick preset."""
        self._fill_in()

    # --- events -------------------------------------------------------------------

    @on(CorpusFields.Looked)
    def _text_looked_at(self) -> None:
        corpus = self.text.corpus
        self._show_corpus(corpus)
        if corpus is not None and not self._name_was_typed:
            self.query_one("#name", Input).value = free_name(PurePath(corpus.name).stem)
        self._validate()

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
        spec, file, reading = self.text.spec, found.file if found else None, self.text.reading
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

    def _show_corpus(self, corpus: Corpus | None) -> None:
        """What the text comes to, and how it begins."""
        summary, preview = self.query_one("#summary", Static), self.query_one("#preview", Static)
        preview.display = corpus is not None
        if corpus is None:
            summary.update("reading the text ..." if self.text.looking else "")
            return
        files = f" in {corpus.n_files:,} files" if corpus.n_files > 1 else ""
        summary.update(
            labelled(
                ("size", f"{formatting.memory(corpus.n_bytes)}{files}"),
                ("characters", f"{corpus.n_characters:,}, {len(corpus.alphabet):,} of them distinct"),
            )
        )
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
        self.query_one("#literal-field").display = not own or self.tokenizer_select.value in ("gpt2", "bpe")

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
        self._show_problem(self.text.problem)
        return recipe if self.text.corpus is not None and not self.start_from.looking else None

    def _recipe(self) -> Recipe:
        values = {field.id or "": field.value for field in self.query(Input)}
        for select in (self.tokenizer_select, self.unknown_select):
            values[select.id or ""] = str(select.value)
        literal = self.query_one("#literal", Checkbox).value and self.query_one("#literal-field").display
        return read_recipe(str(self.preset_select.value), values, self._model).overridden(literal=literal)

    def _show_estimate(self, recipe: Recipe) -> None:
        if self.text.corpus is None:
            self.query_one("#estimate", Static).update("")
            return
        found, model = self.start_from.found, recipe.model
        if not found:
            model = replace(model, vocab_size=vocabulary_size(recipe, self.text.corpus))
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
