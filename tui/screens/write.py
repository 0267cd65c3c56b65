"""The write desk: a text of a person and a model, in one of several ways of writing it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import work
from textual.containers import Container
from textual.dom import DOMNode
from textual.signal import Signal
from textual.widget import Widget

from ...data.storage.errors import EXPECTED, sentence_of
from ...engine.requests import TokenDetail
from ...engine.runs import run_to_open
from ...engine.sessions.tree import Way
from .. import keymap, keys, messages
from ..bridge import POLL_INTERVAL, Bridge
from ..run_words import model_opened, run_opened, state_changed
from ..settings import SettingsStore
from ..training_offer import BUILT_IN, TrainingOffer
from ..training_texts import TrainingTexts
from .desk import Desk
from .turns_way import TurnsWay

if TYPE_CHECKING:
    from ..found_models import FoundModel
    from .document_way import DocumentWay


class WriteDesk(Desk):
    """The desk that the app begins with. It follows the run for all desks, whichever is on the screen.

    The turns are always there, and notes of the app stand in them; the other ways are made when they are first wanted.
    """

    NAME = "write"
    SCOPE = "write"
    BINDINGS = [*keymap.bindings("write"), *keymap.bindings("desk")]
    AUTO_FOCUS = "#prompt"

    def __init__(
        self,
        store: SettingsStore,
        corpus: str | None = None,
        model: FoundModel | None = None,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        super().__init__(Bridge(self.post_message), corpus=corpus)
        self.figures_changed: Signal[None] = Signal(self, "figures changed")
        self.texts = TrainingTexts(self.bridge)
        self._store = store
        self._model = model
        self._poll_interval = poll_interval
        self._ways: dict[Way, TurnsWay | DocumentWay] = {}
        self.way: Way = "turns"

    # --- composition ----------------------------------------------------------------------------

    def parts(self) -> Iterable[Widget]:
        self.turns = TurnsWay(self.bridge, self._store, self.texts)
        self._ways["turns"] = self.turns
        with Container(id="body"):
            yield self.turns

    def on_mount(self) -> None:
        """Show what there is before the first frame is painted."""
        self.show_figures()
        if self._model is None and self._corpus is None:
            self._open_last_session()
        if self._model is not None:
            self.bridge.open(self._model)
        elif self._corpus is not None or not self.open_latest():
            self.turns.conversation.make_offer(TrainingOffer(self._corpus or BUILT_IN))
        self.set_interval(self._poll_interval, self.poll)

    def on_unmount(self) -> None:
        """Save what was said."""
        for way in reversed(self._ways.values()):  # the file with the sessions is the turns'
            way.close()

    def open_latest(self) -> bool:
        """Show the newest run that trains, else the newest with a model; whether there is one."""
        run = run_to_open()
        if run is None:
            return False
        try:
            self.bridge.attach(run)
        except EXPECTED as error:
            self.turns.conversation.note(sentence_of(error))
            return False
        return True

    def poll(self) -> None:
        """Show what the run on screen has written since the last poll."""
        if self.bridge.poll():
            self.show_figures()
        for way in self._ways.values():
            way.poll()

    def show_figures(self) -> None:
        """Header and panels from the bridge's views, on the other desks as well."""
        super().show_figures()
        for way in self._ways.values():
            way.show_figures()
        self.figures_changed.publish(None)

    @property
    def scopes(self) -> dict[keymap.Scope, DOMNode]:
        """The actions of the way that is on the screen work here as well."""
        return {**super().scopes, "document" if self.way == "document" else "turns": self.shown}

    # --- ways -----------------------------------------------------------------------------------

    @property
    def shown(self) -> TurnsWay | DocumentWay:
        """The way that is on the screen."""
        return self._ways[self.way]

    def show_way(self, way: Way) -> TurnsWay | DocumentWay:
        """Bring a way on the screen; it is made when it is first wanted."""
        if way not in self._ways:
            self._ways[way] = self._made(way)
            self.query_one("#body").mount(self._ways[way])
        for name, widget in self._ways.items():
            widget.display = name == way
        self.way = way
        self.shown.arrange_panels()
        self.shown.show_figures()
        self.call_after_refresh(self._focus_when_mounted)
        self.refresh_bindings()
        return self.shown

    def _focus_when_mounted(self) -> None:
        """Go to the text of the way on the screen; Textual gives the focus to nothing that is not mounted."""
        if self.shown.is_mounted:
            self.shown.focus_text()
        else:
            self.set_timer(0.01, self._focus_when_mounted)

    def _made(self, way: Way) -> TurnsWay | DocumentWay:
        if way == "document":
            from .document_way import DocumentWay  # which the first frame seldom needs

            return DocumentWay(self.bridge, self._store, self.texts)
        return TurnsWay(self.bridge, self._store, self.texts, "chat")

    def action_next_way(self) -> None:
        """Turn to the next way of writing; Chat is one where the model has a template for it."""
        loaded = self.bridge.generator.loaded
        ways: list[Way] = ["turns", "document", *(["chat"] if loaded and loaded.chat else [])]
        self.show_way(ways[(ways.index(self.way) + 1) % len(ways) if self.way in ways else 0])

    # --- sessions -------------------------------------------------------------------------------

    def _open_last_session(self) -> None:
        """Show the session of the last time in its way, and what was typed there and not sent."""
        store = self.turns.session.store
        try:
            last = store.last() if store else None
        except EXPECTED as error:
            self.notify(sentence_of(error), severity="warning", markup=False)
            return
        if last is not None:
            self.show_way(last.way).open_session(last.id)

    def action_new_session(self) -> None:
        self.shown.begin_session()

    @work(group="sessions", exclusive=True)
    async def open_sessions(self) -> None:
        """The list of all sessions; the one that is chosen there comes on screen in its way."""
        from .sessions import SessionsScreen

        for way in self._ways.values():
            way.save()
        store = self.turns.session.store
        if store is None:
            self.notify("Sessions cannot be used here; minigpt-tui doctor says more.", severity="error", markup=False)
            return
        chosen = await self.app.push_screen_wait(SessionsScreen(store, self.shown.session.id))
        if chosen is None:
            return
        if chosen.number != self.shown.session.id and not self.show_way(store.session(chosen.number).way).open_session(
            chosen.number
        ):
            self.notify("That session is open in another window; close it there.", severity="error", markup=False)
            return
        if (found := chosen.found) and (place := self.shown.session.text.find(found.node, found.start)):
            self.shown.go_to(place[0].id, place[1])
        if chosen.other_model:
            self.action_open_model()

    # --- messages of the bridge -------------------------------------------------------------------

    def on_run_attached(self, _: messages.RunAttached) -> None:
        bridge = self.bridge
        if bridge.run is not None and bridge.manifest is not None:
            fresh = bridge.state == "starting" and bridge.run.checkpoint() is None
            self.turns.conversation.opened(run_opened(bridge.manifest, bridge.training), fresh=fresh)
        self.show_figures()

    def on_run_forgotten(self, _: messages.RunForgotten) -> None:
        """Show the newest of the other runs, or offer to train where there is none."""
        if not self.open_latest():
            self.turns.conversation.make_offer(TrainingOffer())
        self.show_figures()

    def on_model_opened(self, message: messages.ModelOpened) -> None:
        self.turns.conversation.opened(model_opened(message.found, message.still_training))
        self.show_figures()

    def on_run_state_changed(self, message: messages.RunStateChanged) -> None:
        """Say so where the panels do not say enough."""
        sentence, lasting = state_changed(self.bridge.training, message.before, message.state)
        if sentence:
            self._say(sentence, lasting=lasting)
        self.turns.conversation.show_what_enter_does()
        self.show_figures()

    def on_model_loading(self, _: messages.ModelLoading) -> None:
        for way in self._ways.values():
            way.model_loading()

    def on_model_ready(self, message: messages.ModelReady) -> None:
        """Show its figures; what waits for it is sent."""
        self.show_figures()
        for way in self._ways.values():
            way.model_ready(message.first)

    def on_model_failed(self, message: messages.ModelFailed) -> None:
        """Say why; what waits for the model is given back."""
        for way in self._ways.values():
            way.model_failed(message.sentence)

    def on_notice(self, message: messages.Notice) -> None:
        self._say(message.sentence, message.severity, lasting=message.lasting)

    def _say(self, sentence: str, severity: messages.Severity = "information", *, lasting: bool) -> None:
        """In the transcript, or in a corner for some seconds; there as well while another way is on the screen."""
        if lasting:
            self.turns.conversation.note(sentence)
        if not lasting or self.way != "turns":
            self.notify(sentence, severity=severity, markup=False)

    # --- actions ---------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The footer shows only the actions that would do something now."""
        if not self._ways:  # nothing would do anything yet
            return False
        if action == "stop_reply":
            return self.shown.can_stop or self._offered_text
        if action == "tree":
            session = self.shown.session  # one with a draft and notes alone has no text that could have versions
            return session.id is not None and any(node.author != "note" for node in session.text.tree.nodes.values())
        return super().check_action(action, parameters)

    @property
    def _offered_text(self) -> bool:
        """Whether the offer to train on a text of the command line stands before older runs."""
        return self._corpus is not None and self.turns.conversation.offer is not None

    def action_stop_reply(self) -> None:
        """Stop the reply; without one close the drawer, or leave the command line's offer for the newest run."""
        if not self.shown.stop() and self._offered_text:
            self.open_latest()

    @work(group="tree", exclusive=True)
    async def action_tree(self) -> None:
        """Show all versions of the text; the one that is chosen there comes on screen."""
        from .tree import TreeScreen

        shown = self.shown
        shown.give_up()
        shown.go_to(await self.app.push_screen_wait(TreeScreen(shown.session.text)))

    @work(group="compare", exclusive=True)
    async def action_compare(self) -> None:
        """Have the prompt continued in several columns; the reply that is chosen there becomes that of the session."""
        from ..comparison.variants import first_variants
        from .compare import CompareScreen

        shown, sampling = self.shown, self.shown.sampling.settings
        try:
            variants = first_variants(self.bridge, sampling)
        except EXPECTED as error:
            self.refuse(error)
            return
        if not variants:
            trains, opens = keys.spoken("run.new"), keys.spoken("model.open")
            self.notify(f"There is no model yet: {trains} trains one, {opens} opens one.", markup=False)
            return
        shown.give_up()
        prompt = shown.compared_prompt()
        chosen = await self.app.push_screen_wait(CompareScreen(prompt, variants, shown.own_sets()))
        shown.give_up()  # a new run may have written a first sample meanwhile
        if chosen is not None:
            try:
                prompt.keep(chosen.prompt, chosen.reply)
            except EXPECTED as error:
                self.refuse(error)
        shown.go_to(None)

    def action_quotes(self) -> None:
        """Show what of the text that the person looks at is quoted, and where it stands in the training text."""
        from .quotes import QuotesBox

        about = self.shown.quotable()
        if about is None:
            self.notify("There is no reply yet that could quote what the model has learned from.", markup=False)
        elif not self.texts.is_run(about.model):
            self.notify(
                "Quotes are found in the text that a run has learned from, and this model is not from a run.",
                severity="warning", markup=False,
            )  # fmt: skip
        else:
            self.app.push_screen(QuotesBox(self.texts, about), lambda _: self.shown.look_for_quotes())

    def action_copy_reply(self) -> None:
        self.shown.copy()

    def action_panels(self) -> None:
        self.shown.turn_panels()

    def action_focus_sampling(self) -> None:
        self.shown.focus_sampling()

    def on_resize(self) -> None:
        """Arrange the panels for the new size."""
        self.shown.arrange_panels()

    def focus_text(self) -> None:
        """Go to where the person writes."""
        self.shown.focus_text()

    def on_text_selected(self) -> None:
        """Say what of the marked text is quoted."""
        self.shown.show_selection()

    def show_settings(self) -> None:
        """Take over the settings, which were changed elsewhere."""
        for way in self._ways.values():
            way.show_settings()
        self.refresh_bindings()

    # --- explained replies ----------------------------------------------------------------------

    def explained(self) -> list[list[TokenDetail]]:
        """The explained tokens of each of the last replies; empty where none was explained."""
        shown = self.shown
        return shown.conversation.explained if isinstance(shown, TurnsWay) else []

    def set_explain(self, explain: bool) -> None:
        """Say whether the tokens of later replies are explained."""
        self._store.change(explain=explain)
        for way in self._ways.values():
            if isinstance(way, TurnsWay):
                way.conversation.explain = explain
