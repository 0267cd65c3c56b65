"""The chat: transcript and prompt at the left, sampling, training and model at the right."""

from __future__ import annotations

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Footer

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.text_files import MarkupError, Reading
from ...models.presets import DEFAULT_PRESET, preset
from .. import keymap, messages
from ..bridge import POLL_INTERVAL, Bridge, CommandName, run_to_open
from ..conversation import Conversation
from ..current_session import CurrentSession
from ..found_models import FoundModel
from ..run_words import model_opened, run_opened, stage, state_changed
from ..settings import SettingsStore, load_history, save_history
from ..text import formatting
from ..training_offer import BUILT_IN, TrainingOffer
from ..widgets.header_line import HeaderLine
from ..widgets.model_panel import ModelPanel
from ..widgets.prompt import Prompt
from ..widgets.sampling_panel import SamplingInput, SamplingPanel
from ..widgets.training_panel import TrainingPanel
from ..widgets.transcript import Transcript
from .action_screen import ActionScreen
from .questions import as_it_stands
from .sizes import WIDE

_DRAWER = ("#training", "#sampling", "#model")  # the order in which the drawer shows them


class ChatScreen(ActionScreen):
    """The screen of the app that is always there."""

    SCOPE = "chat"
    BINDINGS = [*keymap.bindings("chat")]
    AUTO_FOCUS = "#prompt"

    header = query_one("#header", HeaderLine)
    transcript = query_one("#transcript", Transcript)
    prompt = query_one("#prompt", Prompt)
    panels = query_one("#panels", Vertical)
    sampling = query_one("#sampling", SamplingPanel)
    training = query_one("#training", TrainingPanel)
    model = query_one("#model", ModelPanel)

    def __init__(
        self,
        store: SettingsStore,
        corpus: str | None = None,
        model: FoundModel | None = None,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        super().__init__()
        self.bridge = Bridge(self.post_message)
        self._store = store
        self._corpus = corpus
        self._model = model
        self._poll_interval = poll_interval
        self._drawer = 0  # in a narrow window: which panel is shown, counted from 1; 0 is none

    # --- composition ----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield HeaderLine(id="header")
        with Horizontal(id="body"):
            with Vertical(id="conversation"):
                yield Transcript(id="transcript")
                yield Prompt(id="prompt")
            with Vertical(id="panels"):
                yield SamplingPanel(id="sampling")
                yield TrainingPanel(id="training")
                yield ModelPanel(id="model")
        yield Footer()

    def on_mount(self) -> None:
        """Show what there is before the first frame is painted."""
        settings = self._store.settings
        self.sampling.settings = settings.sampling
        self.sampling.samples = settings.samples
        self.session = CurrentSession(
            lambda sentence: self.notify(sentence, severity="warning", timeout=12, markup=False), self.set_timer
        )
        self.conversation = Conversation(
            self.bridge, self.transcript, self.prompt, self.session,
            lambda: (self.sampling.settings, self.sampling.samples),
        )  # fmt: skip
        self.conversation.explain = settings.explain
        self.prompt.earlier = load_history()
        self.show_figures()
        if self._model is None and self._corpus is None:
            self.conversation.open_last_session()
        if self._model is not None:
            self.bridge.open(self._model)
        elif self._corpus is not None or not self.open_latest():
            self.conversation.make_offer(TrainingOffer(self._corpus or BUILT_IN))
        self.set_interval(self._poll_interval, self.poll)

    def on_unmount(self) -> None:
        """Save what was said."""
        if hasattr(self, "session"):
            self.session.close()

    def open_latest(self) -> bool:
        """Show the newest run that trains, else the newest with a model; whether there is one."""
        run = run_to_open()
        if run is None:
            return False
        try:
            self.bridge.attach(run)
        except EXPECTED as error:
            self.conversation.note(sentence_of(error))
            return False
        return True

    def poll(self) -> None:
        """Show what the run on screen has written since the last poll."""
        if self.bridge.poll():
            if self.bridge.training.preparing:
                self.conversation.show_what_enter_does()
            self.show_figures()

    def show_figures(self) -> None:
        """Header and panels from the bridge's views."""
        self.header.show(self.bridge.model, self.bridge.training)
        self.training.show(self.bridge.training)
        self.model.show(self.bridge.model)
        preparing = self.bridge.training.preparing
        self.transcript.border_subtitle = Content(f"{stage(preparing)} ..." if preparing else "")

    # --- prompts --------------------------------------------------------------------------------

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        self._keep_history()
        offer = self.conversation.offer
        if offer is None:
            self.conversation.ask(event.text)
        elif corpus := offer.accepted(event.text):
            self._train(corpus)
        else:
            self.notify("There is no model yet that could answer. " + offer.placeholder + ".", markup=False)
            self.prompt.restore(event.text)

    def _keep_history(self) -> None:
        try:
            save_history(self.prompt.earlier)
        except OSError as error:
            self.notify(f"The prompt history cannot be saved: {sentence_of(error)}", severity="warning", markup=False)

    @work(group="train", exclusive=True)
    async def _train(self, corpus: str) -> None:
        """Accept the offer; where the text cannot be used, say why and offer again."""
        offer = self.conversation.accept_offer()
        try:
            try:
                await self.bridge.train(corpus, preset(DEFAULT_PRESET))
            except MarkupError as error:
                if await self.app.push_screen_wait(as_it_stands(sentence_of(error))) is None:
                    raise
                await self.bridge.train(corpus, preset(DEFAULT_PRESET), reading=Reading(as_text=True))
        except EXPECTED as error:
            self.conversation.note(f"No training was started: {formatting.one_line(sentence_of(error))}")
            if offer is not None:
                self.conversation.make_offer(offer)

    # --- messages of the bridge -------------------------------------------------------------------

    def on_run_attached(self, _: messages.RunAttached) -> None:
        bridge = self.bridge
        if bridge.run is not None and bridge.manifest is not None:
            fresh = bridge.state == "starting" and bridge.run.checkpoint() is None
            self.conversation.opened(run_opened(bridge.manifest, bridge.training), fresh=fresh)
        self.show_figures()

    def on_run_forgotten(self, _: messages.RunForgotten) -> None:
        """Show the newest of the other runs, or offer to train where there is none."""
        if not self.open_latest():
            self.conversation.make_offer(TrainingOffer())
        self.show_figures()

    def on_model_opened(self, message: messages.ModelOpened) -> None:
        self.conversation.opened(model_opened(message.found, message.still_training))
        self.show_figures()

    def on_run_state_changed(self, message: messages.RunStateChanged) -> None:
        """Say so where the panels do not say enough."""
        sentence, lasting = state_changed(self.bridge.training, message.before, message.state)
        if lasting:
            self.conversation.note(sentence)
        elif sentence:
            self.notify(sentence, markup=False)
        self.conversation.show_what_enter_does()
        self.show_figures()

    def on_model_loading(self, _: messages.ModelLoading) -> None:
        self.conversation.model_loading()

    def on_model_ready(self, message: messages.ModelReady) -> None:
        """Show its figures; where it was not loaded before, send the prompts that wait for it."""
        self.show_figures()
        if message.first:
            self.conversation.model_ready()

    def on_model_failed(self, message: messages.ModelFailed) -> None:
        """Say why, and put the waiting prompts back into the field."""
        self.conversation.model_failed(message.sentence)

    def on_notice(self, message: messages.Notice) -> None:
        """In the transcript, or in a corner for some seconds."""
        if message.lasting:
            self.conversation.note(message.sentence)
        else:
            self.notify(message.sentence, severity=message.severity, markup=False)

    # --- actions ---------------------------------------------------------------

    @on(SamplingPanel.Changed)
    def _sampling_changed(self, event: SamplingPanel.Changed) -> None:
        self._store.change(sampling=event.settings, samples=event.samples)

    def action_new_run(self) -> None:
        from .new_run import NewRunScreen

        self.app.push_screen(NewRunScreen(self.bridge, corpus=self._corpus or BUILT_IN))

    def action_runs(self) -> None:
        from .runs import RunsScreen

        self.app.push_screen(RunsScreen(self.bridge))

    def action_open_model(self) -> None:
        from .open_model import OpenModelScreen

        self.app.push_screen(OpenModelScreen(self.bridge))

    def action_train_further(self) -> None:
        """The form of a new run that begins with the weights of the model on screen."""
        from .new_run import NewRunScreen

        bridge = self.bridge
        if bridge.opened is not None:
            self.app.push_screen(NewRunScreen(self.bridge, str(bridge.opened.path)))
        elif bridge.run is not None and bridge.run.checkpoint() is not None:
            self.app.push_screen(NewRunScreen(self.bridge, bridge.run.name))
        else:
            self.notify("There is no model on screen that could be trained further.", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer shows only the actions that would do something now."""
        if not hasattr(self, "conversation"):  # asked before `on_mount`: nothing would do anything yet
            return False
        if action == "stop_reply":
            return self.conversation.can_stop or self._offered_text or self._drawer > 0
        if action in ("pause", "stop_run"):
            return self.bridge.is_training
        return True

    @property
    def _offered_text(self) -> bool:
        """Whether the offer to train on a text of the command line stands before older runs."""
        return self._corpus is not None and self.conversation.offer is not None

    def action_stop_reply(self) -> None:
        """Stop the reply; without one close the drawer, or leave the command line's offer for the newest run."""
        if self.conversation.stop():
            return
        if self._drawer and not self.wide:
            self._drawer = 0
            self.arrange_panels()
        elif self._offered_text:
            self.open_latest()
        self.prompt.focus()

    def action_copy_reply(self) -> None:
        """The last reply, or all samples of it, as generated."""
        match len(self.transcript.copy_replies()):
            case 0:
                self.notify("There is no reply yet.", markup=False)
            case 1:
                self.notify("The last reply is copied.", markup=False)
            case count:
                self.notify(f"The last {count} samples are copied, an empty line between them.", markup=False)

    def action_new_session(self) -> None:
        self.conversation.begin_session()

    @work(group="sessions", exclusive=True)
    async def action_sessions(self) -> None:
        """The list of all sessions; the one that is chosen there comes on screen."""
        from .sessions import SessionsScreen

        self.session.save()
        if self.session.store is None:
            self.notify("Sessions cannot be used here; minigpt-tui doctor says more.", severity="error", markup=False)
            return
        chosen = await self.app.push_screen_wait(SessionsScreen(self.session.store, self.session.id))
        if chosen is None or chosen.number == self.session.id:
            return
        if not self.conversation.open_session(chosen.number):
            self.notify("That session is open in another window; close it there.", severity="error", markup=False)
        self.prompt.focus()

    @on(Prompt.Changed)
    def _prompt_changed(self, event: Prompt.Changed) -> None:
        self.session.set_draft(event.text_area.text)

    def action_pause(self) -> None:
        self._send_command("resume" if self.bridge.state == "paused" else "pause")

    def action_save(self) -> None:
        """Ask for a checkpoint now."""
        self._send_command("save")

    def action_stop_run(self) -> None:
        """End the training, with a checkpoint."""
        if self._send_command("stop"):
            self.notify("The training stops after this step and is saved.", markup=False)

    def _send_command(self, name: CommandName) -> bool:
        try:
            self.bridge.send_command(name)
        except EXPECTED as error:
            self.refuse(error)
            return False
        return True

    # --- panels ---------------------------------------------------------------------------------

    @property
    def wide(self) -> bool:
        """Whether the panels stand beside the transcript."""
        return self.app.size.width >= WIDE

    def on_resize(self, _: events.Resize) -> None:
        """Arrange the panels for the new size."""
        self.arrange_panels()

    def action_panels(self) -> None:
        """Show or hide them; in a narrow window turn to the next."""
        if self.wide:
            self._store.change(panels=not self._store.settings.panels)
        else:
            self._drawer = (self._drawer + 1) % (len(_DRAWER) + 1)
        self.arrange_panels()
        if not self.panels.display:
            self.prompt.focus()

    def action_focus_sampling(self) -> None:
        """Go to the first sampling field, wherever the panels are."""
        if self.wide:
            self._store.change(panels=True)
        else:
            self._drawer = _DRAWER.index("#sampling") + 1
        self.arrange_panels()
        self.sampling.query(SamplingInput).first().focus()

    def action_explain(self) -> None:
        """Show why the tokens of the last reply were chosen, or have those of the next reply explained."""
        from .explained import ExplainedScreen

        if self.conversation.explained:
            self.app.push_screen(ExplainedScreen(self.conversation.explained), self._set_explain)
            return
        self._set_explain(True)
        self.notify("The tokens of the next reply are explained: press F7 after it.", markup=False)

    def _set_explain(self, explain: bool | None) -> None:
        self.conversation.explain = bool(explain)
        self._store.change(explain=bool(explain))

    def action_focus_prompt(self) -> None:
        self.prompt.focus()

    def arrange_panels(self) -> None:
        """All of them beside the transcript, or one as a drawer, with the keys of the footer closer together."""
        wide = self.wide
        self.query_one(Footer).compact = not wide
        self.panels.display = self._store.settings.panels if wide else self._drawer > 0
        for number, selector in enumerate(_DRAWER, 1):
            self.query_one(selector).display = wide or number == self._drawer
