"""Generate processes that are none, for columns: what each writes says by which checkpoint and seed."""

from __future__ import annotations

from pathlib import Path

from minigpt_tui.engine.requests import Ended, Failed, Generate, Load, Loaded, Request, Tokens
from minigpt_tui.engine.runs import Run

from ..scripted_engine import ScriptedEngine, letter

NEWEST = 200  # the step of a run's newest weights


class ColumnEngine(ScriptedEngine):
    """Its tokens are characters. `step-000100` writes with the weights of step 100, everything else with the newest."""

    words = "{prompt} at step {step} by seed {seed}"
    missing: set[str]  # names of checkpoints that cannot be loaded
    step = NEWEST

    def answer(self, request: Request) -> None:
        """A model that is missing cannot be loaded; a reply is all of `words`, held back where replies are held."""
        if isinstance(request, Load):
            name = Path(request.path).name
            if name in self.missing:
                self.say(Failed(request.id, "checkpoint", f"{name} is no model any more; choose another"))
                return
            self.step = int(name.removeprefix("step-")) if name.startswith("step-") else NEWEST
            digest = f"d{self.step}"
            self.say(
                Loaded(request.id, request.path, self.step, 800_000, 62, 64, "cpu", "float32", 1, checkpoint=digest)
            )
        elif isinstance(request, Generate):
            seed = request.settings.seed
            said = request.messages[-1].text if request.messages else request.prompt
            text = self.words.format(prompt=said, step=self.step, seed=seed)
            details = tuple(letter(character) for character in text) if request.explain else ()
            self.say(Tokens(request.id, text, len(text), 0, details))
            if not self.holds_replies:
                self.end(request.id)
        else:
            super().answer(request)

    def end(self, id: int, sample: int = 0, *, cancelled: bool = False) -> None:
        """The last message, with what the request has asked for."""
        asked = next(request for request in self.requests if isinstance(request, Generate) and request.id == id)
        reason = "cancelled" if cancelled else "length"
        seed = asked.settings.seed
        assert seed is not None
        self.say(Ended(id, reason, 5, 3, 0.01, 500.0, self.step, seed, (), sample, f"d{self.step}"))

    @property
    def asked(self) -> list[Generate]:
        """The replies that it was asked for."""
        return [request for request in self.requests if isinstance(request, Generate)]


def keep_checkpoint(run: Run, step: int) -> Path:
    """A checkpoint of the history, which only a scripted engine can load."""
    folder = run.checkpoints / f"step-{step:06d}"
    folder.mkdir(parents=True)
    (folder / "minigpt.json").write_text("{}")
    return folder
