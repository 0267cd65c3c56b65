"""A document: one text that a person and a model write together.

The editor joins three things: the pane, in which the person writes; the session's text, a tree that keeps every version
and saves it at once; and the model, which goes on from the cursor. Each change goes into the tree first, and the pane
then shows what the tree's text is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from textual.timer import Timer

from ..data.storage.errors import EXPECTED, sentence_of
from ..engine.requests import Alternative, Ended, Failed, SamplingSettings, SettingsChange, TokenDetail, Tokens
from ..engine.sessions.session_text import SessionText
from ..engine.sessions.tree import Node, Origin
from . import keys
from .bridge import Bridge
from .current_session import CurrentSession
from .document_figures import figures, sibling, status
from .document_tokens import DocumentTokens
from .placed_tokens import Continuation, coloured, continuation_at, loss_of, node_at, tokens_between
from .quotes_line import QuotesLine
from .text.document_text import TextSpan
from .training_texts import Quotable, TrainingTexts
from .widgets.border_words import set_subtitle, set_title
from .widgets.document_pane import DocumentPane
from .widgets.siblings_panel import Sibling, SiblingsPanel
from .widgets.token_panel import TokenPanel

REST_SECONDS = 0.15  # that the cursor rests on a token before the model is asked about it
PROGRESS_SECONDS = 0.1  # between two looks at what is being written


@dataclass
class _Writing:
    """Continuations that the model writes: siblings of each other, the first of which streams into the pane."""

    nodes: list[int]
    back_to: Path | None = None  # the model to be loaded again when they are complete
    tokens: int = 0  # of the first one
    loss: float = 0.0  # the sum of theirs
    next_look: float = 0.0  # when their figures are shown again
    unended: set[int] = field(init=False)  # the numbers of those that still come

    def __post_init__(self) -> None:
        self.unended = set(range(len(self.nodes)))

    def count(self, details: Sequence[TokenDetail]) -> None:
        """Tokens of the first one have come."""
        self.tokens += len(details)
        self.loss += sum(map(loss_of, details))


class DocumentEditor:
    """What the keys of the document do to the session's text."""

    def __init__(
        self,
        bridge: Bridge,
        pane: DocumentPane,
        token_panel: TokenPanel,
        siblings_panel: SiblingsPanel,
        session: CurrentSession,
        settings: Callable[[], tuple[SamplingSettings, int]],  # and how many continuations
        tell: Callable[[str], None],
        texts: TrainingTexts,
    ) -> None:
        self._bridge, self._generator = bridge, bridge.generator
        self._pane, self._siblings_panel = pane, siblings_panel
        self._session, self._settings, self._tell = session, settings, tell
        self._tokens = DocumentTokens(self._generator, pane, token_panel, lambda: settings()[0], self._answered)
        self._quotes = QuotesLine(texts, self._show_status)
        self._written: set[int] = set()  # the sources that were written since the text was opened
        self._writing: _Writing | None = None
        self._waiting: Callable[[], bool] | None = None  # what the model is asked as soon as it can answer
        self._timer: Timer | None = None
        self._rows: list[Sibling] = []
        self._shown_siblings: tuple[tuple[int, int], ...] = ()  # of which the rows are

    # --- which text -----------------------------------------------------------------------------

    @property
    def _text(self) -> SessionText | None:
        """The text on the screen; None where nothing was written yet."""
        return None if self._session.id is None else self._session.text

    def opened(self, cursor: int | None = None) -> None:
        """Show the text of the session, which is another one now, or none; without `cursor` that is at its end."""
        self._writing = None
        self._written.clear()
        self._tokens.forget()
        text = self._text
        self._show(cursor=len(text) if text and cursor is None else cursor or 0)

    def give_up(self) -> None:
        """Stop the model, and end what it was writing before anything else happens to the text."""
        self.stop()
        if self._writing is not None:
            self._session.cancel()
            self._leave_writing()

    # --- the person's edits ---------------------------------------------------------------------

    def edited(self, start: int, end: int, words: str) -> None:
        """The person put `words` in the place of the characters from `start` to `end`, and the pane shows it."""
        if self._writing is not None:  # what the model goes on with would no longer follow what stands there
            self.give_up()
        self._tokens.forget(start)
        first = self._session.id is None
        if self._change(lambda text: text.replace(start, end, words)):
            self.cursor_moved()
        if first:  # from now on there is a tree
            self._pane.refresh_bindings()

    def undo(self) -> None:
        """Take the last change back, the person's or the model's."""
        self._step(lambda text: text.undo(), "There is nothing to take back.")

    def redo(self) -> None:
        """Do again what was taken back last."""
        self._step(lambda text: text.redo(), "There is nothing to do again.")

    def _step(self, step: Callable[[SessionText], bool], otherwise: str) -> None:
        self.give_up()
        if self._text is not None and self._change(step):
            self._show()
        else:
            self._tell(otherwise)

    # --- the model goes on ----------------------------------------------------------------------

    @property
    def writing(self) -> bool:
        """Whether the model writes here, or will as soon as it can."""
        return self._writing is not None or self._waiting is not None

    def go_on(self) -> None:
        """Let the model write on from the cursor. What stood behind it stays as a branch."""
        if self._generator.path is None:
            self._tell(
                f"There is no model yet: {keys.spoken('run.new')} trains one, {keys.spoken('model.open')} opens one."
            )
        elif not self.writing:
            settings, samples = self._settings()
            self._ask(lambda: self._write(self._pane.cursor, settings, samples))

    def retry(self) -> None:
        """Take the continuation at the cursor back, and have another one written in its place."""
        if (continuation := self._continuation()) is None:
            self._tell(
                f"The model has written nothing before the cursor; {keys.spoken('document.go-on')} lets it go on."
            )
            return
        self.give_up()
        settings, samples = self._settings()
        again = replace(settings, seed=None)  # one seed would write the same again
        self._ask(lambda: self._write(continuation.start, again, samples))

    def write_again(self, checkpoint: Path) -> None:
        """Write the continuation at the cursor again, as another checkpoint would have with the same seed."""
        continuation = self._continuation()
        origin = continuation.source.origin if continuation else None
        if continuation is None or origin is None:
            self._tell("Put the cursor into something that the model has written.")
            return
        self.give_up()
        back_to = Path(self._generator.path or origin.model)
        self._generator.load_checkpoint(checkpoint)
        settings = replace(origin.settings, seed=origin.seed)
        self._ask(lambda: self._write(continuation.start, settings, 1, back_to, origin.model, origin.changes))

    def settings_changed(self) -> None:
        """Draw what follows of the continuations as the panel says now, not of those that are written again."""
        if self._writing is not None and self._writing.back_to is None:
            self._generator.change(self._settings()[0])

    def stop(self) -> None:
        """Stop the model; what it has written stays."""
        self._waiting = None
        if self._writing is not None or self._tokens.asking:
            self._generator.cancel()
        self._show_status()

    def _continuation(self) -> Continuation | None:
        """What the model wrote at the cursor, else the last that it wrote before it."""
        return continuation_at(self._text, self._pane.cursor) if self._text else None

    def _write(
        self,
        offset: int,
        settings: SamplingSettings,
        samples: int,
        back_to: Path | None = None,
        ids_of: str | None = None,
        changes: tuple[SettingsChange, ...] = (),
    ) -> bool:
        """Ask for continuations at `offset`; False where the model cannot write now.

        The model reads the ids of tokens that the model at the path `ids_of` wrote: its own, or those of another
        checkpoint of it, in whose place it writes until that one, `back_to`, is loaded again. `changes` of the settings
        are made again.
        """
        if not self._generator.ready:
            return False
        origin = self._origin(settings, ids_of)
        prompt, then = self._session.text.parts(offset, origin.model)
        try:
            nodes = self._session.go_on(offset, samples, origin)
        except EXPECTED as error:
            self._tell(sentence_of(error))
            return True
        writing = self._writing = _Writing(nodes, back_to=back_to)
        self._tokens.forget(offset)
        self._show(cursor=offset)
        self._generator.generate(
            prompt, settings, lambda event: self._take(event, writing), samples=samples, explain=True, then=then,
            alternatives=0, changes=changes,
        )  # fmt: skip
        self._show_status()
        return True

    def _origin(self, settings: SamplingSettings, path: str | None = None) -> Origin:
        """By what the words are written that begin now; seed and step are those of their end."""
        model, loaded = self._bridge.model, self._generator.loaded
        return Origin(
            path or self._generator.path or "", model.name, model.step or 0, settings.seed or 0, settings,
            loaded.checkpoint if loaded else "",
        )  # fmt: skip

    def _take(self, event: Tokens | Ended | Failed, writing: _Writing) -> None:
        """Receive an event about continuations; those that were given up meanwhile are dropped."""
        if writing is self._writing:
            match event:
                case Tokens():
                    self._append(writing, event)
                    return
                case Ended():
                    self._session.end(event.sample, event)
                    writing.unended.discard(event.sample)
                case Failed():
                    self._session.fail(event.message)
                    writing.unended.clear()
                    self._tell(event.message)
            if not writing.unended:
                self._leave_writing()
        self.ask_what_waits()

    def _append(self, writing: _Writing, event: Tokens) -> None:
        self._session.add(event.sample, event.text, event.details)
        if event.sample == 0:
            writing.count(event.details)
            self._pane.stream(event.text, "model", coloured(event.details))
        if monotonic() >= writing.next_look:
            writing.next_look = monotonic() + PROGRESS_SECONDS
            self._show_status()
            if len(writing.nodes) > 1:
                self._show_siblings()

    def _leave_writing(self) -> None:
        """The continuations are complete: another model that wrote them goes, and their figures are shown."""
        writing, self._writing = self._writing, None
        self._written.update(writing.nodes if writing else ())
        if writing is not None and writing.back_to is not None:
            self._generator.load(writing.back_to, follow=self._bridge.run is not None)
        self._show_around_cursor()

    # --- siblings -------------------------------------------------------------------------------

    def choose(self, node: int) -> None:
        """Go on with this sibling, as far as it was written when the person was last there."""
        text = self._text
        if text is None or node not in text.tree.nodes:
            return
        self.give_up()
        if self._change(lambda text: text.choose(node)):
            self._show(cursor=text.start_of(node) + text.tree.nodes[node].length)

    def go_to(self, node: int | None, offset: int | None = None) -> None:
        """Show the text with a node of the tree, and the place in its words; without one, what the text has become."""
        text = self._text
        if text is None or (node is not None and not self._change(lambda text: text.choose(node))):
            return
        self._show(cursor=None if node is None or offset is None else text.start_of(node) + offset)

    def turn(self, step: int) -> None:
        """Go to the next sibling of what stands at the cursor, or the one before."""
        siblings, current = self._siblings()
        if len(siblings) < 2 or current is None:
            self._tell(f"There is no other continuation at this place; {keys.spoken('document.retry')} writes one.")
            return
        ids = [node.id for node in siblings]
        self.choose(ids[(ids.index(current.id) + step) % len(ids)])

    def _siblings(self) -> tuple[list[Node], Node | None]:
        """What was written at the place where the node at the cursor begins, and that node."""
        text = self._text
        node = node_at(text, self._pane.cursor) if text else None
        return (text.siblings(node), node) if text and node else ([], None)

    # --- tokens ---------------------------------------------------------------------------------

    def cursor_moved(self) -> None:
        """Show what stands at the cursor: its siblings at once, its figures and its token when the cursor rests."""
        self._show_siblings()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._pane.set_timer(REST_SECONDS, self._look)

    def _look(self) -> None:
        self._show_status()
        if not self.writing:
            self._tokens.look(self._text)
            self._tokens.colour(self._text)

    def colour(self, coloured: bool) -> None:
        """Colour the text by probability or no more; words that nothing is known of are scored."""
        self._pane.coloured = coloured
        if not self.writing:
            self._tokens.colour(self._text)

    def take(self, alternative: Alternative) -> None:
        """Go on from this token instead of the one at the cursor: by its id, as a sibling."""
        text, taken = self._text, self._tokens.taken(alternative)
        if text is None or taken is None:
            return
        self.give_up()

        def take(text: SessionText) -> None:
            if taken.token is not None:
                text.take(taken.token.node, taken.token.number, taken.record, taken.words)
                return
            (node,) = text.begin(taken.offset, self._origin(self._settings()[0]))
            text.append(node, taken.words, [taken.record])
            text.finish(node, "chosen", tokens=1)

        if self._change(take):
            self._show(cursor=len(text))
            self.go_on()

    # --- asking the model -----------------------------------------------------------------------

    def _ask(self, request: Callable[[], bool]) -> None:
        """Ask for words now, or as soon as the model can answer; a question about what stands there gives way."""
        if not request():
            self._waiting = request
            if self._tokens.asking:
                self._generator.cancel()
        self._show_status()

    def ask_what_waits(self) -> None:
        """Ask what could not be asked before; called now and then, and when the model may be ready."""
        if (request := self._waiting) is not None and self._generator.ready:
            self._waiting = None
            self._ask(request)

    def _answered(self) -> None:
        """The model has answered a question about what stands there: ask what waits, or about the rest of the text."""
        self.ask_what_waits()
        if not self.writing and self._tokens.must_look:
            self._tokens.look(self._text)
        if not self.writing:
            self._tokens.colour(self._text)

    # --- what is shown --------------------------------------------------------------------------

    def _change(self, change: Callable[[SessionText], object]) -> bool:
        """Change the tree; False where there was nothing to change, or it could not be done."""
        try:
            return self._session.change(change) is not False
        except EXPECTED as error:
            self._tell(sentence_of(error))
            return False

    def _show(self, cursor: int | None = None) -> None:
        """Show the text of the tree; without `cursor` it goes behind what is different now."""
        text, before = self._text, self._pane.text
        words, spans = (text.text, text.spans()) if text else ("", [])
        authors = [TextSpan(span.start, span.end, "model" if span.author == "model" else "person") for span in spans]
        self._pane.load(words, authors, cursor=cursor)
        if words != before:
            pairs = enumerate(zip(words, before, strict=False))
            self._tokens.forget(next((at for at, (new, old) in pairs if new != old), min(len(words), len(before))))
        self._show_around_cursor()

    def _show_around_cursor(self) -> None:
        """Show the figures and siblings of what stands at the cursor now."""
        self._show_status()
        self.cursor_moved()

    def _show_siblings(self) -> None:
        text = self._text
        siblings, current = self._siblings()
        title = "document"
        if len(siblings) > 1 and current is not None:
            title += f" · {[node.id for node in siblings].index(current.id) + 1} of {len(siblings)} siblings here"
        set_title(self._pane, title)
        shown = tuple((node.id, node.length) for node in siblings)
        if text is not None and shown != self._shown_siblings:  # whose losses take a while where they are long
            self._shown_siblings = shown
            several = len({node.origin.step for node in siblings if node.origin}) > 1
            self._rows = [sibling(text, node, several) for node in siblings]
        self._siblings_panel.show(self._rows if siblings else [], current.id if current else None)

    def _show_status(self) -> None:
        """Below the text: what the model does, else the figures of what it wrote at the cursor."""
        text = self._text
        if self._waiting is not None:
            words = (
                f"the model is not ready yet; it goes on as soon as it is · {keys.spoken('reply.stop')} takes that back"
            )
        elif self._writing is not None:
            stops = f"{keys.spoken('reply.stop')} stops"
            words = " · ".join([*figures(self._writing.tokens, self._writing.loss), stops])
        elif self._pane.selected_text:
            words = self._quotes_in(self.quotable(), fresh=True)
        elif text is None or (written := self._continuation()) is None:
            words = ""
        else:
            records = [token.record for token in tokens_between(text, written.start, written.end)]
            losses = [loss_of(record) for record in records if record.known]
            quotes = self._quotes_in(self.quotable(), fresh=written.source.id in self._written)
            words = status(written.source, losses, quotes, self._pane.size.width - 4)
        set_subtitle(self._pane, words)

    # --- quotes ---------------------------------------------------------------------------------

    def quotable(self) -> Quotable | None:
        """What is selected, else the continuation at the cursor; None where there is neither, or no model to it."""
        if selected := self._pane.selected_text:
            model = self._generator.path
            return Quotable(selected, model, "the marked text") if model else None
        written = self._continuation()
        if self._text is None or written is None or written.source.origin is None:
            return None
        return Quotable(self._text.between(written.start, written.end), written.source.origin.model, "the continuation")

    def look_for_quotes(self) -> None:
        """Look once more: by now there may be an index."""
        self._quotes.look_again()
        self._show_status()

    def _quotes_in(self, about: Quotable | None, *, fresh: bool) -> str:
        """What is said of them; an index is built for what was marked, or written just now."""
        known = self._generator.loaded is not None
        return self._quotes.words(about, "when idle" if fresh else "never") if known else ""
