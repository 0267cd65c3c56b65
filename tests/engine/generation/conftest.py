"""Models whose text is known beforehand, and checkpoints of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from minigpt_tui.data.tokenizers import Tokenizer, build_tokenizer
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint

MakeModel = Callable[..., tuple[GPT, Tokenizer]]
MakeCheckpoint = Callable[..., Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These models are too small for more, and loading one chooses the number for the whole process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def chain() -> MakeModel:
    """A model that continues each character by the next one of a cycle, surely or (loose) only by preference.

    The blocks of a fresh modern model change nothing, so the embedding and the head alone decide.
    """

    def make(cycle: str, context_length: int = 16, loose: bool = False) -> tuple[GPT, Tokenizer]:
        tokenizer = build_tokenizer("char", alphabet=cycle, pieces=list)
        size = tokenizer.vocab_size
        model = GPT(ModelConfig(size, context_length, n_layer=1, n_head=1, d_model=16 * -(-size // 16), qk_norm=False))
        ids = tokenizer.encode(cycle)
        with torch.no_grad():
            model.embedding.copy_(torch.eye(*model.embedding.shape))
            assert model.head is not None
            model.head.zero_()
            for current, following in zip(ids, [*ids[1:], ids[0]], strict=True):
                model.head[following, current] = 0.5 if loose else 50
        return model, tokenizer

    return make


@pytest.fixture(scope="session")
def random_model() -> MakeModel:
    """A model in which every earlier token matters, with large random weights in all layers."""

    def make(alphabet: str = "abcdefgh\n", **options: object) -> tuple[GPT, Tokenizer]:
        tokenizer = build_tokenizer("char", alphabet=alphabet, pieces=list)
        fields: dict[str, object] = {"context_length": 16, "n_layer": 2, "n_head": 2, "d_model": 16} | options
        model = GPT(ModelConfig(tokenizer.vocab_size, **fields))  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        return model.eval(), tokenizer

    return make


@pytest.fixture(scope="session")
def save() -> MakeCheckpoint:
    """Write a checkpoint folder."""

    def make(folder: Path, made: tuple[GPT, Tokenizer], step: int = 1) -> Path:
        folder.mkdir(parents=True)
        save_checkpoint(made[0], folder, tokenizer=made[1], step=step, validation_loss=1.5)
        return folder

    return make


@pytest.fixture(scope="session")
def nanogpt() -> MakeCheckpoint:
    """Write a ckpt.pt as nanoGPT's train.py does, of random weights, with its meta.pkl beside it."""

    def make(path: Path, alphabet: str = "hgfedcba\n", width: int = 8) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = {"ln_1": (width,), "attn.c_attn": (3 * width, width), "attn.c_proj": (width, width), "ln_2": (width,),
                  "mlp.c_fc": (4 * width, width), "mlp.c_proj": (width, 4 * width)}  # fmt: skip
        shapes = {"wte": (len(alphabet), width), "wpe": (16, width), "ln_f": (width,)}
        shapes |= {f"h.0.{name}": shape for name, shape in blocks.items()}
        generator = torch.Generator().manual_seed(3)
        weights = {
            f"transformer.{name}.weight": torch.randn(*shape, generator=generator) for name, shape in shapes.items()
        }
        weights["lm_head.weight"] = weights["transformer.wte.weight"]
        sizes = {
            "n_layer": 1,
            "n_head": 2,
            "n_embd": width,
            "block_size": 16,
            "bias": False,
            "vocab_size": len(alphabet),
        }
        torch.save({"model": weights, "model_args": sizes, "iter_num": 250, "best_val_loss": torch.tensor(1.5)}, path)
        numbered = dict(enumerate(alphabet))
        meta = {"vocab_size": len(alphabet), "itos": numbered, "stoi": {c: i for i, c in numbered.items()}}
        (path.parent / "meta.pkl").write_bytes(pickle.dumps(meta))
        return path

    return make


@pytest.fixture(scope="session")
def huggingface(random_model) -> MakeCheckpoint:
    """Write a folder that says nothing of us, with the tokenizer of the model or another one."""

    def make(folder: Path, tokenizer: Tokenizer | None = None, **options: object) -> Path:
        folder.mkdir(parents=True)
        model, characters = random_model(**options)
        save_checkpoint(model, folder, tokenizer=tokenizer or characters, step=1, validation_loss=None)
        (folder / "minigpt.json").unlink()
        return folder

    return make
