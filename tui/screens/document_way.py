"""The document way of the write desk: the text at the left; its tokens, siblings and sampling, the run at the right."""

from __future__ import annotations

import contextlib

from textual import on, work
from textual.app import ComposeResult

from ...data.storage.errors import EXPECTED
from .. import keymap, keys
from ..bridge import Bridge
from ..comparison.prompts import DocumentPrompt
from ..current_session import CurrentSession
from ..document import DocumentEditor
from ..run_checkpoints import checkpoints_of
from ..settings import SettingsStore
from ..training_texts import Quotable, TrainingTexts
from ..widgets.document_pane import DocumentPane
from ..widgets.find_bar import FindArea
from ..widgets.model_panel import ModelPanel
from ..widgets.panels import Panels
from ..widgets.sampling_panel import SamplingPanel
from ..widgets.siblings_panel import SiblingsPanel
from ..widgets.token_panel import TokenPanel
from ..widgets.training_panel import TrainingPanel
from .sizes import TALL
from .writing_way import WritingWay


class DocumentWay(WritingWay):
    """One text that person and model write together."""

    BINDINGS = [*keymap.bindings("document")]
    DEFAULT_CSS = """
    DocumentWay {
        height: 1fr;
        width: 1fr;
        layers: base drawer;
        DocumentPane {
            width: 1fr;
            height: 1fr;
            border: round $border-blurred;
            border-title-color: $text-muted;
            border-subtitle-color: $text-muted;
            &:focus { border: round $border; border-title-color: $text; }
        }
    }
    """

    def __init__(self, bridge: Bridge, store: SettingsStore, texts: TrainingTexts) -> None:
        super().__init__(id="document-way")
        self._bridge = bridge
        self._store = store
        self.pane = DocumentPane(placeholder=_placeholder(), id="document")
        self.tokens = TokenPanel(id="token")
        self.sibling_list = SiblingsPanel(id="siblings")
        settings = store.settings
        self.sampling = SamplingPanel(
            settings.document_sampling, settings.document_samples, own_sets=self.own_sets, usual_set="neutral",
            id="document-sampling",
        )  # fmt: skip
        self.training = TrainingPanel(id="document-training")
        self.model = ModelPanel(id="document-model")
        drawer = (self.tokens, self.sibling_list, self.sampling, self.training, self.model)
        self.panels = Panels(*drawer, drawer=drawer)
        self.session = CurrentSession(
            lambda sentence: self.notify(sentence, severity="warning", timeout=12, markup=False), self.set_timer
        )
        self.session.leave("document")
        self.editor = DocumentEditor(
            bridge, self.pane, self.tokens, self.sibling_list, self.session,
            lambda: (self.sampling.settings, self.sampling.samples),
            lambda sentence: self.notify(sentence, markup=False), texts,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        yield FindArea(self.pane)
        yield self.panels

    def show_settings(self) -> None:
        """Take over the settings, which were changed elsewhere."""
        settings, before = self._store.settings, self.sampling.settings
        self.sampling.settings, self.sampling.samples = settings.document_sampling, settings.document_samples
        if settings.document_sampling != before:
            self.editor.settings_changed()
        self.pane.placeholder = _placeholder()
        super().show_settings()

    def on_mount(self) -> None:
        self.arrange_panels()

    # --- what the widgets say -------------------------------------------------------------------

    @on(DocumentPane.Edited)
    def _edited(self, event: DocumentPane.Edited) -> None:
        event.stop()
        self.editor.edited(event.start, event.end, event.text)

    @on(DocumentPane.CursorMoved)
    def _cursor_moved(self, event: DocumentPane.CursorMoved) -> None:
        event.stop()
        self.editor.cursor_moved()

    @on(TokenPanel.Chosen)
    def _alternative_chosen(self, event: TokenPanel.Chosen) -> None:
        event.stop()
        self.editor.take(event.alternative)
        self.pane.focus()

    @on(SiblingsPanel.Chosen)
    def _sibling_chosen(self, event: SiblingsPanel.Chosen) -> None:
        event.stop()
        self.editor.choose(event.node)

    @on(SamplingPanel.Changed)
    def _sampling_changed(self, event: SamplingPanel.Changed) -> None:
        event.stop()
        self._store.change(document_sampling=event.settings, document_samples=event.samples)
        self.editor.settings_changed()
        self.editor.cursor_moved()

    # --- sessions -------------------------------------------------------------------------------

    def open_session(self, number: int) -> bool:
        """Show this session; False where another window has it."""
        self._leave()
        found = self.session.open(number) is not None
        store = self.session.store
        self.editor.opened(store.session(number).cursor if found and store else None)
        return found

    def begin_session(self) -> None:
        """Begin with an empty page."""
        self._leave()
        self.session.leave("document")
        self.editor.opened()

    def save(self) -> None:
        """Save what has come, and where the cursor stands."""
        self.session.save()
        if (number := self.session.id) is not None and (store := self.session.store):
            with contextlib.suppress(*EXPECTED):
                store.set_cursor(number, self.pane.cursor)

    def _leave(self) -> None:
        self.editor.give_up()
        self.save()

    def close(self) -> None:
        """Save, and let go of the session."""
        self._leave()
        self.session.close()

    # --- what the desk asks of each way -----------------------------------------------------------

    def poll(self) -> None:
        """Ask the model what it could not be asked before."""
        self.editor.ask_what_waits()

    def show_figures(self) -> None:
        """The panels of the run from the bridge's views."""
        if self.display:
            self.training.show(self._bridge.training)
            self.model.show(self._bridge.model)

    def model_loading(self) -> None:
        """What waits goes on waiting."""

    def model_ready(self, first: bool) -> None:
        """Ask what waits; what the cursor stands on may be another token to another model."""
        self.editor.ask_what_waits()
        self.editor.cursor_moved()

    def model_failed(self, sentence: str) -> None:
        """Say why no model can write, and wait no longer."""
        self.editor.stop()
        if self.display:
            self.notify(sentence, severity="error", markup=False)

    @property
    def can_stop(self) -> bool:
        """Whether Escape would stop the model or close something."""
        return self.editor.writing or self.panels.is_open or not self.pane.has_focus

    def stop(self) -> bool:
        """Stop the model; where it does not write close the drawer, and go back to the text."""
        if self.editor.writing:
            self.editor.stop()
            return True
        if self.panels.is_open and not self.wide:
            self.panels.close()
            self.arrange_panels()
        self.pane.focus()
        return True

    def give_up(self) -> None:
        """Stop the model before anything else happens to the text."""
        self.editor.give_up()

    def go_to(self, node: int | None, offset: int | None = None) -> None:
        """Show the text with this node, and the place in its words, or what the text has become."""
        self.editor.go_to(node, offset)
        self.pane.focus()

    def compared_prompt(self) -> DocumentPrompt:
        """The text up to the cursor."""
        return DocumentPrompt(self.session, self.pane.cursor)

    def copy(self) -> None:
        """Copy what is selected, else the whole text."""
        words = self.pane.selected_text or self.pane.text
        self.app.copy_to_clipboard(words)
        self.notify(f"{len(words):,} characters are copied.", markup=False)

    def quotable(self) -> Quotable | None:
        """What is selected, else the continuation at the cursor."""
        return self.editor.quotable()

    def look_for_quotes(self) -> None:
        """Say what is quoted where nothing was said yet."""
        self.editor.look_for_quotes()

    def focus_text(self) -> None:
        """Go to where the person writes."""
        self.pane.focus()

    # --- actions --------------------------------------------------------------------------------

    def action_go_on(self) -> None:
        self.editor.go_on()
        self.pane.focus()

    def action_undo(self) -> None:
        self.editor.undo()

    def action_redo(self) -> None:
        self.editor.redo()

    def action_retry(self) -> None:
        self.editor.retry()

    def action_colour(self) -> None:
        """Colour the text by probability, or no more."""
        self.editor.colour(not self.pane.coloured)

    def action_next_sibling(self) -> None:
        self.editor.turn(1)

    def action_previous_sibling(self) -> None:
        self.editor.turn(-1)

    @work(group="again", exclusive=True)
    async def action_again(self) -> None:
        """Choose a checkpoint of the run, and have the continuation at the cursor written by that one as well."""
        from .checkpoints import CheckpointsBox

        run = self._bridge.run
        found = checkpoints_of(run) if run else []
        if not found:
            self.notify("The model on screen has no other checkpoints.", markup=False)
            return
        chosen = await self.app.push_screen_wait(CheckpointsBox(found))
        if chosen is not None:
            self.editor.write_again(chosen)

    # --- panels ---------------------------------------------------------------------------------

    def arrange_panels(self) -> None:
        """Put the panels beside the text, or one of them as a drawer."""
        super().arrange_panels()
        if self.wide:
            self.model.display = self.app.size.height >= TALL
        self.call_after_refresh(self.editor.cursor_moved)


def _placeholder() -> str:
    go_on = keys.spoken("document.go-on")
    return f"write how a text begins and press {go_on}: the model goes on from the cursor"
