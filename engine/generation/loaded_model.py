"""The one model in memory, kept as new as the checkpoint it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...data.storage.errors import UserError
from ...models.config import flops_per_token, parameter_count
from ...models.devices import choose_device, memory_in_use
from ..freed_memory import give_back
from ..requests import Load, Loaded
from .checkpoint_source import CheckpointSource, Opened
from .cpu_tuning import Pace, settle_speed
from .decoder import Decoder


class LoadedModel:
    """What a Load asked for. `announce` is called with each set of weights that came into memory."""

    def __init__(self, load: Load, announce: Callable[[Loaded], None]) -> None:
        """Choose the device; nothing is read yet. Raises DeviceError."""
        self._load, self._announce = load, announce
        self._choice = choose_device(load.device, load.dtype, training=False)
        self._source = CheckpointSource(Path(load.path), load.quantize)
        self._opened: Opened | None = None
        self._decoder: Decoder | None = None
        self.pace = Pace()
        self.notices: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        """The training step of the weights in memory."""
        return self._opened.checkpoint.step if self._opened else 0

    def begin_reply(self) -> Decoder:
        """Bring the model up to date, and choose the threads that it decodes with. Raises as `decoder` does."""
        decoder = self.decoder()
        self.pace.begin(decoder, crowded=self._source.is_training())
        return decoder

    def decoder(self) -> Decoder:
        """The model to answer with: what is in memory, or newer weights where the load said to follow them.

        Raises UserError where there is nothing to answer with. Newer weights that cannot be read are a notice,
        as long as there are older ones.
        """
        self.notices = ()
        if self._decoder is None or self._opened is None:
            return self._open()
        if not self._load.follow or self._source.signature() in (None, self._opened.signature):
            return self._decoder
        try:
            return self._open()
        except UserError as error:
            self.notices = (f"these are the weights of step {self.step}; the newest cannot be read: {error}",)
            return self._decoder

    def _open(self) -> Decoder:
        opened, old = self._source.open(self._choice), self._opened
        checkpoint, config = opened.checkpoint, opened.checkpoint.config
        if self._decoder and old and old.checkpoint.config == config:
            self._decoder.take(checkpoint.model, opened.tokenizer)
        else:
            # what we train on has no token that ends a text; what others train on has
            self._decoder = Decoder(checkpoint.model, opened.tokenizer, ends_begin=opened.file.kind != "minigpt")
            self.pace = settle_speed(self._decoder, self._load.threads)
        self._opened = opened
        give_back()  # weights as they were read, before they were rounded or laid out anew
        self._announce(
            Loaded(
                id=self._load.id,
                path=self._load.path,
                step=checkpoint.step,
                parameters=parameter_count(config),
                vocab_size=opened.tokenizer.vocab_size,
                context_length=config.context_length,
                device=str(self._choice.device),
                dtype=str(self._choice.dtype).removeprefix("torch.")
                if self._load.quantize == "none"
                else self._load.quantize,
                memory=memory_in_use(self._choice.device),
                validation_loss=checkpoint.validation_loss,
                flops_per_token=flops_per_token(config),
            )
        )
        return self._decoder
