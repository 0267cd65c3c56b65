"""llama.cpp and transformers compute from an export what we do, with the same tokens; nothing is left half written."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from minigpt_tui.data.tokenizers import CharTokenizer, Tokenizer, TokenizerError, build_tokenizer, load_tokenizer
from minigpt_tui.engine.events import ExportResult
from minigpt_tui.engine.export.nearest import nearest_preset
from minigpt_tui.engine.export.process import USER_ERROR, main
from minigpt_tui.engine.export.vocabulary import describe
from minigpt_tui.engine.runs import CorpusRecord, Run, RunManifest, create_run
from minigpt_tui.engine.training import checkpoints
from minigpt_tui.engine.training.checkpoints import Counters
from minigpt_tui.models.config import ModelConfig
from minigpt_tui.models.gguf import write_gguf
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.huggingface import load_checkpoint
from minigpt_tui.models.layouts import places
from minigpt_tui.models.presets import PRESETS
from minigpt_tui.models.recipe import TokenizerKind, TrainingConfig
from minigpt_tui.models.typed_json import loads

gguf = pytest.importorskip("gguf")

TEXT = "The cat's dog said: \"it'll  rain!\"\n\n\tÀ l'été, ça va? 12 ½ 𝛼βγ, 漢字かな 😀🏳️‍🌈 e\u0301 n\u0303\n" * 3
OTHERS = "The Śnieg, è 語 🙃 \u0300end?"  # some of these characters begin with the same bytes as those above
BASE = ModelConfig(context_length=64, n_layer=2, n_head=4, d_model=64)
LLAMA = replace(BASE, qk_norm=False)
GPT2 = replace(BASE, position="learned", norm="layer", norm_eps=1e-5, mlp="gelu_tanh", qk_norm=False)
BLOCKS = {
    "gpt2": GPT2,
    "gpt2-exact-gelu": replace(GPT2, mlp="gelu", bias=True, tied=True, n_kv_head=2),
    "gpt2-sinusoidal": replace(GPT2, position="sinusoidal"),
    "gpt2-attention-only": replace(GPT2, position="none", mlp="none"),
    "llama": replace(LLAMA, n_kv_head=2, bias=True, rope_theta=5000.0),
    "llama-linear": replace(LLAMA, mlp="none", rope_scaling="linear", rope_factor=2.0),
    "llama-llama3": replace(
        LLAMA, head_dim=32, qkv_bias=True, tied=True, rope_scaling="llama3", rope_factor=8.0, rope_original_context=16
    ),
    "qwen2": replace(LLAMA, qkv_bias=True, tied=True, n_kv_head=1),
    "qwen3": replace(BASE, n_kv_head=2, head_dim=32),
    "qwen3-bias-linear": replace(BASE, qkv_bias=True, rope_scaling="linear", rope_factor=2.0),
    "arcee": replace(LLAMA, mlp="relu2", n_kv_head=2),
}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
# llama.cpp reads GELU from a table of half-precision numbers on a CPU
TOLERANCES = {"gpt2": 1e-2, "gpt2-exact-gelu": 1e-2, "gpt2-sinusoidal": 1e-2}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, and one thread: the models are too small for more."""
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def tokenizer_of(kind: TokenizerKind, text: str = TEXT) -> Tokenizer:
    return build_tokenizer(kind, alphabet="".join(sorted(set(text))), pieces=lambda: [text], bpe_vocab_size=330)


def foreign_tokenizer(home: Path, pattern: str, **changes: Any) -> Tokenizer:
    """One as a foreign model brings it: cut by that pattern, with a special token, and one more that is text."""
    from tokenizers import AddedToken, Regex, models, pre_tokenizers, processors, trainers
    from tokenizers import Tokenizer as Backend
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.normalizers import NFC

    backend = Backend(models.BPE(ignore_merges=pattern == "llama-bpe"))
    digits = {"qwen2": "", "llama-bpe": "{1,3}", "dbrx": "{1,3}"}
    regex = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + digits.get(pattern, "")
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )  # fmt: skip
    first = pre_tokenizers.Digits(True) if pattern == "smollm" else pre_tokenizers.Split(Regex(regex), "isolated")
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "smollm")
    backend.pre_tokenizer = pre_tokenizers.Sequence([first, last])  # pyright: ignore
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))  # pyright: ignore
    backend.add_special_tokens(["<|begin|>", "<|eot|>"])
    backend.add_tokens([AddedToken("<think>", normalized=False)])
    backend.decoder = ByteLevelDecoder()  # pyright: ignore
    if pattern == "qwen2":
        backend.normalizer = NFC()  # pyright: ignore
    if pattern == "llama-bpe":
        begin = backend.token_to_id("<|begin|>")
        backend.post_processor = processors.TemplateProcessing(  # pyright: ignore
            single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
        )
    folder = home / "foreign"
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) | changes
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|eot|>"}))
    return load_tokenizer(folder)


def make_run(config: ModelConfig, tokenizer: Tokenizer, name: str = "tiny") -> Run:
    """A run whose best checkpoint has random weights, large enough for logits that lie far apart."""
    model = GPT(replace(config, vocab_size=tokenizer.vocab_size))
    generator = torch.Generator().manual_seed(3)
    for parameter_name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = noise * 0.3 + (1.0 if parameter_name.endswith("norm.weight") else 0.0)
    corpus = CorpusRecord("text", "text", "0" * 64, 1, 1)
    run = create_run(RunManifest(name, time.time(), "tiny", corpus, tokenizer.kind, model.config, TrainingConfig()))
    checkpoints.save(run.checkpoints, "best", model, tokenizer, Counters(step=5), state={"x": torch.zeros(3)})
    return run


def export(capsys: pytest.CaptureFixture[str], run: Run, output: Path, *options: str) -> ExportResult:
    arguments = [str(run.path), "--to", "gguf", "--dtype", "f32", "--output", str(output), *options]
    assert main(arguments) == 0, capsys.readouterr().err
    *progress, last = capsys.readouterr().out.splitlines()
    fractions = [json.loads(line)["progress"] for line in progress]
    assert fractions == sorted(fractions)
    return loads(ExportResult, last)


def continuation(model: GPT, ids: list[int], length: int) -> tuple[list[int], float]:
    """Greedy tokens after `ids`, and by how much the closest decision was made."""
    closest, text = float("inf"), list(ids)
    with torch.inference_mode():
        for _ in range(length):
            first, second = model(torch.tensor([text]))[0, -1].topk(2).values.tolist()
            closest = min(closest, first - second)
            text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    return text[len(ids) :], closest


def open_in_llama_cpp(path: Path, exact: bool = True) -> Any:
    llama_cpp = pytest.importorskip("llama_cpp")
    cache = {"type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32} if exact else {}
    return llama_cpp.Llama(str(path), n_ctx=64, n_threads=1, logits_all=True, verbose=False, **cache)


def their_continuation(llama: Any, ids: list[int], length: int) -> list[int]:
    llama.reset()
    tokens = llama.generate(ids, temp=0.0, repeat_penalty=1.0)
    return [next(tokens) for _ in range(length)]


# ---------------------------------------------------------------------------------------------------------- llama.cpp


@pytest.mark.parametrize("case", BLOCKS)
def test_llama_cpp_computes_the_same(case: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("llama_cpp")
    run = make_run(BLOCKS[case], tokenizer_of("char"))
    result = export(capsys, run, home / "x.gguf")
    assert result.architecture == case.split("-")[0]
    model, tokenizer = load_checkpoint(run.checkpoints / "best").model, load_tokenizer(run.checkpoints / "best")
    llama = open_in_llama_cpp(home / "x.gguf")
    ids = list(tokenizer.encode(TEXT[:40]))
    llama.eval(ids)
    theirs = torch.tensor(llama.scores[: len(ids)])
    with torch.inference_mode():
        ours = model(torch.tensor([ids]))[0]
    tolerance = TOLERANCES.get(case, 1e-4)
    torch.testing.assert_close(theirs[:, :-1], ours, atol=tolerance, rtol=1e-4)
    torch.testing.assert_close(theirs[:, -1], ours.mean(1), atol=tolerance, rtol=1e-4)  # the end that the file added
    expected, margin = continuation(model, ids[:20], 24)
    assert margin > 2 * tolerance, "the model is not decided enough for this test; choose another seed"
    assert their_continuation(llama, ids[:20], 24) == expected


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "gpt2"])
def test_llama_cpp_has_the_same_tokens_and_text(
    kind: TokenizerKind, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp")
    if kind == "gpt2":
        cache = Path(__file__).parents[3] / "shared" / "data" / "tiktoken-cache"
        if not cache.is_dir():
            pytest.skip(f"GPT-2's merges are not in {cache}")
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    run = make_run(BASE, tokenizer_of(kind))
    export(capsys, run, home / "x.gguf")
    model, tokenizer = load_checkpoint(run.checkpoints / "best").model, load_tokenizer(run.checkpoints / "best")
    llama = open_in_llama_cpp(home / "x.gguf")
    for text in (
        TEXT,
        OTHERS,
        " a",
        "a ",
        "\n",
        "\r\n\n  x",
        "it's IT'S 1234567",
        "<|endoftext|><|end|>",
        "\0ÿ",
        "ǅ ª²",
    ):
        known, _ = tokenizer.drop_unknown(text)
        ids = llama.tokenize(text.encode(), add_bos=True, special=False)
        assert ids == list(tokenizer.encode(known)), text
        assert llama.detokenize(ids).decode() == known
    ids = list(tokenizer.encode(TEXT[:30]))
    expected, margin = continuation(model, ids, 24)
    assert margin > 1e-3, "the model is not decided enough for this test; choose another seed"
    assert their_continuation(llama, ids, 24) == expected
    assert llama.token_eos() not in tokenizer.encode(tokenizer.drop_unknown(TEXT + OTHERS)[0])


@pytest.mark.parametrize("pattern", ["qwen2", "llama-bpe", "dbrx", "smollm"])
def test_llama_cpp_cuts_words_like_foreign_tokenizers(pattern: str, home: Path) -> None:
    tokenizer = foreign_tokenizer(home, pattern)
    described = describe(tokenizer, tokenizer.vocab_size + 3)
    assert described.vocabulary.pattern == pattern
    assert described.vocabulary.adds_begin == (pattern == "llama-bpe")
    assert any("NFC" in notice for notice in described.notices) == (pattern == "qwen2")
    pytest.importorskip("llama_cpp")
    model = GPT(replace(BASE, n_layer=1, vocab_size=tokenizer.vocab_size + 3))
    weights = dict(model.named_parameters())
    write_gguf(home / "x.gguf", model.config, weights, described.vocabulary, name="foreign", dtype="f16")
    llama = open_in_llama_cpp(home / "x.gguf")
    for text in (
        TEXT.replace("e\u0301", "é").replace("n\u0303", "ñ"),
        "it's IT'S 1234567",
        "a<think>b<|eot|>c",
        "\r\n\n  x",
    ):
        ids = llama.tokenize(text.encode(), add_bos=True, special=False)
        assert ids == [*tokenizer.begin, *tokenizer.encode(text)], text


@pytest.mark.parametrize("dtype", ["f16", "bf16", "q8_0"])
@pytest.mark.parametrize("case", ["gpt2", "llama", "qwen3"])
def test_llama_cpp_generates_from_smaller_types(
    dtype: str, case: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llama_cpp")
    run = make_run(BLOCKS[case], tokenizer_of("byte"))
    whole = export(capsys, run, home / "f32.gguf")
    small = export(capsys, run, home / "x.gguf", "--dtype", dtype)
    assert small.dtype == dtype
    assert small.bytes == (home / "x.gguf").stat().st_size < 0.75 * whole.bytes
    llama = open_in_llama_cpp(home / "x.gguf", exact=False)
    ids = list(TEXT.encode()[:30])
    llama.eval(ids)
    theirs = torch.tensor(llama.scores[: len(ids)])
    with torch.inference_mode():
        ours = load_checkpoint(run.checkpoints / "best").model(torch.tensor([ids]))[0]
    assert (theirs - ours).abs().mean() < 0.1 * ours.std()
    assert len(their_continuation(llama, ids, 20)) == 20


def test_llama_cpp_survives_more_text_than_there_are_learned_positions(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, for without the longer table llama.cpp aborts."""
    pytest.importorskip("llama_cpp")
    run = make_run(replace(GPT2, context_length=24), tokenizer_of("char"))
    result = export(capsys, run, home / "x.gguf")
    assert any("24 learned positions" in notice for notice in result.notices)
    program = """
import sys, llama_cpp
llama = llama_cpp.Llama(sys.argv[1], n_ctx=0, n_threads=1, verbose=False)
reply = llama.create_completion("The cat", max_tokens=60, temperature=0)
print(reply["usage"]["completion_tokens"], llama.n_ctx())
"""
    command = [sys.executable, "-c", program, str(home / "x.gguf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == "60 256\n", done.stderr[-500:]


# --------------------------------------------------------------------------------------------------------- vocabulary


def test_characters_are_put_together_from_their_bytes() -> None:
    vocabulary = describe(CharTokenizer("\n aé漢字"), 6).vocabulary
    assert vocabulary.tokens == ["Ċ", "Ġ", "a", "Ã©", "æ¼¢", "åŃĹ", "<|end|>"]
    assert vocabulary.types == [1, 1, 1, 1, 1, 1, 3]
    assert vocabulary.merges == ["Ã ©", "å Ń", "æ ¼", "åŃ Ĺ", "æ¼ ¢"]
    assert (vocabulary.begin, vocabulary.end, vocabulary.suppressed) == (0, 6, [6])


def test_the_token_for_unknown_characters_is_marked_and_its_loss_told() -> None:
    described = describe(CharTokenizer("ab", "token"), 3)
    assert described.vocabulary.tokens == ["a", "b", "<unk>", "<|end|>"]
    assert (described.vocabulary.types, described.vocabulary.unknown) == ([1, 1, 2, 3], 2)
    assert any("not in the alphabet" in notice for notice in described.notices)


def test_bytes_end_at_one_that_is_in_no_text_and_need_no_other() -> None:
    vocabulary = describe(tokenizer_of("byte"), 256).vocabulary
    assert len(vocabulary.tokens) == len(set(vocabulary.tokens)) == 256
    assert (vocabulary.begin, vocabulary.end, vocabulary.suppressed) == (10, 255, [255])


def test_byte_pairs_keep_their_merges_and_their_own_end() -> None:
    tokenizer = tokenizer_of("bpe")
    vocabulary = describe(tokenizer, tokenizer.vocab_size + 5).vocabulary
    end = tokenizer.special_tokens["<|endoftext|>"]
    assert (vocabulary.pattern, vocabulary.end, vocabulary.types[end]) == ("gpt-2", end, 3)
    assert len(vocabulary.merges) == tokenizer.vocab_size - 256 - 1
    assert set("".join(vocabulary.merges[0].split(" "))) <= set("".join(vocabulary.tokens[:-5]))
    assert vocabulary.types[-5:] == [5] * 5
    assert vocabulary.suppressed == [*range(tokenizer.vocab_size, tokenizer.vocab_size + 5)]
    assert len(set(vocabulary.tokens)) == len(vocabulary.tokens)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "rewrites a text"),
        ({"pre_tokenizer": BYTES | {"add_prefix_space": True}}, "the pattern"),
        ({"pre_tokenizer": BYTES | {"use_regex": False}}, "the pattern"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "only byte-level BPE"),
        ({"pre_tokenizer": None}, "only byte-level BPE"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0},
                    "unk_token": "a"}, "added_tokens": []}, "only byte-level BPE"),
    ],
)  # fmt: skip
def test_a_tokenizer_that_llama_cpp_does_not_have_is_refused(changes: dict[str, Any], words: str, home: Path) -> None:
    tokenizer = foreign_tokenizer(home, "qwen2", **changes)
    with pytest.raises(TokenizerError, match=words):
        describe(tokenizer, tokenizer.vocab_size)


# ------------------------------------------------------------------------------------------------------- the command


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments]) == USER_ERROR
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    return output.err


def test_a_block_without_counterpart_names_a_preset_that_has_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(replace(GPT2, norm_position="post", mlp="relu"), tokenizer_of("byte"))
    sentence = refused(capsys, str(run.path), "--to", "gguf", "--output", str(home / "x.gguf"), "--name", "mine")
    assert "'mine' cannot become a GGUF file: llama.cpp has no block with norms after the residual sum" in sentence
    assert "norm_position pre" in sentence
    assert any(sentence.endswith(f"is {name}\n") for name in PRESETS)
    run = make_run(replace(GPT2, norm_position="post", mlp="gelu"), tokenizer_of("byte"), "other")
    sentence = refused(capsys, str(run.path), "--to", "huggingface", "--output", str(home / "folder"))
    assert "transformers has no model with this block; it could with norm_position pre" in sentence
    assert not (home / "x.gguf").exists()
    assert not (home / "folder").exists()


def test_the_nearest_preset_has_the_most_options_in_common() -> None:
    nearest = nearest_preset(replace(PRESETS["gpt2"].model, vocab_size=65, mlp="relu"), lambda c: c.mlp != "relu")
    assert PRESETS[nearest.preset].model.position == "learned"
    assert nearest.changes.startswith("mlp gelu")
    large = replace(PRESETS["modern-124m"].model, vocab_size=65, qk_norm=False, n_layer=11)
    assert nearest_preset(large, lambda c: c.qk_norm).preset == "modern-124m"


def test_the_nearest_preset_keeps_the_mlp_and_leaves_the_sizes_alone() -> None:
    lecture = nearest_preset(replace(PRESETS["tiny-shakespeare"].model, vocab_size=65), lambda c: c.mlp != "relu")
    assert PRESETS[lecture.preset].model.mlp != "none"
    assert lecture.changes.startswith("mlp gelu")
    first_gpt = replace(GPT2, n_head=3, d_model=48, norm_position="post", bias=True)
    nearest = nearest_preset(first_gpt, lambda c: c.norm_position == "pre")
    assert nearest.changes == "norm_position pre"


def test_an_existing_file_is_replaced_only_when_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = make_run(BASE, tokenizer_of("byte")), home / "x.gguf"
    path.write_text("precious")
    assert "--force" in refused(capsys, str(run.path), "--to", "gguf", "--output", str(path))
    assert path.read_text() == "precious"
    assert export(capsys, run, path, "--force").bytes == path.stat().st_size
    for place, words in ((home, "is a folder"), (home / "nowhere" / "x.gguf", "no folder")):
        assert words in refused(capsys, str(run.path), "--to", "gguf", "--output", str(place), "--force")


def test_a_damaged_checkpoint_leaves_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(BASE, tokenizer_of("byte"))
    weights = run.checkpoints / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    (home / "out").mkdir()
    assert "damaged" in refused(capsys, str(run.path), "--to", "gguf", "--output", str(home / "out" / "x.gguf"))
    assert not any((home / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX's")
@pytest.mark.parametrize("target", ["gguf", "huggingface"])
def test_a_full_disk_leaves_nothing(target: str, home: Path) -> None:
    run = make_run(BASE, tokenizer_of("byte"))
    (home / "out").mkdir()
    program = f"""
import resource, sys
from minigpt_tui.engine.export.process import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main([{str(run.path)!r}, "--to", {target!r}, "--output", {str(home / "out" / "x")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == USER_ERROR, done.stderr
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not any((home / "out").iterdir())


def test_a_hugging_face_folder_is_the_checkpoint_without_the_training(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    run, output = make_run(BASE, tokenizer_of("char")), home / "folder"
    assert main([str(run.path), "--to", "huggingface", "--output", str(output)]) == 0
    result = loads(ExportResult, capsys.readouterr().out.splitlines()[-1])
    assert (result.path, result.architecture) == (str(output), "qwen3")
    best = run.checkpoints / "best"
    assert {path.name for path in best.iterdir()} - {path.name for path in output.iterdir()} == {"state.safetensors"}
    assert result.bytes == sum(path.stat().st_size for path in output.iterdir())
    assert "is there already" in refused(capsys, str(run.path), "--to", "huggingface", "--output", str(output))
    (output / "notes.txt").symlink_to(run.path / "run.json")
    sentence = refused(capsys, str(output), "--to", "huggingface", "--output", str(home / "copy"))
    assert "notes.txt is a link that leaves its folder" in sentence
    assert [path.name for path in home.iterdir() if "copy" in path.name] == []
    (output / "notes.txt").unlink()
    model = transformers.AutoModelForCausalLM.from_pretrained(output)
    ids = transformers.AutoTokenizer.from_pretrained(output)(TEXT[:20], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, load_checkpoint(best).model(ids), atol=1e-4, rtol=1e-4)


def test_a_checkpoint_of_nanogpt_goes_both_ways(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n abcdefghij"
    model = GPT(replace(GPT2, vocab_size=len(text), context_length=16, n_layer=1, tied=True, mlp="gelu"))
    weights = dict(model.named_parameters())
    shapes = {name: weight.shape for name, weight in weights.items()}
    state = {
        name: place.of(weights[place.parameter]) for name, place in places(model.config, shapes, "nanogpt").items()
    }
    sizes = {"n_layer": 1, "n_head": 4, "n_embd": 64, "block_size": 16, "bias": False, "vocab_size": len(text)}
    state["lm_head.weight"] = state["transformer.wte.weight"]
    torch.save({"model": state, "model_args": sizes | {"dropout": 0.0}, "config": {}, "iter_num": 7}, home / "ckpt.pt")
    letters = {"vocab_size": len(text), "itos": dict(enumerate(text)), "stoi": {c: n for n, c in enumerate(text)}}
    (home / "meta.pkl").write_bytes(pickle.dumps(letters))
    assert main([str(home / "ckpt.pt"), "--to", "gguf", "--output", str(home / "x.gguf"), "--dtype", "f32"]) == 0
    assert loads(ExportResult, capsys.readouterr().out.splitlines()[-1]).architecture == "gpt2"
    assert main([str(home / "ckpt.pt"), "--to", "huggingface", "--output", str(home / "folder")]) == 0
    assert loads(ExportResult, capsys.readouterr().out.splitlines()[-1]).architecture == "gpt2"
    again = load_checkpoint(home / "folder").model
    assert all(torch.equal(weight, weights[name]) for name, weight in again.named_parameters())
    assert load_tokenizer(home / "folder").decode(range(len(text))) == text
