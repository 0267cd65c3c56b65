"""A ckpt.pt of nanoGPT's: what it holds, the same logits from it, and what is refused, with nothing executed."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.interop.huggingface import CheckpointError, load_checkpoint
from minigpt_tui.models.interop.nanogpt import find_meta, read_alphabet, read_nanogpt
from torch import Tensor, nn

ARGUMENTS: dict[str, Any] = {
    "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 12, "bias": False, "vocab_size": 11, "dropout": 0.2,
}  # fmt: skip


class Reference(nn.Module):
    """What model.py of nanoGPT computes, under its names."""

    def __init__(self, *, n_layer: int, n_head: int, n_embd: int, block_size: int, bias: bool, vocab_size: int) -> None:
        super().__init__()
        self.n_head = n_head

        def linear(n_in: int, n_out: int) -> nn.Linear:
            return nn.Linear(n_in, n_out, bias=bias)

        def block() -> nn.ModuleDict:
            attention = nn.ModuleDict({"c_attn": linear(n_embd, 3 * n_embd), "c_proj": linear(n_embd, n_embd)})
            mlp = nn.ModuleDict({"c_fc": linear(n_embd, 4 * n_embd), "c_proj": linear(4 * n_embd, n_embd)})
            norms = {name: nn.LayerNorm(n_embd, bias=bias) for name in ("ln_1", "ln_2")}
            return nn.ModuleDict({**norms, "attn": attention, "mlp": mlp})

        embedding = nn.Embedding(vocab_size, n_embd)
        self.transformer = nn.ModuleDict(
            {
                "wte": embedding,
                "wpe": nn.Embedding(block_size, n_embd),
                "h": nn.ModuleList(block() for _ in range(n_layer)),
                "ln_f": nn.LayerNorm(n_embd, bias=bias),
            }
        )
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.lm_head.weight = embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length = tokens.shape
        parts: Any = self.transformer
        x = parts.wte(tokens) + parts.wpe(torch.arange(length))
        future = torch.full((length, length), -torch.inf).triu(1)
        for block in parts.h:
            heads = block.attn.c_attn(block.ln_1(x)).view(batch, length, 3, self.n_head, -1)
            q, k, v = heads.permute(2, 0, 3, 1, 4)
            weights = (q @ k.mT / q.shape[-1] ** 0.5 + future).softmax(-1)
            x = x + block.attn.c_proj((weights @ v).transpose(1, 2).reshape(batch, length, -1))
            x = x + block.mlp.c_proj(F.gelu(block.mlp.c_fc(block.ln_2(x))))
        return self.lm_head(parts.ln_f(x))


def reference(seed: int = 0, **changes: Any) -> Reference:
    torch.manual_seed(seed)
    model = Reference(**{name: value for name, value in (ARGUMENTS | changes).items() if name != "dropout"})
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def checkpoint(model: nn.Module, **changes: Any) -> dict[str, Any]:
    """The dictionary that train.py of nanoGPT saves, after a step of its optimizer."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    model(torch.zeros(1, 2, dtype=torch.long)).sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "model_args": ARGUMENTS | changes,
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.25),
        "config": {"dataset": "shakespeare_char", "learning_rate": 1e-3, "device": "cpu", "compile": False},
    }


def save(content: Any, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path, **options)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound checkpoint."""
    return save(checkpoint(reference()), tmp_path / "out" / "ckpt.pt")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module._orig_mod."])
def test_the_logits_are_nanogpts(bias: bool, prefix: str, tmp_path: Path) -> None:
    model = reference(bias=bias)
    content = checkpoint(model, bias=bias)
    content["model"] = {prefix + name: tensor for name, tensor in content["model"].items()}
    for layer in range(2):  # the mask that it keeps where torch has no fused attention
        content["model"][f"{prefix}transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 12, 12).tril()
    loaded = load_checkpoint(save(content, tmp_path / "ckpt.pt"))
    tokens = torch.randint(11, (3, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(tokens), model(tokens), rtol=0, atol=1e-5)
    assert (loaded.step, loaded.validation_loss) == (250, 1.25)
    assert loaded.config == ModelConfig(
        vocab_size=11, context_length=12, n_layer=2, n_head=2, d_model=16, position="learned", norm="layer",
        norm_eps=1e-5, mlp="gelu", qk_norm=False, tied=True, bias=bias, attention_dropout=0.2, residual_dropout=0.2,
        embedding_dropout=0.2,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_type_are_taken_as_they_are(dtype: torch.dtype, tmp_path: Path) -> None:
    content = checkpoint(reference())
    content["model"] = {name: tensor.to(dtype) for name, tensor in content["model"].items()}
    loaded = load_checkpoint(save(content, tmp_path / "ckpt.pt"))
    assert torch.equal(loaded.model.embedding, content["model"]["transformer.wte.weight"].float())
    assert loaded.model.embedding.dtype == torch.float32


def test_views_parameters_and_a_head_of_its_own(tmp_path: Path) -> None:
    content = checkpoint(model := reference())
    weights = content["model"]
    weights["transformer.h.0.mlp.c_fc.weight"] = nn.Parameter(weights["transformer.h.0.mlp.c_fc.weight"])
    shared = torch.randn(40, 11)
    weights["lm_head.weight"] = shared[8:24].T  # in the middle of a storage, by columns
    loaded = load_checkpoint(save(content, tmp_path / "ckpt.pt"))
    assert not loaded.config.tied
    assert loaded.model.head is not None
    assert torch.equal(loaded.model.head, shared[8:24].T)
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        model.lm_head.weight = nn.Parameter(shared[8:24].T)
        torch.testing.assert_close(loaded.model(tokens), model(tokens), rtol=0, atol=1e-5)


def test_an_archive_that_another_program_packed_again_without_alignment_is_read(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w") as new:
        for name in old.namelist():
            new.writestr(f"archive{name.removeprefix('ckpt')}", old.read(name))
    starts = [tensor.start % 4 for tensor in read_nanogpt(again).tensors.values()]
    assert any(starts)
    for one, other in zip(
        load_checkpoint(path).model.parameters(), load_checkpoint(again).model.parameters(), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "step", "loss", "dataset"),
    [
        ({"best_val_loss": 2.5, "iter_num": -1}, 0, 2.5, "shakespeare_char"),
        ({"best_val_loss": torch.tensor(1.5, dtype=torch.float64), "config": None}, 250, 1.5, None),
        ({"best_val_loss": float("nan"), "config": {"dataset": "../../secret"}}, 250, None, None),
        ({"best_val_loss": "low", "iter_num": "many", "config": {"dataset": 7}}, 0, None, None),
    ],
)
def test_what_is_not_needed_may_be_odd(
    changes: dict[str, Any], step: int, loss: float | None, dataset: str | None, tmp_path: Path
) -> None:
    found = read_nanogpt(save(checkpoint(reference()) | changes, tmp_path / "ckpt.pt"))
    assert (found.step, found.validation_loss, found.dataset) == (step, loss, dataset)


# ------------------------------------------------------------------------------------------------------ its characters


def write_meta(path: Path, characters: str, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"vocab_size": len(characters), "itos": dict(enumerate(characters)),
            "stoi": {c: i for i, c in enumerate(characters)}} | changes  # fmt: skip
    path.write_bytes(pickle.dumps(meta))
    return path


def test_the_characters_are_looked_for_beside_the_checkpoint_then_where_nanogpt_prepared_them(path: Path) -> None:
    found = read_nanogpt(path)
    assert find_meta(found) is None
    prepared = write_meta(path.parent.parent / "data" / "shakespeare_char" / "meta.pkl", "zyx\n🙂")
    assert find_meta(found) == prepared
    assert read_alphabet(prepared) == "zyx\n🙂"
    beside = write_meta(path.parent / "meta.pkl", "abc")
    assert find_meta(found) == beside


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocab_size": 4}, "contradicts itself"),
        ({"stoi": {"a": 0, "b": 2, "c": 1}}, "contradicts itself"),
        ({"stoi": {}}, "contradicts itself"),
        ({"itos": {1: "a", 2: "b", 3: "c"}}, "does not number single characters from 0 on"),
        ({"itos": {0: "a", 1: "bc", 2: "c"}}, "does not number single characters from 0 on"),
        ({"itos": {0: "a", 1: 7, 2: "c"}}, "does not number single characters from 0 on"),
        ({"itos": {}}, "does not number single characters from 0 on"),
        ({"itos": ["a", "b", "c"]}, "lacks itos and stoi"),
        ({"itos": None}, "its keys are vocab_size, itos, stoi"),
    ],
)
def test_characters_that_do_not_fit_each_other_are_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        read_alphabet(write_meta(tmp_path / "meta.pkl", "abc", **changes))


def test_a_large_alphabet_is_read(tmp_path: Path) -> None:
    alphabet = "".join(map(chr, range(0x4E00, 0x9000)))
    assert read_alphabet(write_meta(tmp_path / "meta.pkl", alphabet)) == alphabet


# ----------------------------------------------------------------------------------------------------------- refusals


class Hostile:
    """Would run a command when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.proof}",)


def test_a_pickle_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    content = checkpoint(reference())
    content["config"]["dataset"] = Hostile(proof)
    path = save(content, tmp_path / "ckpt.pt")
    meta = write_meta(tmp_path / "meta.pkl", "abc", itos=Hostile(proof))
    for read in (read_nanogpt, load_checkpoint):
        with pytest.raises(UserError, match=r"ckpt\.pt has a pickle that would call (posix|nt)\.system"):
            read(path)
    with pytest.raises(UserError, match=r"meta\.pkl has a pickle that would call (posix|nt)\.system"):
        read_alphabet(meta)
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()  # so the file was what it claimed to be


def altered(path: Path, change: Any) -> Path:
    """A checkpoint whose content was changed before it was saved again."""
    content = torch.load(path, weights_only=False)
    change(content)
    return save(content, path)


def packed(path: Path, changes: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with some entries replaced, or left out."""
    with zipfile.ZipFile(path) as old:
        entries = {name.removeprefix("ckpt/"): old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, content in (entries | changes).items():
            if content is not None:
                new.writestr(f"ckpt/{name}", content)
    return path


def model_args(**changes: Any) -> Any:
    return lambda content: content["model_args"].update(changes)


def weights(name: str, tensor: Any) -> Any:
    return lambda content: content["model"].__setitem__(name, tensor)


WTE = "transformer.wte.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (model_args(n_layer=-1), r"n_layer is -1"),
        (model_args(n_embd=-16), r"d_model is -16"),
        (model_args(vocab_size=-5), r"vocab_size is -5"),
        (model_args(vocab_size=0), r"vocab_size is 0"),
        (model_args(vocab_size=None), r"does not say its vocab_size"),
        (model_args(block_size=2**62), r"context_length is 4611686018427387904"),
        (model_args(block_size=100_000), r"has fewer weights than the 1,60\d,\d+ that its model_args ask for"),
        (model_args(n_head=3), r"not divisible by n_head 3"),
        (model_args(n_layer=True), r"does not say its n_layer"),
        (model_args(dropout=-1.0), r"attention_dropout is -1\.0"),
        (model_args(dropout="none"), r"a dropout in model_args that is no number"),
        (lambda content: content.pop("model_args"), r"no model_args\); its keys are model, optimizer, iter_num, best_"),
        (lambda content: content.pop("model"), r"has no weights; its keys are optimizer, model_args"),
        (weights(WTE, torch.zeros(1).expand(11, 16)), r"describes transformer\.wte\.weight as larger than what it"),
        (weights(WTE, "gone"), r"holds something else than a tensor as transformer\.wte\.weight"),
        (weights(WTE, torch.zeros(11, 16, dtype=torch.int64)), r"in a type that no weights have"),
        (weights(WTE, torch.zeros(11, 0)), r"as larger than what it holds"),
    ],
)
def test_a_content_that_cannot_be_is_refused_in_one_sentence(change: Any, says: str, path: Path) -> None:
    altered(path, change)
    for read in (read_nanogpt, load_checkpoint):
        with pytest.raises(UserError, match=says) as refusal:
            read(path)
        assert str(refusal.value).startswith(str(path))
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (weights("transformer.h.0.attn.c_attn.weight", torch.zeros(16, 48)), r"\[16, 48\] where \[48, 16\] is needed"),
        (lambda content: content["model"].pop("transformer.ln_f.weight"), r"fewer weights than the 6,592"),
        (
            lambda content: content["model"].update(other=content["model"].pop("transformer.ln_f.weight")),
            r"lacks the tensor transformer\.ln_f\.weight",
        ),
        (weights("transformer.extra.weight", torch.zeros(3)), r"transformer\.extra\.weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Any, says: str, path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(altered(path, change))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged or incomplete archive"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "damaged or incomplete archive"),
        (lambda path: path.write_bytes(b""), "no archive of torch's"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 100), "damaged or incomplete archive"),
        (lambda path: packed(path, {}, zipfile.ZIP_DEFLATED), "was compressed or encrypted afterwards"),
        (lambda path: packed(path, {"data/0": None}), r"lacks its part ckpt/data/0"),
        (lambda path: packed(path, {"data/0": b"\0" * 12}), "as larger than what it holds of it"),
        (lambda path: packed(path, {"data.pkl": None}), "an archive that torch did not save; it holds ckpt/"),
        (lambda path: packed(path, {"data.pkl": b"\x80\x02N."}), "no checkpoint of nanoGPT's .* holds a NoneType"),
        (lambda path: packed(path, {"data.pkl": b"\x80\x02}."}), "no checkpoint of nanoGPT's .* it is empty"),
        (lambda path: packed(path, {"data.pkl": b"junk"}), "damaged pickle"),
        (lambda path: packed(path, {"byteorder": b"big"}), "another byte order"),
        (lambda path: packed(path, {"constants.pkl": b""}), "TorchScript"),
        (lambda path: save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False), "before version 1.6"),
        (lambda path: save({"state_dict": {}, "epoch": 3}, path), "its keys are state_dict, epoch"),
        (lambda path: save([1, 2], path), "it holds a list"),
        (lambda path: save(torch.ones(2), path), "it holds a torch._utils._rebuild_tensor_v2"),
        (lambda path: save(nn.Linear(2, 2), path), "would call "),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_damaged_or_something_else_is_refused(damage: Any, says: str, path: Path) -> None:
    damage(path)
    with pytest.raises(UserError, match=says) as refusal:
        read_nanogpt(path)
    assert "\n" not in str(refusal.value)


def directory_entry(path: Path, name: bytes, **fields: int) -> None:
    """Change numbers in the archive's directory: what it claims of an entry."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"ckpt/" + name) - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    for field, value in fields.items():
        offset = {"compressed": 20, "size": 24, "header": 42}[field]
        content[at + offset : at + offset + 4] = struct.pack("<I", value)
    path.write_bytes(content)


def test_sizes_that_the_file_does_not_have_are_refused(path: Path) -> None:
    absurd = 2**31
    directory_entry(path, b"data.pkl", size=absurd, compressed=absurd)
    with pytest.raises(UserError, match=r"ckpt/data\.pkl is cut off"):
        read_nanogpt(path)


def test_a_storage_that_claims_more_than_the_file_is_refused(path: Path) -> None:
    directory_entry(path, b"data/0", size=2**31, compressed=2**31)
    with pytest.raises(UserError, match=r"ckpt/data/0 is cut off"):
        read_nanogpt(path)


def test_parts_that_overlap_are_refused_before_memory_is_taken(path: Path) -> None:
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first = archive.getinfo("ckpt/data/0").header_offset
    for number in range(1, 12):
        directory_entry(
            path, b"data/%d" % number, size=len(content) - first - 4000, compressed=len(content) - first - 4000
        )
    with pytest.raises(UserError, match=r"overlap|cut off"):
        read_nanogpt(path)


def test_reading_the_description_needs_no_torch(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from minigpt_tui.models.interop.nanogpt import read_nanogpt; "
        f"read_nanogpt(Path({str(path)!r})); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
