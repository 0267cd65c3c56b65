import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from minigpt_tui.data.tokenizers import BpeTokenizer, ForeignTokenizer, TokenizerError, load_tokenizer
from minigpt_tui.data.tokenizers.foreign_files import QWEN_PATTERN
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Pipeline

from .conftest import nasty_text

LLAMA3_PATTERN = QWEN_PATTERN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)
BYTES = pre_tokenizers.ByteLevel.alphabet()
CORPUS = re.sub("<.?s>|<unk>|.UNK.|[ĠĊ▁]", "", nasty_text(7, 6000))  # nothing special is learned as text


def byte_level(split: Any, specials: list[str], normalizer: Any = None, ignore_merges: bool = False) -> Pipeline:
    """Byte-level BPE whose special tokens come after all others, as published ones have them."""
    pipeline = Pipeline(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        pipeline.normalizer = normalizer
    pipeline.pre_tokenizer = split
    pipeline.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=BYTES, show_progress=False)
    pipeline.train_from_iterator([CORPUS], trainer)
    pipeline.add_special_tokens(specials)
    return pipeline


def pattern(regex: str) -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def llama3() -> Pipeline:
    pipeline = byte_level(pattern(LLAMA3_PATTERN), ["<|begin_of_text|>", "<|end_of_text|>"], ignore_merges=True)
    first = ("<|begin_of_text|>", pipeline.get_vocab()["<|begin_of_text|>"])
    template = processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[first])
    pipeline.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return pipeline


def qwen() -> Pipeline:
    pipeline = byte_level(pattern(QWEN_PATTERN), ["<|endoftext|>", "<|im_end|>"], normalizers.NFC())
    pipeline.post_processor = processors.ByteLevel(trim_offsets=False)
    return pipeline


def smollm() -> Pipeline:
    digits = pre_tokenizers.Digits(individual_digits=True)
    split = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return byte_level(split, ["<|endoftext|>"])


def roberta() -> Pipeline:
    pipeline = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), ["<s>", "</s>"])
    ids = pipeline.get_vocab()
    pipeline.post_processor = processors.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]))
    return pipeline


def sentencepiece(normalizer: Any, pre_tokenizer: Any) -> Pipeline:
    """BPE over characters with ▁ for a space and a token for each byte, as Llama 2 has it."""
    pipeline = Pipeline(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    pipeline.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    specials = ["<unk>", "<s>", "</s>"]
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=specials + names, show_progress=False, limit_alphabet=80
    )
    pipeline.train_from_iterator([CORPUS.replace("\n", " ")], trainer)
    content = json.loads(pipeline.to_str())
    content["added_tokens"] = content["added_tokens"][:3]  # the bytes are in the vocabulary alone
    pipeline = Pipeline.from_str(json.dumps(content))
    pipeline.normalizer, pipeline.pre_tokenizer = normalizer, pre_tokenizer
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    pipeline.decoder = decoders.Sequence(steps)
    pipeline.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return pipeline


def llama2() -> Pipeline:
    return sentencepiece(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None)


def mistral() -> Pipeline:
    return sentencepiece(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False))


def gemma() -> Pipeline:
    return sentencepiece(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"))


def openai_gpt() -> Pipeline:
    pipeline = Pipeline(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=True)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.decoder = decoders.BPEDecoder("</w>")
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    pipeline.train_from_iterator([CORPUS], trainer)
    return pipeline


def word_level() -> Pipeline:
    pipeline = Pipeline(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    pipeline.pre_tokenizer = pre_tokenizers.Whitespace()
    pipeline.train_from_iterator([CORPUS], trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False))
    return pipeline


def unigram() -> Pipeline:
    pipeline = Pipeline(models.Unigram())
    pipeline.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    pipeline.pre_tokenizer = pre_tokenizers.Metaspace()
    pipeline.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    pipeline.train_from_iterator([CORPUS], trainer)
    pipeline.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return pipeline


def word_piece() -> Pipeline:
    pipeline = Pipeline(models.WordPiece(unk_token="[UNK]"))
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=True)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=800, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    pipeline.train_from_iterator([CORPUS], trainer)
    pipeline.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return pipeline


LOSSLESS = [llama3, smollm, llama2, mistral, gemma]  # what went in comes out, but for a space at the start
FAMILIES = [*LOSSLESS, qwen, roberta, openai_gpt, word_level, unigram, word_piece]
BEGINS = {llama3: "<|begin_of_text|>", llama2: "<s>", mistral: "<s>", gemma: "<s>", roberta: "<s>", word_piece: "[CLS]"}
NEVER_CUT = [llama2]  # each text gets a ▁ before it, also one that begins with a space
SETTINGS = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Pipeline]], Path]:
    root = tmp_path_factory.mktemp("foreign")

    def make(family: Callable[[], Pipeline]) -> Path:
        folder = root / family.__name__
        if not folder.exists():
            folder.mkdir()
            family().save(str(folder / "tokenizer.json"))
            (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS))
        return folder

    return make


Folders = Callable[[Callable[[], Pipeline]], Path]


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_and_text_are_those_of_transformers(family: Callable[[], Pipeline], folders: Folders) -> None:
    folder, text = folders(family), nasty_text(8, 4000)
    tokenizer, auto = load_tokenizer(folder), transformers.AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, ForeignTokenizer)
    assert tokenizer.kind == "huggingface"
    assert tokenizer.vocab_size == len(auto)
    for literal in (True, False):
        ids = tokenizer.encode(text, literal).tolist()
        assert ids == auto(text, add_special_tokens=False, split_special_tokens=literal)["input_ids"]
        assert tokenizer.decode(ids) == auto.decode(ids, skip_special_tokens=True)
    assert [*map(auto.convert_ids_to_tokens, tokenizer.begin)] == [BEGINS[family] for _ in [0] if family in BEGINS]
    with_begin = auto("some words")["input_ids"]
    assert with_begin[: len(tokenizer.begin)] == [*tokenizer.begin]
    for start in range(40):
        words = nasty_text(start, 12)
        assert tokenizer.encode(words).tolist() == auto(words, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bytes_of_tokens_make_the_text(family: Callable[[], Pipeline], folders: Folders) -> None:
    tokenizer = load_tokenizer(folders(family))
    for seed in range(20):
        text = nasty_text(seed, 30).replace("▁", "")
        ids = tokenizer.encode(text, literal=True)
        streamed = b"".join(map(tokenizer.token_bytes, ids)).decode("utf-8", "replace")
        assert streamed.strip(" ") == tokenizer.decode(ids).strip(" ")
        if family in LOSSLESS:
            assert streamed.removeprefix(" ") == text.removeprefix(" ")
    for token in tokenizer.special_tokens.values():
        assert tokenizer.token_bytes(token) == b""
    with pytest.raises(TokenizerError, match="ids from 0 to"):
        tokenizer.token_bytes(tokenizer.vocab_size)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_may_be_cut_where_the_tokenizer_says(family: Callable[[], Pipeline], folders: Folders) -> None:
    tokenizer = load_tokenizer(folders(family))
    assert bool(tokenizer.safe_cut("some words here")) == (family not in NEVER_CUT)
    for seed in range(30):
        text = nasty_text(seed, 40)
        for literal in (True, False):
            whole, end = tokenizer.encode(text, literal), len(text)
            while end := tokenizer.safe_cut(text[:end]):
                assert tokenizer.encode(text[:end], literal) + tokenizer.encode(text[end:], literal) == whole


@pytest.mark.parametrize("family", [llama3, qwen, smollm, roberta, llama2, mistral, gemma])
def test_special_tokens_in_a_literal_text_are_text(family: Callable[[], Pipeline], folders: Folders) -> None:
    tokenizer = load_tokenizer(folders(family))
    special = {token for name, token in tokenizer.special_tokens.items() if name != "<unk>"}
    text = " a".join(tokenizer.special_tokens)
    assert special
    assert special.isdisjoint(tokenizer.encode(text, literal=True))
    assert special.issubset(tokenizer.encode(text))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_line_is_a_token_unless_the_tokenizer_passes_over_it(
    family: Callable[[], Pipeline], folders: Folders
) -> None:
    tokenizer = load_tokenizer(folders(family))
    ids = tokenizer.encode("\n")
    if tokenizer.new_line is None:
        assert not ids or ids[0] in tokenizer.special_tokens.values()
    else:
        assert ids[0] == tokenizer.new_line
    assert family is not openai_gpt or tokenizer.new_line is None


@pytest.mark.parametrize("family", [llama3, qwen, llama2, openai_gpt])
def test_files_are_saved_as_they_were(family: Callable[[], Pipeline], folders: Folders, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folders(family))
    tokenizer.save(tmp_path)
    for file in folders(family).iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert load_tokenizer(tmp_path).fingerprint == tokenizer.fingerprint


def test_fingerprints_tell_tokenizers_apart(folders: Folders) -> None:
    assert len({load_tokenizer(folders(family)).fingerprint for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize("unit", ["a", " ", "\n", "汉字中文", "12345", "👩‍👩‍👧"])
@pytest.mark.parametrize("family", [llama3, qwen])
def test_very_long_runs_neither_crash_nor_linger(family: Callable[[], Pipeline], folders: Folders, unit: str) -> None:
    tokenizer, text = load_tokenizer(folders(family)), "x" + unit * (200_000 // len(unit)) + "x"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_model_says_where_a_reply_ends(folders: Folders, tmp_path: Path) -> None:
    content = (folders(qwen) / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(content)
    named = {token["content"]: token["id"] for token in json.loads(content)["added_tokens"]}

    def ends(**files: Any) -> frozenset[int]:
        for name, settings in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(settings))
        return load_tokenizer(tmp_path).end_tokens

    assert ends() == frozenset()
    assert ends(tokenizer_config={"eos_token": {"content": "<|im_end|>", "special": True}}) == {named["<|im_end|>"]}
    assert ends(tokenizer_config={"eos_token": "<|endoftext|>"}) == {named["<|endoftext|>"]}
    assert ends(config={"eos_token_id": None}) == {named["<|endoftext|>"]}
    assert ends(config={"eos_token_id": 5}) == {5}
    assert ends(generation_config={"eos_token_id": [7, 8]}) == {7, 8}
    for wrong in ("x", [1, "2"], -1, True, 1.5, {"a": 1}):
        with pytest.raises(TokenizerError, match=r"eos_token_id is .* which is no token"):
            ends(generation_config={"eos_token_id": wrong})


@pytest.mark.parametrize("settings", [{"add_bos_token": True}, {"add_bos_token": False}, {}])
def test_the_settings_of_older_files_may_add_a_first_token(
    settings: dict[str, Any], folders: Folders, tmp_path: Path
) -> None:
    in_two_files(
        folders(smollm),
        tmp_path,
        SETTINGS | {"bos_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer"} | settings,
    )
    tokenizer, auto = load_tokenizer(tmp_path), transformers.GPT2Tokenizer.from_pretrained(tmp_path)
    assert [*tokenizer.begin, *tokenizer.encode("a b")] == auto("a b")["input_ids"]
    assert len(tokenizer.begin) == (1 if settings.get("add_bos_token") else 0)


def in_two_files(folder: Path, target: Path, settings: dict[str, Any]) -> None:
    """Write the tokenizer of `folder` in the older form."""
    content = json.loads((folder / "tokenizer.json").read_text())
    merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in content["model"]["merges"]), ""])
    vocabulary = content["model"]["vocab"] | {token["content"]: token["id"] for token in content["added_tokens"]}
    (target / "merges.txt").write_text(merges, encoding="utf-8")
    (target / "vocab.json").write_text(json.dumps(vocabulary))
    (target / "tokenizer_config.json").write_text(json.dumps(settings))


def test_byte_level_bpe_of_gpt2s_form_is_encoded_by_tiktoken(tmp_path: Path) -> None:
    pipeline = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<pad>", "<|endoftext|>"])
    pipeline.post_processor = processors.ByteLevel(trim_offsets=False)
    pipeline.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    text = nasty_text(3, 3000)
    assert isinstance(tokenizer, BpeTokenizer)
    assert tokenizer.end_tokens == {pipeline.token_to_id("<|endoftext|>")}
    for literal in (True, False):
        pipeline.encode_special_tokens = literal
        assert tokenizer.encode(text, literal).tolist() == pipeline.encode(text).ids


@pytest.mark.parametrize(
    ("family", "name"), [(qwen, "Qwen2Tokenizer"), (openai_gpt, "OpenAIGPTTokenizer"), (smollm, "GPT2Tokenizer")]
)
def test_a_vocabulary_with_merges_is_enough(
    family: Callable[[], Pipeline], name: str, folders: Folders, tmp_path: Path
) -> None:
    in_two_files(folders(family), tmp_path, {"tokenizer_class": name})
    tokenizer = load_tokenizer(tmp_path)
    auto = getattr(transformers, name).from_pretrained(tmp_path)
    text = nasty_text(5, 3000)
    for literal in (True, False):
        ids = auto(text, add_special_tokens=False, split_special_tokens=literal)["input_ids"]
        assert tokenizer.encode(text, literal).tolist() == ids
    tokenizer.save(tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").fingerprint == tokenizer.fingerprint


def test_no_folder_above_that_of_the_files_is_made(tmp_path: Path):
    llama3().save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert isinstance(tokenizer, ForeignTokenizer)
    with pytest.raises(FileNotFoundError):
        tokenizer.save(tmp_path / "deleted run" / "checkpoints" / ".last.new")
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
