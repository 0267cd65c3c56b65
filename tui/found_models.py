"""A model as it was found on disk, before any weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.model_files import ModelFile, find_model, read_config, read_tokenizer
from ..models.config import ModelConfig, parameter_count
from .text import formatting

_KINDS = {"minigpt": "checkpoint of minigpt-tui", "huggingface": "Hugging Face folder", "nanogpt": "nanoGPT checkpoint"}


@dataclass(frozen=True)
class FoundModel:
    """Which model, of what shape, with which kind of tokenizer."""

    file: ModelFile
    config: ModelConfig
    tokenizer: str

    @property
    def parameters(self) -> int:
        """How many parameters are trainable."""
        return parameter_count(self.config)

    @property
    def spec(self) -> str:
        """What `look_up` finds this model by from any folder."""
        run = self.file.run
        return run.name if run is not None and run.name == self.file.name else str(self.file.path)

    @property
    def kind(self) -> str:
        """What was found, in words."""
        run = self.file.run
        if run is None:
            return _KINDS[self.file.kind]
        return "run" if run.name == self.file.name else f"checkpoint of the run {formatting.one_line(run.name)}"


def look_up(text: str) -> FoundModel:
    """The model that a name or path means. Raises UserError or OSError where it is none.

    A tokenizer of a hundred thousand tokens takes a moment: not on the thread that draws.
    """
    file = find_model(text)
    if file.run is not None:
        file.run.manifest()
    return FoundModel(file, read_config(file), read_tokenizer(file).kind)
