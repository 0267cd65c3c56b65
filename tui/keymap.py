"""Every command of the app in one table: the bindings, the footer, F1's help and the palette are all made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

Scope = Literal["app", "chat", "runs", "new-run", "open-model"]


@dataclass(frozen=True)
class Command:
    """Something that a person can ask for, and the key that asks for it."""

    id: str
    key: str  # several keys separated by commas; the first is the one that is shown
    action: str
    title: str  # in the palette and in the help
    help: str  # one sentence
    footer: str = ""  # the short word in the footer; empty keeps it out of there
    scope: Scope = "chat"
    priority: bool = False
    palette: bool = True

    def binding(self) -> Binding:
        """The Textual binding; its id is what a keymap file would name."""
        return Binding(
            self.key,
            self.action,
            self.footer or self.title,
            show=bool(self.footer),
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )


# Left out on purpose: ctrl+j, ctrl+m, ctrl+i and ctrl+h are Enter, Tab and Backspace to a terminal; ctrl+b and ctrl+a
# are the prefixes of tmux and screen; ctrl+c copies and never quits. F6 and F7 have priority because a text area
# selects with them. Focus keys have priority, so that text typed at
# once after Tab goes to the new widget.
COMMANDS: tuple[Command, ...] = (
    Command("run.new", "ctrl+t", "new_run", "New run", "Choose a text and a recipe, and train a model.", "train"),
    Command(
        "model.open", "ctrl+o", "open_model", "Open a model",
        "Talk to a model on disk: a run, a checkpoint, a Hugging Face folder, nanoGPT's ckpt.pt.", "open",
    ),
    Command(
        "model.train", "f6", "train_further", "Train further from this model",
        "Fine-tune the model on screen: a new run that begins with its weights.", priority=True,
    ),
    Command("runs", "ctrl+r", "runs", "Runs", "All trainings: open, pause, stop, continue or delete one.", "runs"),
    Command(
        "reply.stop", "escape", "stop_reply", "Stop the reply", "Stop the reply that streams and keep its text.", "stop"
    ),
    Command(
        "reply.copy", "ctrl+y", "copy_reply", "Copy the last reply",
        "Copy the last reply, or all samples of it, as generated and not as wrapped.", priority=True,
    ),
    Command(
        "reply.explain", "f7", "explain", "Explain the last reply",
        "Why each token of the last reply was chosen; asked for the first time, it begins with the next reply.",
        priority=True,
    ),
    Command(
        "transcript.clear", "ctrl+l", "clear", "Clear the transcript", "Empty the transcript; runs are untouched.",
        priority=True,
    ),
    Command(
        "panels", "f2", "panels", "Panels", "Show or hide the panels; in a narrow window, turn from one to the next.",
        "panels",
    ),
    Command("sampling", "f3", "focus_sampling", "Sampling settings", "Go to temperature, top-k, top-p and the others."),
    Command("prompt", "f4", "focus_prompt", "Prompt", "Go back to the prompt."),
    Command(
        "run.pause", "f5", "pause", "Pause or resume the training", "Pause the run on screen, or let it go on.",
        "pause",
    ),
    Command("run.save", "ctrl+s", "save", "Save a checkpoint now", "Ask the run on screen to save a checkpoint."),
    Command(
        "run.stop", "f8", "stop_run", "Stop the training and save",
        "Save a checkpoint and end the run; it can be continued later.", "end",
    ),
    Command("runs.open", "enter", "open", "Open", "Load this run's model and follow its training.", "chat", "runs"),
    Command("runs.pause", "p", "pause", "Pause or resume", "Pause this run, or let it go on.", "pause", "runs"),
    Command("runs.stop", "s", "stop", "Stop and save", "Save a checkpoint and end this run.", "stop", "runs"),
    Command(
        "runs.continue", "c", "continue", "Continue", "Train a stopped or crashed run further, from its last "
        "checkpoint.", "continue", "runs",
    ),
    Command("runs.delete", "d,delete", "delete", "Delete", "Move this run to the trash folder.", "delete", "runs"),
    Command(
        "runs.export", "e", "export", "Export to GGUF",
        "Write this run's model as one file for llama.cpp, into the current folder.", "", "runs",
    ),
    Command("runs.new", "n", "new", "New run", "Choose a text and a recipe, and train a model.", "new", "runs"),
    Command("runs.close", "escape", "close", "Back to the chat", "Leave the list.", "back", "runs"),
    Command(
        "new-run.start", "f5,ctrl+enter,ctrl+g", "start", "Start training", "Make the run and start its training.",
        "start", "new-run", priority=True,
    ),
    Command("new-run.cancel", "escape", "cancel", "Cancel", "Go back without a new run.", "cancel", "new-run"),
    Command("open-model.open", "enter", "open", "Open", "Talk to this model.", "open", "open-model", palette=False),
    Command(
        "open-model.train", "f6", "train", "Train further from it",
        "A new run that begins with the weights of this model.", "train further", "open-model",
    ),
    Command("open-model.cancel", "escape", "cancel", "Cancel", "Go back to the chat.", "cancel", "open-model"),
    Command("help", "f1", "help", "Help", "The keys, and how the parts work together.", "help", "app"),
    Command("focus.next", "tab", "focus_next", "Next widget", "Go to the next widget.", "", "app", True, False),
    Command(
        "focus.previous", "shift+tab", "focus_previous", "Previous widget", "Go to the widget before.", "", "app",
        True, False,
    ),
    Command(
        "theme", "f9", "toggle_theme", "Dark or light", "Change between the dark and the light theme.", "", "app"
    ),
    Command(
        "quit", "ctrl+q", "quit", "Quit", "Leave; a training that runs can be left alone or stopped and saved.", "quit",
        "app", True,
    ),
)  # fmt: skip


def bindings(scope: Scope) -> list[Binding]:
    """The bindings of one screen, or of the app."""
    return [command.binding() for command in COMMANDS if command.scope == scope]


def commands(scope: Scope) -> list[Command]:
    """The commands of one screen, or of the app."""
    return [command for command in COMMANDS if command.scope == scope]


def shown_key(command: Command) -> str:
    """The key as a person reads it: "ctrl+t" is ^T, "escape" is Esc."""
    key = command.key.split(",")[0]
    if key.startswith("ctrl+") and len(key) == 6:
        return f"^{key[-1].upper()}"
    return {"escape": "Esc", "enter": "Enter", "tab": "Tab", "shift+tab": "Shift+Tab"}.get(
        key, key if len(key) == 1 else key.upper()
    )
