"""The form of a new run: a text, a preset, a budget, and the most important numbers."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.getters import query_one
from textual.timer import Timer
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from ...data.storage.errors import EXPECTED, sentence_of
from ...engine.launch import UnknownTextError
from ...engine.runs import RunError, check_name, free_name
from ...models.presets import DEFAULT_PRESET, FINE_TUNING, PRESETS
from .. import keymap, keys, speed_probe
from ..bridge import Bridge
from ..recipe_fields import FIELDS, overrides, unused_fields
from ..run_recipe import earlier_texts, recipe_of
from ..text import formatting
from ..text.preview_words import facts_of
from ..train_command import shell_line, train_command
from ..training_offer import BUILT_IN
from ..widgets.command_view import CommandView
from ..widgets.corpus_fields import CorpusFields
from ..widgets.facts import DIM, labelled
from ..widgets.facts_column import FactsColumn
from ..widgets.footer_line import FooterLine
from ..widgets.model_input import ModelInput
from ..widgets.preset_select import PresetSelect
from ..widgets.recipe_fields_view import RecipeFieldsView
from ..widgets.recipe_row import RecipeRow, RowState
from ..widgets.run_estimate_view import RunEstimateView
from ..widgets.text_input import TextInput
from .action_screen import ActionScreen
from .questions import Answer, Question
from .run_form import (
    NUMBERS,
    TOKENIZERS,
    UNKNOWN,
    FieldError,
    base_recipe,
    problems_of,
    read_recipe,
    texts_of,
)

if TYPE_CHECKING:
    from ...engine.runs import RunManifest
    from ...models.config import ModelConfig
    from ...models.recipe import Recipe


IDLE_SECONDS = 1.5  # without a key, after which the speed is measured


class NewRunScreen(ActionScreen):
    """Checked while it is typed: what is wrong is said at its field, and the first of it below the form."""

    SCOPE = "new-run"
    BINDINGS = [*keymap.bindings("new-run")]
    AUTO_FOCUS = "#corpus-name"

    text = query_one(CorpusFields)
    start_from = query_one("#start-from", ModelInput)
    preset_select = query_one("#preset", PresetSelect)
    all_fields = query_one(RecipeFieldsView)
    estimate = query_one(RunEstimateView)
    command = query_one(CommandView)

    def __init__(
        self, bridge: Bridge, start_from: str = "", corpus: str = BUILT_IN, *, like: RunManifest | None = None
    ) -> None:
        """With `like` the form is filled in as the run of that manifest was made."""
        super().__init__()
        if like is not None:
            start_from, corpus = like.start_from or "", like.corpus.spec
        self._like = recipe_of(like) if like else None
        self._corpus_before = like.corpus if like else None
        self._bridge = bridge
        self._start_from = start_from
        self._begin_with = corpus
        self._problem = ""
        self._name_was_typed = False  # whether the person has typed a name
        self._preset = self._like.name if self._like else DEFAULT_PRESET
        self._preset_before = DEFAULT_PRESET  # fine-tuning
        self._typed: dict[str, str] = {}  # what the person wrote, by field; all else is as the preset has it
        self._newest = ""  # the field that was written last
        self._wrong: dict[str, str] = {}  # why a field cannot be as it is written
        self._of_preset: dict[str, str] = {}
        self._shown: dict[str, str] = {}  # the texts of all fields
        self._has_prepared = False  # whether a process waits for the run of this form
        self._idle = Timer(self, 0)  # that runs out when nobody has typed for a while

    # --- composition ----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The form, the estimate beside it, and two buttons."""
        with Vertical(id="form") as box:
            box.border_title = "new run"
            with VerticalScroll(id="columns", can_focus=False):
                with VerticalScroll(id="fields", can_focus=False):
                    yield self._corpus_fields()
                    yield from self._recipe_fields()
                    yield from self._tokenizer_fields()
                    yield from self._run_fields()
                    yield Static(
                        keys.labelled("all fields of the recipe", "new-run.fields"), classes="heading", markup=False
                    )
                    yield RecipeFieldsView(self._state_of)
                with FactsColumn(id="facts"):
                    yield RunEstimateView()
                    yield Static(id="summary", markup=False)
                    yield Static(id="preview", markup=False)
                    yield CommandView()
        yield Static(id="brief", markup=False)
        yield Static(id="problem", markup=False)
        with Horizontal(id="buttons"):
            yield Button(keys.labelled("Start training", "new-run.start"), id="start", variant="primary", compact=True)
            yield Button(keys.labelled("Cancel", "new-run.cancel"), id="cancel", compact=True)
        yield FooterLine()

    def _corpus_fields(self) -> CorpusFields:
        before, earlier = self._corpus_before, earlier_texts()
        if before is None:
            return CorpusFields(self._begin_with, earlier=earlier)
        return CorpusFields(
            before.spec, before.encoding or "", agreed=True, fingerprint=before.fingerprint, earlier=earlier
        )

    def _recipe_fields(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label("preset")
            yield PresetSelect(self._preset, id="preset")
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
                "special tokens are plain text", compact=True, id="literal", tooltip=FIELDS["literal"].description
            )

    def _run_fields(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label("budget")
            yield Input(compact=True, id="budget", tooltip="How long to train: 2000 steps, 5 minutes, 30 s, 2 epochs.")
        with Horizontal(classes="field"):
            yield Label("name")
            yield TextInput(compact=True, id="name", tooltip="What the run is called; its folder has this name.")
        with Grid(id="numbers"):
            for name, label in NUMBERS.items():
                with Horizontal(classes="field"):
                    yield Label(label)
                    yield Input(compact=True, id=name, tooltip=FIELDS[name].description)

    def on_mount(self) -> None:
        """Begin with the quick preset."""
        self._fill_in()
        self._has_prepared = not self.app.is_headless and self._bridge.prepare_training()

    def on_unmount(self) -> None:
        """Without a run there is nothing to be prepared for."""
        if self._has_prepared:
            self._bridge.cancel_training()

    # --- events -------------------------------------------------------------------

    @on(CorpusFields.GotOn)
    @on(CorpusFields.Looked)
    def _show_corpus(self) -> None:
        """What will be learned from the text, and how it begins."""
        corpus, summary, preview = (
            self.text.corpus,
            self.query_one("#summary", Static),
            self.query_one("#preview", Static),
        )
        preview.display = corpus is not None
        if corpus is None:
            done = f" {formatting.percent(self.text.done)}" if self.text.done else ""
            summary.update(f"reading the text ...{done}" if self.text.looking else "")
            return
        summary.update(labelled(*facts_of(corpus, self.text.preview)))
        preview.update(Content("\n".join(formatting.one_line(line) for line in corpus.preview.splitlines())))

    @on(CorpusFields.Looked)
    def _text_looked_at(self) -> None:
        corpus = self.text.corpus
        if corpus is not None and not self._name_was_typed:
            with self.prevent(Input.Changed):
                self.query_one("#name", Input).value = free_name(PurePath(corpus.name).stem)
        self._validate()

    @on(Select.Changed, "#preset")
    def _preset_chosen(self) -> None:
        if self.preset_select.value != self._preset:
            self._preset, self._like = str(self.preset_select.value), None
            self._fill_in()

    @on(ModelInput.Looked)
    def _model_looked_up(self) -> None:
        """Switch the preset to fine-tuning with the model that is trained further, and back without one."""
        if self._like is not None and self.start_from.value == self._start_from:
            self._fill_in()  # the preset is the one that the other run was made from
        elif self._model is not None and self._preset != FINE_TUNING.name:
            self._preset_before = self._preset
            self.preset_select.value = FINE_TUNING.name  # fills the form
        elif not self.start_from.value.strip() and self._preset == FINE_TUNING.name:
            self.preset_select.value = self._preset_before
        elif self._model is not None:
            self._fill_in()
        else:
            self._validate()

    @on(Input.Changed, "#name")
    def _name_typed(self, event: Input.Changed) -> None:
        self._name_was_typed = bool(event.value)
        self._validate()

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def _something_changed(self, event: Input.Changed | Select.Changed | Checkbox.Changed) -> None:
        name = event.control.id or ""
        if name in FIELDS:
            self._write(name, FIELDS[name].text(event.value) if name != "budget" else str(event.value))

    @on(RecipeRow.Typed)
    def _row_written(self, event: RecipeRow.Typed) -> None:
        self._write(event.field, event.text)

    def _write(self, name: str, text: str) -> None:
        """Take what the person wrote into a field."""
        if text != self._shown.get(name):
            self._typed[name], self._newest = text, name
            self._validate()

    @on(Input.Submitted)
    def _to_the_next(self) -> None:
        self.focus_next()

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start()

    def action_find_field(self) -> None:
        """Go to the search in all fields."""
        self.all_fields.begin_search()

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

    # --- the estimate ---------------------------------------------------------------------------

    @on(RunEstimateView.Estimated)
    def _estimated(self) -> None:
        """Show it in short where there is no room beside the form, and measure once nobody types."""
        brief = self.query_one("#brief", Static)
        brief.update(self.estimate.brief)
        brief.set_class(self.estimate.estimate is None, "-empty")
        self._idle.stop()
        if self.estimate.wants_measuring and not self._bridge.is_training:
            self._idle = self.set_timer(IDLE_SECONDS, self.action_measure)

    @work(group="measure", exclusive=True)
    async def action_measure(self) -> None:
        """Measure how fast this recipe would train here."""
        self._idle.stop()
        asked = self.estimate.asked
        if asked is None:
            return
        self.estimate.say_of_time("measuring ...")
        try:
            self.estimate.take_speed(await speed_probe.measure(*asked))
        except EXPECTED as error:
            self.estimate.say_of_time(formatting.one_line(sentence_of(error)))

    # --- the recipe -----------------------------------------------------------------------------

    @property
    def _model(self) -> ModelConfig | None:
        """The shape of the model that is trained further."""
        return self.start_from.found.config if self.start_from.found else None

    def _fill_in(self) -> None:
        """Fill the form from the preset, from the model that is trained further, and from the run that it is like."""
        self._typed.clear()
        if like := self._like:
            base, further = base_recipe(self._preset, self._model), self._model is not None
            self._typed = {f.name: f.text(f.value_in(like)) for f in overrides(base, like, fine_tuning=further)}
        recipe = PRESETS[self._preset]
        self.query_one("#preset-description", Static).update(
            Content.assemble(recipe.description, ("\n" + recipe.source, DIM))
        )
        self._validate()

    def _state_of(self, name: str) -> RowState:
        """What the row of a field shows."""
        text, before = self._shown.get(name, ""), self._of_preset.get(name, "")
        return RowState(text, before, self._wrong.get(name, ""), unused=name in self._unused)

    @property
    def _unused(self) -> set[str]:
        """The fields that decide nothing now."""
        return unused_fields(self._shown.get("tokenizer", "char"), fine_tuning=self._model is not None)

    def _read(self) -> Recipe | None:
        """The recipe as it is written, None where something is wrong; all texts of the form follow from it."""
        base = base_recipe(self._preset, self._model)
        self._wrong = problems_of(self._preset, self._typed, self._model, newest=self._newest)
        recipe = None if self._wrong else read_recipe(self._preset, self._typed, self._model)
        self._of_preset = texts_of(base)
        kept = {name: text for name, text in self._typed.items() if name not in self._wrong}
        try:
            shown = recipe or read_recipe(self._preset, kept, self._model)
        except FieldError:
            shown = base
        self._shown = texts_of(shown) | self._typed
        return recipe

    def _show_fields(self) -> None:
        """Write the texts into the fields, and show those fields that apply now."""
        own, unused = self._model is None, self._unused
        with self.prevent(Input.Changed, Select.Changed, Checkbox.Changed):
            for name in ("budget", "bpe_vocab_size", *NUMBERS):
                field = self.query_one(f"#{name}", Input)
                field.set_class(name in self._wrong, "-wrong")
                field.disabled = name in unused
                if field.value != self._shown[name]:
                    field.value = self._shown[name]
            for name, words in (("tokenizer", TOKENIZERS), ("unknown_characters", UNKNOWN)):
                select, text = self.query_one(f"#{name}", Select), self._shown[name]
                if text in words and select.value != text:
                    select.value = text
            self.query_one("#literal", Checkbox).value = self._shown["literal"] == "on"
        self.query_one("#tokenizer-field").display = own
        for name, field in (
            ("vocabulary", "bpe_vocab_size"),
            ("unknown", "unknown_characters"),
            ("literal", "literal"),
        ):
            self.query_one(f"#{name}-field").display = field not in unused
        self.all_fields.show()

    def _validate(self) -> Recipe | None:
        """The recipe if everything is in order; the estimate and the first problem are shown either way."""
        recipe = self._read()
        self._show_fields()
        name = self.query_one("#name", Input)
        self.start_from.set_class("start-from" in self._wrong or bool(self.start_from.problem), "-wrong")
        name.remove_class("-wrong")
        try:
            check_name(name.value.strip() or "run")
        except RunError as error:
            name.add_class("-wrong")
            self._wrong.setdefault("name", str(error))
        problem = formatting.one_line(self.start_from.problem) or next(iter(self._wrong.values()), "")
        self.set_class(bool(problem), "-wrong")
        if problem or recipe is None:
            self.command.show("")
            self._show_problem(problem)
            return None
        self.estimate.look(recipe, self.text.corpus, self.start_from.found)
        self.command.show(self._command_of(recipe))
        self._show_problem(self.text.problem)
        return recipe if self.text.corpus is not None and not self.start_from.looking else None

    def _command_of(self, recipe: Recipe) -> str:
        """The command that does the same; empty before the text is read."""
        corpus, found = self.text.corpus, self.start_from.found
        if corpus is None:
            return ""
        name = self.query_one("#name", Input).value.strip() if self._name_was_typed else ""
        words = train_command(
            corpus.spec, recipe, base_recipe(self._preset, self._model),
            start_from=found.spec if found else "", name=name, reading=self.text.reading,
        )  # fmt: skip
        return shell_line(words)

    def action_copy_command(self) -> None:
        """Copy the command that does the same."""
        if self.command.line:
            self.app.copy_to_clipboard(self.command.line)
            self.notify("The command line is copied.", markup=False)
        else:
            self.notify("There is no command line for what is wrong or not read yet.", markup=False)

    @property
    def problem(self) -> str:
        """What is wrong with the form, in one sentence; empty where nothing is."""
        return self._problem

    def _show_problem(self, sentence: str) -> None:
        self._problem = sentence
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.display = bool(sentence)
