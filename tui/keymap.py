"""Every action of the app in one table: the bindings, the footer, F1's help and the palette are all made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

Scope = Literal["app", "chat", "runs", "sessions", "new-run", "open-model"]


@dataclass(frozen=True)
class Action:
    """Something that a person can ask for, and the key that asks for it."""

    id: str
    key: str  # several keys separated by commas; the first is the one that is shown
    method: str  # Textual calls `action_<method>` of the app or the screen
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
            self.method,
            self.footer or self.title,
            show=bool(self.footer),
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )


# Left out on purpose: ctrl+j, ctrl+m, ctrl+i and ctrl+h are Enter, Tab and Backspace to a terminal; ctrl+b and ctrl+a
# are the prefixes of tmux and screen; ctrl+c copies and never quits. F6 and F7 have priority because a text area
# selects with them, the focus keys so that text typed at once after Tab goes to the new widget.
ACTIONS: tuple[Action, ...] = (
    Action("run.new", "ctrl+t", "new_run", "New run", "Choose a text and a recipe, and train a model.", "train"),
    Action(
        "model.open", "ctrl+o", "open_model", "Open a model",
        "Talk to a model on disk: a run, a checkpoint, a Hugging Face folder, nanoGPT's ckpt.pt.", "open",
    ),
    Action(
        "model.train", "f6", "train_further", "Train further from this model",
        "Fine-tune the model on screen: a new run that begins with its weights.", priority=True,
    ),
    Action("runs", "ctrl+r", "runs", "Runs", "All trainings: open, pause, stop, continue or delete one.", "runs"),
    Action(
        "reply.stop", "escape", "stop_reply", "Stop the reply", "Stop the reply that streams and keep its text.", "stop"
    ),
    Action(
        "reply.copy", "ctrl+y", "copy_reply", "Copy the last reply",
        "Copy the last reply, or all samples of it, as generated and not as wrapped.", priority=True,
    ),
    Action(
        "reply.explain", "f7", "explain", "Explain the last reply",
        "Why each token of the last reply was chosen; asked for the first time, it begins with the next reply.",
        priority=True,
    ),
    Action(
        "session.new", "ctrl+l", "new_session", "New session", "Begin with an empty transcript; this session is kept.",
        priority=True,
    ),
    Action(
        "sessions", "ctrl+g", "sessions", "Sessions",
        "What was written before: open, search, name, copy, export or delete it.", "sessions", priority=True,
    ),
    Action(
        "panels", "f2", "panels", "Panels", "Show or hide the panels; in a narrow window, turn from one to the next.",
        "panels",
    ),
    Action("sampling", "f3", "focus_sampling", "Sampling settings", "Go to temperature, top-k, top-p and the others."),
    Action("prompt", "f4", "focus_prompt", "Prompt", "Go back to the prompt."),
    Action(
        "run.pause", "f5", "pause", "Pause or resume the training", "Pause the run on screen, or let it go on.",
        "pause",
    ),
    Action("run.save", "ctrl+s", "save", "Save a checkpoint now", "Ask the run on screen to save a checkpoint."),
    Action(
        "run.stop", "f8", "stop_run", "Stop the training and save",
        "Save a checkpoint and end the run; it can be continued later.", "end",
    ),
    Action("runs.open", "enter", "open", "Open", "Load this run's model and follow its training.", "chat", "runs"),
    Action("runs.pause", "p", "pause", "Pause or resume", "Pause this run, or let it go on.", "pause", "runs"),
    Action("runs.stop", "s", "stop", "Stop and save", "Save a checkpoint and end this run.", "stop", "runs"),
    Action(
        "runs.continue", "c", "continue", "Continue", "Train a stopped or crashed run further, from its last "
        "checkpoint.", "continue", "runs",
    ),
    Action("runs.delete", "d,delete", "delete", "Delete", "Move this run to the trash folder.", "delete", "runs"),
    Action(
        "runs.export", "e", "export", "Export to GGUF",
        "Write this run's model as one file for llama.cpp, into the current folder.", "", "runs",
    ),
    Action("runs.new", "n", "new", "New run", "Choose a text and a recipe, and train a model.", "new", "runs"),
    Action("runs.close", "escape", "close", "Back to the chat", "Leave the list.", "back", "runs"),
    Action("sessions.open", "enter", "open", "Open", "Go on with this session.", "open", "sessions"),
    Action(
        "sessions.other", "o", "open_other", "Go on with another model", "Open this session, then choose a model.",
        "", "sessions",
    ),
    Action("sessions.search", "slash", "search", "Search", "Find what stands in the texts.", "search", "sessions"),
    Action("sessions.rename", "r", "rename", "Rename", "Give this session a name.", "rename", "sessions"),
    Action("sessions.tag", "t", "tag", "Tags", "Words by which this session is found.", "tags", "sessions"),
    Action("sessions.copy", "c", "copy", "Copy", "Make another session with the same texts.", "copy", "sessions"),
    Action(
        "sessions.export", "e", "export", "Export",
        "Write this session into the current folder: JSON with all of its tree, Markdown or plain text.", "export",
        "sessions",
    ),
    Action("sessions.import", "i", "import", "Import", "Add a session that was exported as JSON.", "", "sessions"),
    Action(
        "sessions.delete", "d,delete", "delete", "Delete or restore", "Move this session to the trash, or back.",
        "delete", "sessions",
    ),
    Action("sessions.trash", "x", "trash", "Trash", "Turn to the sessions in the trash, or back.", "trash", "sessions"),
    Action("sessions.close", "escape", "close", "Back to the chat", "Leave the list.", "back", "sessions"),
    Action(
        "new-run.start", "f5,ctrl+enter,ctrl+g", "start", "Start training", "Make the run and start its training.",
        "start", "new-run", priority=True,
    ),
    Action("new-run.cancel", "escape", "cancel", "Cancel", "Go back without a new run.", "cancel", "new-run"),
    Action("open-model.open", "enter", "open", "Open", "Talk to this model.", "open", "open-model", palette=False),
    Action(
        "open-model.train", "f6", "train", "Train further from it",
        "A new run that begins with the weights of this model.", "train further", "open-model",
    ),
    Action("open-model.cancel", "escape", "cancel", "Cancel", "Go back to the chat.", "cancel", "open-model"),
    Action("help", "f1", "help", "Help", "The keys, and how the parts work together.", "help", "app"),
    Action("focus.next", "tab", "focus_next", "Next widget", "Go to the next widget.", "", "app", True, False),
    Action(
        "focus.previous", "shift+tab", "focus_previous", "Previous widget", "Go to the widget before.", "", "app",
        True, False,
    ),
    Action(
        "theme", "f9", "toggle_theme", "Dark or light", "Change between the dark and the light theme.", "", "app"
    ),
    Action(
        "suspend", "ctrl+z", "suspend", "Suspend", "Back to the shell for a while; its command fg goes on.", "", "app",
        priority=True,
    ),
    Action(
        "quit", "ctrl+q", "quit", "Quit", "Leave; a training that runs can be left alone or stopped and saved.", "quit",
        "app", True,
    ),
)  # fmt: skip


def bindings(scope: Scope) -> list[Binding]:
    """The bindings of one screen, or of the app."""
    return [action.binding() for action in actions(scope)]


def actions(scope: Scope) -> list[Action]:
    """The actions of one screen, or of the app."""
    return [action for action in ACTIONS if action.scope == scope]


def shown_key(action: Action) -> str:
    """The key as a person reads it: "ctrl+t" is ^T, "escape" is Esc."""
    key = action.key.split(",")[0]
    if key.startswith("ctrl+") and len(key) == 6:
        return f"^{key[-1].upper()}"
    return {"escape": "Esc", "enter": "Enter", "tab": "Tab", "shift+tab": "Shift+Tab"}.get(
        key, key if len(key) == 1 else key.upper()
    )
