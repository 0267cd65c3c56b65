"""Every kind of model is found by what lies there; everything else is refused by what was found instead."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.tokenizers import CharTokenizer, TokenizerError, build_tokenizer
from minigpt_tui.engine import paths
from minigpt_tui.engine.model_files import checkpoint_with, find_model, read_config, read_tokenizer
from minigpt_tui.engine.run_about import find_run
from minigpt_tui.engine.runs import Run, RunError
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint
from minigpt_tui.models.interop.own_folder import weights_digest

CONFIG = ModelConfig(vocab_size=3, context_length=8, n_layer=1, n_head=1, d_model=8)
GPT2 = {"model_type": "gpt2", "n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 8, "vocab_size": 3}
MERGES = Path(__file__).parents[3] / "shared" / "data" / "tiktoken-cache"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def put_checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    save_checkpoint(GPT(CONFIG), folder, tokenizer=CharTokenizer("abc"), step=1, validation_loss=None)
    return folder


def put_run(name: str = "novel", checkpoint: bool = True) -> Path:
    run = paths.runs_dir() / name
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    if checkpoint:
        put_checkpoint(run / "checkpoints" / "last")
    return run


def put_huggingface(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(GPT2 | changes))
    (folder / "model.safetensors").write_bytes(b"not looked at")
    CharTokenizer("abc").save(folder)
    return folder


def put_nanogpt(path: Path, vocab_size: int = 3) -> Path:
    """The smallest checkpoint in nanoGPT's form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width = 8
    blocks = {"ln_1": (width,), "attn.c_attn": (3 * width, width), "attn.c_proj": (width, width), "ln_2": (width,),
              "mlp.c_fc": (4 * width, width), "mlp.c_proj": (width, 4 * width)}  # fmt: skip
    shapes = {"wte": (vocab_size, width), "wpe": (8, width), **{f"h.0.{name}": shape for name, shape in blocks.items()},
              "ln_f": (width,)}  # fmt: skip
    model = {f"transformer.{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    model["lm_head.weight"] = model["transformer.wte.weight"]
    arguments = {"n_layer": 1, "n_head": 1, "n_embd": width, "block_size": 8, "bias": False, "vocab_size": vocab_size}
    torch.save({"model": model, "model_args": arguments, "iter_num": 3, "config": {"dataset": "letters"}}, path)
    return path


def put_meta(path: Path, characters: str = "cab") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    itos = dict(enumerate(characters))
    path.write_bytes(
        pickle.dumps({"vocab_size": len(characters), "itos": itos, "stoi": {c: i for i, c in itos.items()}})
    )
    return path


# -------------------------------------------------------------------------------------------------------------- models


def test_a_run_is_found_by_its_name_its_folder_and_its_checkpoint() -> None:
    run = put_run()
    for text in ("novel", str(run)):
        file = find_model(text)
        assert (file.path, file.kind, file.name, file.run) == (
            run / "checkpoints" / "last",
            "minigpt",
            "novel",
            Run(run),
        )
    file = find_model(str(run / "checkpoints" / "last"))
    assert (file.name, file.run) == ("last", Run(run))
    assert read_config(file) == CONFIG
    assert list(read_tokenizer(file).encode("cab")) == [2, 0, 1]


def test_a_runs_name_means_the_run_also_where_a_file_is_called_so() -> None:
    run = put_run()
    Path("novel").write_text("Once")
    assert find_model("novel").run == Run(run)
    with pytest.raises(UserError, match="is a text"):
        find_model("./novel")


def test_a_run_that_was_not_trained_says_so() -> None:
    run = put_run(checkpoint=False)
    for text in ("novel", str(run)):
        with pytest.raises(RunError, match="'novel' has no checkpoint yet"):
            find_model(text)


def test_a_checkpoint_that_was_copied_elsewhere_is_of_no_run(tmp_path: Path) -> None:
    file = find_model(str(put_checkpoint(tmp_path / "copied")))
    assert (file.kind, file.name, file.run) == ("minigpt", "copied", None)


def test_a_hugging_face_folder_is_found(tmp_path: Path) -> None:
    folder = put_huggingface(tmp_path / "small-gpt2")
    file = find_model(str(folder))
    assert (file.path, file.kind, file.name, file.run) == (folder, "huggingface", "small-gpt2", None)
    assert read_config(file).d_model == 8
    assert list(read_tokenizer(file).encode("cab")) == [2, 0, 1]


def test_a_snapshot_in_hugging_faces_cache_has_the_models_name(tmp_path: Path) -> None:
    cached = tmp_path / "models--openai--gpt2"
    folder = put_huggingface(cached / "snapshots" / "0123abc")
    assert find_model(str(folder)).name == "openai/gpt2"
    with pytest.raises(UserError, match=r"holds snapshots/0123abc; open .*/snapshots/0123abc$"):
        find_model(str(cached))


def test_nanogpts_checkpoint_is_found_by_its_file_and_its_folder(tmp_path: Path) -> None:
    path = put_nanogpt(tmp_path / "out-letters" / "ckpt.pt")
    put_meta(tmp_path / "data" / "letters" / "meta.pkl")
    for text in (path, path.parent):
        file = find_model(str(text))
        assert (file.path, file.kind, file.name, file.run) == (path, "nanogpt", "out-letters", None)
    assert (read_config(file).position, read_config(file).d_model) == ("learned", 8)
    tokenizer = read_tokenizer(file)
    assert (tokenizer.kind, list(tokenizer.encode("abc"))) == ("char", [1, 2, 0])  # in meta.pkl's order


def test_a_nanogpt_file_may_have_any_name(tmp_path: Path) -> None:
    path = put_nanogpt(tmp_path / "letters.ckpt")
    assert find_model(str(path)).path == path


def test_nanogpts_characters_are_asked_for_where_they_are_missing_or_another_models(tmp_path: Path) -> None:
    file = find_model(str(put_nanogpt(tmp_path / "out" / "ckpt.pt")))
    with pytest.raises(UserError, match=r"3 tokens.*data/letters/meta\.pkl, put it at .*out/meta\.pkl"):
        read_tokenizer(file)
    put_meta(tmp_path / "out" / "meta.pkl", "abcd")
    with pytest.raises(UserError, match=r"4 characters but the model .* 3 tokens; they do not belong together"):
        read_tokenizer(file)


@pytest.mark.parametrize("vocab_size", [50_257, 50_304])
def test_nanogpts_usual_vocabularies_are_gpt2s(
    vocab_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", os.environ.get("TIKTOKEN_CACHE_DIR", str(MERGES)))
    try:
        gpt2 = build_tokenizer("gpt2", alphabet="", pieces=tuple)
    except TokenizerError as error:
        pytest.skip(str(error))
    file = find_model(str(put_nanogpt(tmp_path / "out" / "ckpt.pt", vocab_size)))
    assert read_tokenizer(file).fingerprint == gpt2.fingerprint
    assert read_config(file).vocab_size == vocab_size


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    put_huggingface(tmp_path / "model")
    assert find_model("~/model").kind == "huggingface"


@pytest.mark.skipif(os.name == "nt", reason="quotes and backslashes mean something else there")
def test_a_model_may_be_an_address_or_what_a_shell_would_quote(tmp_path: Path) -> None:
    folder = tmp_path / "it's \N{NO-BREAK SPACE}mine"
    put_huggingface(folder)
    quoted = shlex.quote(str(folder))
    escaped = "".join(f"\\{letter}" if letter in " '" else letter for letter in str(folder))
    for text in (folder.as_uri(), f"FILE://localhost{folder.as_uri()[7:]}", quoted, f" {escaped} ", f'"{folder}"'):
        assert find_model(text).path == folder, text
    run = put_run()
    assert find_run(run.as_uri()).path == find_run(f"'{run}'").path == find_model(run.as_uri()).path.parent.parent


# ----------------------------------------------------------------------------------------------------------- refusals


def refused(text: object) -> str:
    with pytest.raises(UserError) as refusal:
        find_model(str(text))
    message = str(refusal.value)
    assert "\n" not in message
    assert "\x1b" not in message
    return message


def test_a_word_that_is_nothing_lists_the_runs() -> None:
    assert refused("my poems") == "there is neither a run nor a file called 'my poems'; the runs are: none yet"
    put_run()
    assert refused("my poems") == "there is neither a run nor a file called 'my poems'; the runs are: novel"


@pytest.mark.parametrize("text", ["/no/such/model", "./model", "a/b/gpt2", "~/no/such/model"])
def test_a_path_that_is_nothing_says_so(text: str) -> None:
    assert refused(text) == f"there is no {Path(text).expanduser().absolute()}; check the path"


def test_a_name_of_the_hub_says_how_it_is_fetched() -> None:
    said = refused("roneneldan/TinyStories-33M")
    assert said.endswith("fetch it first: hf download roneneldan/TinyStories-33M --local-dir TinyStories-33M")
    assert refused("gpt2").endswith("the runs are: none yet; a model of the Hugging Face Hub is fetched first: hf "
                                    "download gpt2 --local-dir gpt2")  # fmt: skip


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://huggingface.co/openai-community/gpt2", "openai-community/gpt2"),
        ("huggingface.co/openai-community/gpt2/", "openai-community/gpt2"),
        ("http://www.hf.co/openai-community/gpt2/tree/main?x=1", "openai-community/gpt2"),
        ("https://huggingface.co/gpt2/resolve/main/config.json", "gpt2"),
        ("hf://openai-community/gpt2", "openai-community/gpt2"),
    ],
)
def test_an_address_of_the_hub_says_how_the_model_is_fetched(address: str, name: str) -> None:
    assert refused(address).endswith(f"fetch it first: hf download {name} --local-dir gpt2")


def test_any_other_address_is_named_as_one() -> None:
    assert "only models on this machine are opened" in refused("https://example.org/model.safetensors")


def test_an_adapter_beside_a_model_is_not_ignored_in_silence(tmp_path: Path) -> None:
    folder = put_huggingface(tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    assert "holds an adapter beside the model" in refused(folder)


@pytest.mark.parametrize("text", ["x" * 5000, "/" + "y" * 300 + "/model", "~nobody-has-this-name/model", "a\0b"])
def test_a_path_that_cannot_be_looked_at_is_one_sentence(text: str) -> None:
    assert refused(text)


def safetensors() -> bytes:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return len(header).to_bytes(8, "little") + header + b"\0" * 4


def zipped(name: str, content: str = "x") -> bytes:
    path = Path("made.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("novel.txt", "Once upon a time", "is a text, not a model; to train on it: minigpt-tui train "),
        ("notes", "Grüße 🙂 " * 1000, "is a text, not a model"),
        ("utf16.txt", "Once".encode("utf-16"), "is a text, not a model"),
        ("notes.pt", "not weights", "is a text, not a model"),
        ("llama.gguf", b"GGUF\x03\0\0\0" + b"\0" * 100, "is a GGUF file, which llama.cpp runs"),
        ("model.safetensors", safetensors(), "holds weights alone; open its folder "),
        ("weights", safetensors(), "holds weights alone; open its folder "),
        # a header of 128 bytes begins as a pickle does
        ("weights", struct.pack("<Q", 128) + b"{}".ljust(200), "holds weights alone; open its folder "),
        ("model.safetensors", struct.pack("<Q", 2**63) + b"{", "holds weights alone; open its folder "),
        ("pytorch_model.bin", lambda: zipped("pytorch_model/data.pkl"), "holds weights as a pickle"),
        (
            "stories15M.bin",
            struct.pack("<7i", 288, 768, 6, 6, 6, 32000, 256) + b"\0\1\2\x99" * 99,
            "holds raw numbers in a format of its own, as llama2.c and llm.c write them",
        ),
        ("gpt2_124M.bin", struct.pack("<3i", 20240326, 3, 1024) + bytes(2000), "holds raw numbers"),
        ("legacy.bin", pickle.dumps({"a": 1}), "holds weights as a pickle"),
        ("lit_model.pth", lambda: zipped("lit_model/data.pkl"), "is a checkpoint of litgpt's"),
        ("model_000100.pt", b"\x00\x01\xff", "is a checkpoint of nanochat's"),
        ("model.pth", pickle.dumps({"a": 1}), "holds weights as a pickle"),
        ("legacy.pt", pickle.dumps({"a": 1}), "as torch wrote it before version 1.6"),
        ("meta.pkl", pickle.dumps({"a": 1}), "open the ckpt.pt that learned from them"),
        ("letter.docx", lambda: zipped("word/document.xml"), "that torch did not save; it holds word/document.xml"),
        ("model.zip", lambda: zipped("model/config.json"), "that torch did not save; it holds model/config.json"),
        ("cut.pt", lambda: zipped("cut/data.pkl")[:-30], "is a damaged or incomplete archive"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture"),
        ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "is a picture"),
        ("photo.webp", b"RIFF\0\0\0\0WEBPVP8 ", "is a picture"),
        ("paper.pdf", b"%PDF-1.7\n", "is a PDF"),
        ("model.tar.gz", b"\x1f\x8b\x08\0", "is a packed archive"),
        ("model.tar", b"config.json" + b"\0" * 246 + b"ustar\0" + b"\0" * 200, "is a packed archive"),
        ("config.json", "{}", "is one part of a model; open its folder "),
        ("tokenizer.json", "{}", "is one part of a model; open its folder "),
        ("nothing.pt", b"", "is empty"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n\0\xff", "holds the weights in a format of TensorFlow"),
        ("noise", bytes(range(1, 256)) * 20, "is no model of a kind known here"),
        ("ckpt.pt", bytes(range(1, 256)) * 20, "is no model of a kind known here"),
    ],
)
def test_a_file_that_is_no_model_is_refused_by_what_it_is(name: str, content: Any, says: str) -> None:
    content = content() if callable(content) else content
    path = Path(name).absolute()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    message = refused(name)
    assert message.startswith(str(path))
    assert says in message


def test_the_command_that_trains_on_a_text_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my novel.txt"
    path.write_text("Once")
    assert shlex.split(refused(path).partition("to train on it: ")[2]) == ["minigpt-tui", "train", str(path)]


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "is an empty folder"),
        (["model_index.json", "unet/config.json"], "is a pipeline of diffusers"),
        (["adapter_config.json", "adapter_model.safetensors"], "is an adapter without the model that it changes"),
        (["config.json", "pytorch_model.bin"], "holds weights as a pickle"),
        (["config.json", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"], "weights as a pickle"),
        (["config.json", "pytorch_model.safetensors"], "holds the weights under the name pytorch_model.safetensors"),
        (["lit_model.pth", "config.json", "model_config.yaml", "notes.json"], "is a checkpoint of litgpt's"),
        (["model_000100.pt", "meta_000100.json"], "is a checkpoint of nanochat's"),
        (["config.json", "tf_model.h5"], "holds the weights in a format of TensorFlow (tf_model.h5)"),
        (["config.json", "model.onnx"], "holds the weights in a format of ONNX (model.onnx)"),
        (["checkpoint", "hparams.json", "model.ckpt.index"], "in a format of TensorFlow (model.ckpt.index)"),
        (["config.json", "global_step1"], "has a config.json but no model.safetensors; it holds config.json, glob"),
        (["consolidated.00.pth", "params.json", "tokenizer.model"], "is a model of Meta's in its own format"),
        (["book.index", "book.txt"], "to train on text in it: minigpt-tui train "),
        (["model.safetensors", "tokenizer.json"], "holds weights without the config.json"),
        (["model-q8_0.gguf", "README.md"], "holds a GGUF file"),
        (["best/minigpt.json", "last/minigpt.json"], "is no model itself but holds best, last; open "),
        (["chapter-1.txt", "chapter-2.txt"], "to train on text in it: minigpt-tui train "),
        ([f"picture-{i}.png" for i in range(9)], "picture-3.png, picture-4.png and 4 more; choose a model's folder"),
        (["a\x1b[31mb"], "holds no model but a?[31mb"),
    ],
)  # fmt: skip
def test_a_folder_without_a_model_is_refused_by_what_it_holds(entries: list[str], says: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for entry in entries:
        (folder / entry).parent.mkdir(exist_ok=True)
        (folder / entry).write_text("{}")
    message = refused(folder)
    assert message.startswith(str(folder))
    assert says in message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"model_type": "gpt_neo"}, "or run this one with transformers"),
        ({"model_type": None}, "says no model_type; the types known here are gpt2, openai-gpt"),
        ({"n_embd": -8}, "-8"),
        ({"n_layer": 2**62}, "n_layer"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
    ],
)
def test_a_foreign_config_that_cannot_be_computed_is_refused_by_its_option(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    assert says in refused(put_huggingface(tmp_path / "model", **changes))


@pytest.mark.parametrize("content", ["{", '{"model": {"d_model": -8}}', '{"model": 7}', "[]", "x" * (1 << 25)])
def test_a_description_of_ours_that_is_damaged_is_refused(content: str, tmp_path: Path) -> None:
    folder = put_checkpoint(tmp_path / "model")
    (folder / "minigpt.json").write_text(content)
    with pytest.raises(UserError, match=r"minigpt\.json"):
        read_config(find_model(str(folder)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_folder_of_raw_numbers_is_named_and_a_pipe_in_it_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.bin")
    (tmp_path / "stories15M.bin").write_bytes(struct.pack("<7i", 288, 768, 6, 6, 6, 32000, 256) + b"\0\1\2\x99" * 99)
    assert "holds raw numbers in a format of its own, as llama2.c" in refused(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"model": {}, "model_args": {"dim": 4, "n_layers": 1, "n_heads": 1}}, "is a checkpoint of llama2.c's; make a"),
        ({"transformer.wte.weight": 1}, "(it has no model_args); its keys are transformer.wte.weight; make a Hugging"),
    ],
)
def test_a_checkpoint_of_another_program_is_named(content: dict[str, Any], says: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "ckpt.pt")
    assert says in refused(tmp_path / "ckpt.pt")


class Hostile:
    """Would run a command when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.proof}",)


def test_code_in_a_checkpoint_or_its_characters_is_refused_and_does_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    hostile = tmp_path / "hostile" / "ckpt.pt"
    hostile.parent.mkdir()
    torch.save({"model_args": {}, "model": Hostile(proof)}, hostile)
    sound = put_nanogpt(tmp_path / "sound" / "ckpt.pt")
    (sound.parent / "meta.pkl").write_bytes(pickle.dumps({"itos": {}, "stoi": Hostile(proof)}))
    before = sorted(tmp_path.rglob("*"))
    assert "would call " in refused(hostile)
    assert "would call " in refused(hostile.parent)
    with pytest.raises(UserError, match=r"meta\.pkl has a pickle that would call (posix|nt)\.system"):
        read_tokenizer(find_model(str(sound)))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a file nor a folder" in refused(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_the_files_of_a_tokenizer_are_plain_and_in_their_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for others")
    leaking = put_huggingface(tmp_path / "leaking")
    (leaking / "chat_template.jinja").symlink_to(secret)
    with pytest.raises(UserError, match=r"chat_template\.jinja is a link that leaves its folder"):
        read_tokenizer(find_model(str(leaking)))
    waiting = put_huggingface(tmp_path / "waiting")
    (waiting / "tokenizer_config.json").unlink()
    os.mkfifo(waiting / "tokenizer_config.json")
    with pytest.raises(UserError, match=r"tokenizer_config\.json is no plain file"):
        read_tokenizer(find_model(str(waiting)))


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="permissions do not bind this user")
def test_what_may_not_be_read_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    assert "cannot be read (Permission denied)" in refused(tmp_path / "secret")


def test_finding_and_reading_needs_no_torch(tmp_path: Path) -> None:
    models = [put_checkpoint(tmp_path / "ours"), put_huggingface(tmp_path / "theirs")]
    models.append(put_nanogpt(tmp_path / "out" / "ckpt.pt"))
    put_meta(tmp_path / "out" / "meta.pkl")
    program = (
        "import sys; from minigpt_tui.engine.model_files import *; from minigpt_tui.engine import model_files as m\n"
        f"for path in {list(map(str, models))!r}: f = m.find_model(path); m.read_config(f); m.read_tokenizer(f)\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_the_checkpoint_of_a_run_is_found_by_the_digest_of_its_weights() -> None:
    run = Run(put_run())
    assert checkpoint_with(run, "") is None
    for step, name in enumerate(("best", "step-9"), 2):
        (run.checkpoints / name).mkdir()
        save_checkpoint(
            GPT(CONFIG), run.checkpoints / name, tokenizer=CharTokenizer("abc"), step=step, validation_loss=None
        )
    (put_checkpoint(run.checkpoints / "step-3") / "minigpt.json").write_text("damaged")
    for name in ("last", "best", "step-9"):
        folder = run.checkpoints / name
        assert checkpoint_with(run, weights_digest(folder / "model.safetensors")) == folder
    assert checkpoint_with(run, "0" * 64) is None
    assert checkpoint_with(Run(run.path / "nowhere"), "0" * 64) is None
