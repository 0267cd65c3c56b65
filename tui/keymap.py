"""Every action of the app in one table: the bindings, the footer, F1's help and the palette are all made from it.

The keys here are the usual ones; `keys` knows which are in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from textual.binding import Binding

Scope = Literal[
    "app", "desk", "write", "turns", "document", "compare", "train", "inside", "sessions", "new-run", "open-model",
    "settings",
]  # fmt: skip

TOGETHER: tuple[tuple[Scope, ...], ...] = (
    ("app", "desk", "write", "turns"),
    ("app", "desk", "write", "document"),
    ("app", "compare"),
    ("app", "desk", "train"),
    ("app", "desk", "inside"),
    ("app", "sessions"),
    ("app", "new-run"),
    ("app", "open-model"),
    ("app", "settings"),
)
"""Whose actions work on a screen at the same time, where one key is one action."""
TYPING: tuple[Scope, ...] = ("app", "desk", "write", "turns", "document", "new-run", "open-model", "settings")
"""Where a person types: a letter cannot be the key of an action there."""


@dataclass(frozen=True)
class Action:
    """Something that a person can ask for, and the key that asks for it."""

    id: str
    key: str  # several keys separated by commas; the first is the one that is shown
    method: str  # Textual calls `action_<method>` of the app or the screen
    title: str  # in the palette and in the help
    help: str  # one sentence
    footer: str = ""  # the short word in the footer; empty keeps it out of there
    scope: Scope = "write"
    priority: bool = False
    palette: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The usual keys, as Textual calls them."""
        return tuple(self.key.split(","))

    def binding(self) -> Binding:
        """The Textual binding; its id is what `[keys]` in settings.toml names."""
        from textual.binding import Binding  # commands know the table as well, and never load Textual

        return Binding(
            self.key,
            self.method,
            self.footer or self.title,
            show=bool(self.footer),
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )


# Left out on purpose: ctrl+m, ctrl+i and ctrl+h are Enter, Tab and Backspace to a terminal; ctrl+b and ctrl+a are the
# prefixes of tmux and screen; ctrl+c copies and never quits. F6 and F7 have priority because a text area selects with
# them, the focus keys so that text typed at once after Tab goes to the new widget. Alt and a digit or f are read as
# other keys from a terminal that does not tell keys apart, and Alt+Backspace as ctrl+w, which has no priority for that.
ACTIONS: tuple[Action, ...] = (
    Action(
        "run.new", "ctrl+t", "new_run", "New run", "Choose a text and a recipe, and train a model.", "new run", "desk"
    ),
    Action(
        "model.open", "ctrl+o", "open_model", "Open a model",
        "Talk to a model on disk: a run, a checkpoint, a Hugging Face folder, nanoGPT's ckpt.pt.", "open", "desk",
    ),
    Action(
        "model.train", "f6", "train_further", "Train further from this model",
        "Fine-tune the model on screen: a new run that begins with its weights.", "", "desk", True,
    ),
    Action(
        "sessions", "ctrl+g", "sessions", "Sessions",
        "What was written before: open, search, name, copy, export or delete it.", "sessions", "desk", True,
    ),
    Action(
        "run.pause", "f5", "pause_run", "Pause or resume the training", "Pause the run on screen, or let it go on.",
        "pause", "desk",
    ),
    Action(
        "run.save", "ctrl+s", "save_run", "Save a checkpoint now", "Ask the run on screen to save a checkpoint.", "",
        "desk",
    ),
    Action(
        "run.stop", "f8", "stop_run", "Stop the training and save",
        "Save a checkpoint and end the run; it can be continued later.", "end", "desk",
    ),
    Action(
        "reply.stop", "escape", "stop_reply", "Stop the model", "Stop what the model writes, and keep its text.", "stop"
    ),
    Action(
        "way", "ctrl+w", "next_way", "Way of writing",
        "Turn from one way to the next: turns, one document, and chat where the model has a template for it.", "way",
    ),
    Action(
        "reply.copy", "ctrl+y", "copy_reply", "Copy",
        "Copy the last reply, or all samples of it, as generated and not as wrapped; of a document, the selection or "
        "all of it.", priority=True,
    ),
    Action(
        "quotes", "alt+q", "quotes", "Quotes",
        "Show what of the reply in view, or of what is marked, stands word for word in the training text, and where.",
    ),
    Action(
        "tree", "ctrl+x", "tree", "Tree", "All versions of this text: go to one, bookmark, delete or merge them.",
        "tree", priority=True,
    ),
    Action(
        "compare", "alt+c", "compare", "Side by side",
        "Have the same prompt continued in columns: by several checkpoints or runs, with several settings or seeds.",
    ),
    Action(
        "session.new", "ctrl+l", "new_session", "New session", "Begin with an empty page; this session is kept.",
        priority=True,
    ),
    Action(
        "panels", "f2", "panels", "Panels", "Show or hide the panels; in a narrow window, turn from one to the next.",
        "panels",
    ),
    Action("sampling", "f3", "focus_sampling", "Sampling settings", "Go to temperature, top-k, top-p and the others."),
    Action(
        "reply.explain", "f7", "explain", "Colours, then why",
        "Colour the replies by the probability of their tokens; pressed again, say why those of the last were chosen.",
        "", "turns", True,
    ),
    Action(
        "reply.retry", "ctrl+k", "retry", "Retry",
        "Have another reply to the last prompt written; the first stays, a key away. In a text, delete up to its end.",
        "", "turns",
    ),
    Action(
        "reply.next", "alt+down", "next_reply", "Next reply", "The next of the replies to the last prompt.", "", "turns"
    ),
    Action(
        "reply.previous", "alt+up", "previous_reply", "Previous reply", "The reply to the last prompt before this one.",
        "", "turns",
    ),
    Action(
        "prompt.edit", "alt+e", "edit_prompt", "Edit an earlier prompt",
        "Take the last prompt into the field, or the one before; a chat then branches there.", "", "turns",
    ),
    Action(
        "chat.frame", "alt+t", "frame", "Frame",
        "Show the last prompt as the model read it: framed as a turn of a chat, or as a speech.", "frame", "turns",
    ),
    Action(
        "speakers", "alt+w", "speakers", "Who speaks",
        "Choose who you are and who answers, among those who speak in the text that the model has learned from.", "",
        "turns",
    ),
    Action(
        "document.go-on", "ctrl+n,ctrl+enter,ctrl+j", "go_on", "Go on",
        "Let the model write on from the cursor; what stood behind it stays as a branch.", "go on", "document",
    ),
    Action(
        "document.retry", "ctrl+k", "retry", "Retry",
        "Take the continuation at the cursor back and have another one written; the first stays as its sibling.",
        "retry", "document",
    ),
    Action(
        "document.undo", "ctrl+u", "undo", "Undo", "Take the last change back, yours or the model's.", "undo",
        "document",
    ),
    Action("document.redo", "ctrl+e", "redo", "Redo", "Do again what was taken back last.", "redo", "document"),
    Action(
        "document.colour", "f7", "colour", "Colours",
        "Colour the text by the probability of its tokens, yours and the model's, or no more.", "colours", "document",
        True,
    ),
    Action(
        "document.next", "alt+down", "next_sibling", "Next sibling", "The next of the continuations at this place.", "",
        "document",
    ),
    Action(
        "document.previous", "alt+up", "previous_sibling", "Previous sibling",
        "The continuation at this place before this one.", "", "document",
    ),
    Action(
        "document.again", "alt+n", "again", "Again on another checkpoint",
        "Have the continuation at the cursor written with the same seed by another checkpoint of the run.", "",
        "document",
    ),
    Action(
        "compare.write", "space", "write_all", "Write again", "Let all columns write, with the same seeds.", "write",
        "compare",
    ),
    Action(
        "compare.go-on", "enter", "go_on", "Go on with this one",
        "Make the reply of the column in focus that of the session, and close.", "go on", "compare",
    ),
    Action(
        "compare.add", "a", "add", "Another column",
        "Add a column with another checkpoint, run, set of settings or seed.", "add", "compare",
    ),
    Action(
        "compare.change", "c", "change", "Change this column",
        "Write the column in focus with another checkpoint, run, set of settings or seed.", "change", "compare",
    ),
    Action(
        "compare.differences", "d", "differences", "Differences",
        "Mark in the other columns what differs from the one in focus, or nothing any more.", "differ", "compare",
    ),
    Action(
        "compare.close", "escape", "close", "Stop, then close", "Stop all columns; pressed again, go back.", "close",
        "compare",
    ),
    Action("compare.seeds", "s", "seeds", "New seeds", "Let all columns write with new seeds.", "seeds", "compare"),
    Action(
        "compare.remove", "x,delete", "remove", "Remove this column", "Take the column in focus away.", "remove",
        "compare",
    ),
    Action(
        "compare.copy", "ctrl+y,y", "copy", "Copy", "Copy what stands in the column in focus, as generated.", "",
        "compare",
    ),
    Action("compare.edit", "e", "edit", "Edit the prompt", "Go to the prompt; Enter sends it to all.", "", "compare"),
    Action("compare.next", "right", "next", "Next column", "Go to the next column; 1 to 4 go to each.", "", "compare"),
    Action("compare.previous", "left", "previous", "Previous column", "Go to the column before.", "", "compare"),
    Action("runs.open", "enter", "open", "Open", "Write with this run's model.", "write", "train"),
    Action(
        "runs.show", "v", "show", "Show", "Load this run's model and show its training below the list.", "show",
        "train",
    ),
    Action("runs.pause", "p", "pause", "Pause or resume", "Pause this run, or let it go on.", "pause", "train"),
    Action("runs.stop", "s", "stop", "Stop and save", "Save a checkpoint and end this run.", "stop", "train"),
    Action(
        "runs.continue", "c", "continue", "Continue", "Train a stopped or crashed run further, from its last "
        "checkpoint.", "continue", "train",
    ),
    Action(
        "runs.mark", "space", "mark", "Mark", "Mark this run, or no more: the curves of the marked runs lie over each "
        "other, and deleting means them.", "mark", "train",
    ),
    Action("runs.mark-none", "u", "mark_none", "Mark none", "No run is marked any more.", "", "train"),
    Action(
        "runs.filter", "slash", "filter", "Filter", "Show only some runs: words, #tag, preset=quick, loss<1.6.",
        "filter", "train",
    ),
    Action("runs.sort", "o", "sort", "Sort by the next column", "Sort the runs by one column after the other.", "sort",
           "train"),
    Action("runs.reverse", "O", "reverse", "Reverse the order", "Turn the order of the runs around.", "", "train"),
    Action("runs.rename", "r", "rename", "Rename", "Give this run a name; its folder keeps its own.", "", "train"),
    Action("runs.tag", "t", "tag", "Tags", "Words by which this run is found.", "", "train"),
    Action("runs.note", "m", "note", "Note", "Write a note to this run.", "", "train"),
    Action(
        "runs.delete", "d,delete", "delete", "Delete", "Move the marked runs, else this one, to the trash folder.",
        "delete", "train",
    ),
    Action("runs.trash", "x", "trash", "Trash", "Bring a run back from the trash.", "", "train"),
    Action(
        "runs.export", "e", "export", "Export to GGUF",
        "Write this run's model as one file for llama.cpp, into the current folder.", "", "train",
    ),
    Action(
        "runs.explain", "w", "explain_run", "What it means",
        "Say what the figures of the run on screen mean, and what each field of its recipe does.", "why", "train",
    ),
    Action(
        "runs.steer", "l", "steer", "Steer",
        "Change this run while it trains: learning rate, budget, evaluations, sample prompts, pause, save, stop.",
        "steer", "train",
    ),
    Action(
        "runs.samples", "f2", "samples", "Samples",
        "Go to what the model wrote at each step: left and right turn the steps, comma and full stop the prompts, "
        "Enter shows two steps side by side.", "samples", "train",
    ),
    Action(
        "runs.clone", "N", "clone", "New run like this one", "The form of a new run, filled in with this run's recipe.",
        "", "train",
    ),
    Action(
        "runs.extend", "C", "extend", "Continue with more budget",
        "Train this run further than it was meant to, from its last checkpoint.", "", "train",
    ),
    Action(
        "runs.fine-tune", "F", "fine_tune", "Fine-tune from a checkpoint",
        "A new run that begins with the weights of this one, at any of its checkpoints.", "", "train",
    ),
    Action("runs.new", "n", "new", "New run", "Choose a text and a recipe, and train a model.", "", "train"),
    Action("runs.close", "escape", "close", "Back to writing", "Go to the write desk.", "write", "train"),
    Action(
        "tokens.next", "n", "next_sample", "Next sample", "The tokens of the next of several samples.", "next", "inside"
    ),
    Action(
        "tokens.previous", "p", "previous_sample", "Previous sample", "The tokens of the sample before.", "previous",
        "inside",
    ),
    Action(
        "inside.panels", "f2", "panels", "Model or tokens", "In a narrow window, turn from the tokens to the model.",
        "panels", "inside",
    ),
    Action(
        "tokens.off", "x", "explain_no_more", "Explain no more", "Replies are no longer coloured and explained.", "",
        "inside",
    ),
    Action("inside.close", "escape", "close", "Back to writing", "Go to the write desk.", "write", "inside"),
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
    Action(
        "new-run.fields", "ctrl+f", "find_field", "Find a field", "Search all fields of the recipe by words.",
        "find a field", "new-run", priority=True,
    ),
    Action(
        "new-run.copy", "ctrl+y", "copy_command", "Copy the command line",
        "Copy the command that makes the same run: minigpt-tui train ...", "copy", "new-run", priority=True,
    ),
    Action(
        "new-run.measure", "f6", "measure", "Measure the speed here",
        "Train this recipe on nothing for two seconds, in a process of its own, and say how long the run will take.",
        "measure", "new-run",
    ),
    Action("new-run.cancel", "escape", "cancel", "Cancel", "Go back without a new run.", "cancel", "new-run"),
    Action("open-model.open", "enter", "open", "Open", "Talk to this model.", "open", "open-model", palette=False),
    Action(
        "open-model.train", "f6", "train", "Train further from it",
        "A new run that begins with the weights of this model.", "train further", "open-model",
    ),
    Action("open-model.cancel", "escape", "cancel", "Cancel", "Go back to the desk.", "cancel", "open-model"),
    Action(
        "settings.default", "ctrl+d", "default", "Take the default", "Give the setting in focus its default again.",
        "default", "settings", True,
    ),
    Action("settings.close", "escape", "close", "Close the settings", "Go back.", "close", "settings"),
    Action(
        "desk.write", "f4,alt+1", "write", "Write desk", "The first desk: the text, or from a panel back to it.",
        "", "app",
    ),
    Action(
        "desk.train", "ctrl+r,alt+2", "train", "Train desk", "The second desk: all runs, and their losses.",
        "train", "app",
    ),
    Action(
        "desk.inside", "f12,alt+3", "inside", "Inside desk", "The third desk: what the model is made of.",
        "inside", "app",
    ),
    Action(
        "settings", "alt+s", "settings", "Settings", "All settings with their defaults, the sets of sampling settings, "
        "and the keys.", "", "app", True,
    ),
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
    Action(
        "palette", "ctrl+p", "command_palette", "All commands", "All commands by name.", "palette", "app", True, False
    ),
)  # fmt: skip
BY_ID = {action.id: action for action in ACTIONS}


def bindings(scope: Scope) -> list[Binding]:
    """The bindings of one screen, or of the app."""
    return [action.binding() for action in actions(scope)]


def actions(scope: Scope) -> list[Action]:
    """The actions of one screen, or of the app."""
    return [action for action in ACTIONS if action.scope == scope]
