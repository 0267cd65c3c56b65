"""The turns of the write desk: transcript and prompt at the left, sampling, training and model at the right.

In the way `turns` each prompt begins a text of its own; in the way `chat` the turns before it belong to it, framed by
the model's chat template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical

from ...data.storage.errors import EXPECTED, sentence_of
from ...data.storage.printable import visible
from .. import keymap, keys
from ..bridge import Bridge
from ..conversation import Conversation
from ..current_session import CurrentSession
from ..quotes_line import QuotesLine
from ..run_words import stage
from ..settings import SettingsStore, load_history, save_history
from ..text import formatting
from ..training_texts import Quotable, TrainingTexts
from ..widgets.border_words import set_subtitle, set_title
from ..widgets.find_bar import FindArea
from ..widgets.model_panel import ModelPanel
from ..widgets.panels import Panels
from ..widgets.prompt import Prompt
from ..widgets.sampling_panel import SamplingPanel
from ..widgets.training_panel import TrainingPanel
from ..widgets.transcript import Transcript
from .writing_way import WritingWay

if TYPE_CHECKING:
    from ..comparison.prompts import TurnsPrompt


class TurnsWay(WritingWay):
    """Prompts and the model's replies to them."""

    BINDINGS = [*keymap.bindings("turns")]

    def __init__(
        self, bridge: Bridge, store: SettingsStore, texts: TrainingTexts, way: Literal["turns", "chat"] = "turns"
    ) -> None:
        super().__init__(id=f"{way}-way", classes="turns-way")
        self.bridge = bridge
        self.way: Literal["turns", "chat"] = way
        self._store = store
        self.transcript = Transcript(id="transcript")
        self.transcript.border_title = way
        self._token = ""  # what is said of the token that was chosen in the transcript
        self.prompt = Prompt(id="prompt")
        self.sampling = SamplingPanel(
            store.settings.sampling, store.settings.samples, own_sets=self.own_sets, id="sampling"
        )
        self.training = TrainingPanel(id="training")
        self.model = ModelPanel(id="model")
        self.panels = Panels(
            self.sampling, self.training, self.model, drawer=(self.training, self.sampling, self.model), id="panels"
        )
        self.session = CurrentSession(
            lambda sentence: self.notify(sentence, severity="warning", timeout=12, markup=False), self.set_timer
        )
        self.conversation = Conversation(
            bridge, self.transcript, self.prompt, self.session,
            lambda: (self.sampling.settings, self.sampling.samples), texts,
        )  # fmt: skip
        self._marked = QuotesLine(texts, self._show_subtitle)
        self.session.leave(way)
        self.conversation.explain = store.settings.explain

    def compose(self) -> ComposeResult:
        with Vertical(id="conversation"):
            yield FindArea(self.transcript)
            yield self.prompt
        yield self.panels

    def on_mount(self) -> None:
        self.prompt.earlier = load_history()
        self.arrange_panels()

    def show_figures(self) -> None:
        """The panels from the bridge's views."""
        self.training.show(self.bridge.training)
        self.model.show(self.bridge.model)
        self._show_title()
        self._show_subtitle()
        if self.bridge.training.preparing:
            self.conversation.show_what_enter_does()

    def _show_title(self) -> None:
        roles = self.conversation.dialogue.roles
        who = f" · you are {visible(roles.you)}, {visible(roles.answering)} answers" if roles else ""
        set_title(self.transcript, self.way + who)

    def _show_subtitle(self) -> None:
        preparing = self.bridge.training.preparing
        token = self._token if self.transcript.has_token else ""
        marked = self._marked.words(self._selected, "when idle")
        set_subtitle(self.transcript, f"{stage(preparing)} ..." if preparing else marked or token)

    # --- prompts --------------------------------------------------------------------------------

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
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
        from ...data.text_files import MarkupError, Reading  # as the others here nothing that the first frame needs
        from ...models.presets import DEFAULT_PRESET, preset
        from .questions import as_it_stands

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

    @on(Prompt.Changed)
    def _prompt_changed(self, event: Prompt.Changed) -> None:
        self.session.set_draft(event.text_area.text)

    @on(SamplingPanel.Changed)
    def _sampling_changed(self, event: SamplingPanel.Changed) -> None:
        event.stop()
        self._store.change(sampling=event.settings, samples=event.samples)
        self.conversation.settings_changed()

    # --- quotes -----------------------------------------------------------------------------------

    @property
    def _selected(self) -> Quotable | None:
        """What is marked, as a text of the model on screen."""
        text, model = self.transcript.selected_text, self.bridge.generator.path
        return Quotable(text, model, "the marked text") if text.strip() and model else None

    def quotable(self) -> Quotable | None:
        """What is marked, else the last reply in view."""
        return self._selected or self.conversation.quotes.in_view()

    def look_for_quotes(self) -> None:
        """Say what is quoted where nothing was said yet."""
        self._marked.look_again()
        self._show_subtitle()
        self.conversation.quotes.look_again()

    def show_selection(self) -> None:
        """Say what of the marked text is quoted."""
        self._show_subtitle()

    # --- what the desk asks of each way -----------------------------------------------------------

    @property
    def can_stop(self) -> bool:
        """Whether Escape would stop a reply or close something."""
        return self.conversation.can_stop or self.panels.is_open

    def stop(self) -> bool:
        """Stop the reply; without one close the drawer. Whether there was any of it."""
        if self.conversation.stop():
            return True
        self.prompt.focus()
        if self.panels.is_open and not self.wide:
            self.panels.close()
            self.arrange_panels()
            return True
        return False

    def give_up(self) -> None:
        """Stop the replies before anything else happens to the session."""
        self.conversation.give_up()

    def go_to(self, node: int | None, offset: int | None = None) -> None:
        """Show what was said on the way to this node, and the place in its words, or what the session has become."""
        self.conversation.go_to(node, offset)
        self.prompt.focus()

    def compared_prompt(self) -> TurnsPrompt:
        """What stands in the field, or the last prompt."""
        return self.conversation.compared_prompt()

    def copy(self) -> None:
        """Copy the last reply, or all samples of it, as generated."""
        match len(self.transcript.copy_replies()):
            case 0:
                self.notify("There is no reply yet.", markup=False)
            case 1:
                self.notify("The last reply is copied.", markup=False)
            case count:
                self.notify(f"The last {count} samples are copied, an empty line between them.", markup=False)

    def action_explain(self) -> None:
        """Colour the text by the probability of its tokens; where it is, show why the last reply was written."""
        if self.conversation.explain:
            self._look_at(None)
            return
        self.conversation.explain = True
        self._store.change(explain=True)
        if not self.conversation.is_coloured:
            self.notify("The next replies are coloured by the probability of their tokens.", markup=False)

    def _look_at(self, turn: int | None) -> None:
        """Show on the inside desk why the tokens of a turn were chosen, or those of the last replies."""
        match self.conversation.look_at(turn, lambda: self.app.switch_mode("inside")):
            case True:
                self.notify("The text is read again, to say how likely its tokens are.", markup=False)
            case False:
                self.notify(
                    f"The tokens of the next reply are explained: press {keys.spoken('reply.explain')} after it.",
                    markup=False,
                )
            case None:
                pass

    @on(Transcript.TokenChosen)
    def _token_chosen(self, event: Transcript.TokenChosen) -> None:
        event.stop()
        self._token = f"p {event.token.probability:.4f} · Enter says why"
        self._show_subtitle()

    @on(Transcript.TokenEntered)
    def _token_entered(self, event: Transcript.TokenEntered) -> None:
        event.stop()
        self._look_at(event.turn)

    def action_retry(self) -> None:
        if not self.conversation.retry():
            self.notify("There is no reply yet that could be written again.", markup=False)

    def action_next_reply(self) -> None:
        self._turn(1)

    def action_previous_reply(self) -> None:
        self._turn(-1)

    def _turn(self, step: int) -> None:
        if not self.conversation.turn_reply(step):
            self.notify(
                f"There is no other reply to the last prompt; {keys.spoken('reply.retry')} writes one.", markup=False
            )

    def action_edit_prompt(self) -> None:
        if not self.conversation.edit_prompt():
            self.notify("There is no earlier prompt.", markup=False)
        self.prompt.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a chat or a dialogue has a frame that could be shown; a chat has roles of its own."""
        if action == "frame":
            return self.way == "chat" or bool(self.conversation.frame)
        return self.way == "turns" if action == "speakers" else True

    def action_frame(self) -> None:
        """Show the last prompt as the model read it."""
        from .frame import FrameBox

        if self.conversation.frame:
            self.app.push_screen(FrameBox(self.conversation.frame))
        else:
            self.notify("The frame of a prompt is known when the model has answered it.", markup=False)

    @work(group="speakers", exclusive=True)
    async def action_speakers(self) -> None:
        """Choose who the person is and who answers."""
        from .speakers import SpeakersBox

        if self.bridge.run is None:
            self.notify(
                "Speakers are found in the text of a run, and there is none on screen; "
                f"{keys.spoken('desk.train')} shows all runs.",
                severity="warning", markup=False,
            )  # fmt: skip
            return
        chosen = await self.app.push_screen_wait(SpeakersBox(self.bridge.run, self.conversation.dialogue.roles))
        if chosen is not None:
            self.conversation.dialogue.choose(None if chosen == "nobody" else chosen)
            self.conversation.show_what_enter_does()
            self._show_title()

    def poll(self) -> None:
        """Send what waits, where the model has answered something else meanwhile."""
        self.conversation.send_what_waits()

    def show_settings(self) -> None:
        """Take over the settings, which were changed elsewhere."""
        settings, before = self._store.settings, self.sampling.settings
        self.sampling.settings, self.sampling.samples = settings.sampling, settings.samples
        if settings.sampling != before:
            self.conversation.settings_changed()
        self.conversation.explain = settings.explain
        if offer := self.conversation.offer:
            self.conversation.make_offer(offer)  # whose words name keys
        self.conversation.show_what_enter_does()
        super().show_settings()

    def model_loading(self) -> None:
        """A model was asked for."""
        self.conversation.model_loading()

    def model_failed(self, sentence: str) -> None:
        """Say why no model can answer, and put the waiting prompts back into the field."""
        self.conversation.model_failed(sentence)

    def model_ready(self, first: bool) -> None:
        """Send the prompts that wait for the model, where it was not loaded before."""
        if first:
            self.conversation.model_ready()

    def begin_session(self) -> None:
        """Begin with an empty transcript."""
        self.conversation.begin_session()

    def open_session(self, number: int) -> bool:
        """Show this session; False where another window has it."""
        return self.conversation.open_session(number)

    def save(self) -> None:
        """Save what was said and typed so far."""
        self.session.save()

    def close(self) -> None:
        """Save, and let go of the session."""
        self.session.close()

    def focus_text(self) -> None:
        """Go to where the person writes."""
        self.prompt.focus()
