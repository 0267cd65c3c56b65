"""A field for a name or path: says which model that is, and Enter opens it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from ...data.storage.errors import EXPECTED
from .. import keymap, keys
from ..bridge import Bridge
from ..found_models import FoundModel
from ..text import formatting, model_words
from ..widgets.facts import DIM, labelled
from ..widgets.footer_line import FooterLine
from ..widgets.model_input import ModelInput
from .action_screen import ActionScreen

_HINT = (
    "A run's name, a checkpoint, a Hugging Face folder (GPT-2, Llama, Qwen, ...) or nanoGPT's ckpt.pt. "
    "The right arrow key takes the completion."
)


class OpenModelScreen(ActionScreen, ModalScreen[None]):
    """A small box above the chat."""

    SCOPE = "open-model"
    BINDINGS = [*keymap.bindings("open-model")]
    AUTO_FOCUS = "#model-path"

    path = query_one("#model-path", ModelInput)

    def __init__(self, bridge: Bridge, path: str = "") -> None:
        super().__init__()
        self._bridge = bridge
        self._path = path
        self._open_when_found = False

    def compose(self) -> ComposeResult:
        with Vertical(id="open-model") as box:
            box.border_title = "open a model"
            with Horizontal(classes="field"):
                yield Label("model")
                yield ModelInput(self._path, placeholder="~/models/gpt2", id="model-path")
            yield Static(_HINT, id="model-found", markup=False)
            with Horizontal(id="buttons"):
                yield Button(keys.labelled("Open", "open-model.open"), id="open", variant="primary", compact=True)
                yield Button(keys.labelled("Train further", "open-model.train"), id="train", compact=True)
                yield Button(keys.labelled("Cancel", "open-model.cancel"), id="cancel", compact=True)
        yield FooterLine()

    def on_mount(self) -> None:
        self._show()

    @on(ModelInput.Looked)
    def _looked(self) -> None:
        self._show()
        if self._open_when_found and not self.path.looking:
            self.action_open()

    def _show(self) -> None:
        found, problem = self.path.found, self.path.problem
        text = self.query_one("#model-found", Static)
        if found is not None:
            text.update(_facts(found))
        elif problem:
            text.update(Content.styled(formatting.one_line(problem), "$text-error"))
        else:
            text.update(Content.styled("looking ..." if self.path.looking else _HINT, DIM))
        for name in ("#open", "#train"):
            self.query_one(name, Button).disabled = found is None

    # --- actions ---------------------------------------------------------------

    @on(Input.Submitted)
    @on(Button.Pressed, "#open")
    def action_open(self) -> None:
        """Open this model, as soon as its look-up has ended."""
        self._open_when_found = self.path.looking
        if self.path.found is None:
            return
        try:
            self._bridge.open(self.path.found)
        except EXPECTED as error:
            self.refuse(error)
        else:
            self.dismiss()

    @on(Button.Pressed, "#train")
    def action_train(self) -> None:
        """The form of a new run that begins with this model."""
        from .new_run import NewRunScreen

        if self.path.found is not None:
            self.app.switch_screen(NewRunScreen(self._bridge, str(self.path.found.file.path)))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss()


def _facts(found: FoundModel) -> Content:
    config = found.config
    return labelled(
        ("found", found.kind),
        ("name", formatting.one_line(found.file.name)),
        ("parameters", formatting.whole(found.parameters)),
        ("context", f"{config.context_length:,} tokens"),
        ("tokenizer", f"{found.tokenizer}, {config.vocab_size:,} tokens"),
        ("block", f"{config.n_layer} × {model_words.block(config)[0]}, width {config.d_model:,}"),
    )
