"""Any other tokenizer that came with a foreign model, run by the `tokenizers` library."""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .added_tokens import AddedTokens
from .foreign_files import special_tokens
from .tokenizer import SURROGATES, Tokenizer, TokenizerError, check_range, left_out, refuse_surrogates, typecode
from .tokenizer_json import bytes_of

if TYPE_CHECKING:
    import tokenizers

_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")
_SPACE_INSIDE = re.compile("(?:[^\\W_]|\ufffd) ")  # a letter, a digit or the end of a character, then a space
_PROBED_NAMES = 16
_PROBE = (
    "Hello world 12 345 6789 don't It's  two   spaces\n new line, (x) y naïve e\u0301 o\u0302 a b\t c 汉字 漢 ᚠ ᚢ 1 2"
    " _a b- c\r\n d \U0001d54f \U0001f642 z ﬁ Ⅷ Σ σς İ ß ㎏ 3 ÀÉ Русский язык हिन्दी में x"
)


class ForeignTokenizer(Tokenizer):
    """The pipeline of a tokenizer.json: normalizer, pre-tokenizer, model, decoder.

    Truncation, padding and BPE dropout are switched off. `files` are what it was read from; `save` writes them back
    unchanged.
    """

    kind = "huggingface"

    def __init__(
        self, content: Mapping[str, Any], end_tokens: frozenset[int] | None, files: Mapping[str, bytes]
    ) -> None:
        self._content, self._files = content, files
        self.special_tokens = special_tokens(content)
        self.end_tokens = end_tokens or frozenset()
        self._backend = _backend(content)
        vocabulary = self._backend.get_vocab(with_added_tokens=True)
        for token in content.get("added_tokens") or []:
            if vocabulary.get(token["content"]) != token["id"]:
                raise TokenizerError(
                    f"the added token {token['content'][:40]!r} has not the id that tokenizer.json says"
                )
        self.vocab_size = 1 + max(vocabulary.values())
        self._typecode = typecode(self.vocab_size)
        decoder = self._backend.decoder  # as the library parsed it
        self._decoder = json.loads(decoder.__getstate__()) if decoder else None
        self.ends_words = any(step.get("type") == "BPEDecoder" for step in _steps(self._decoder))
        self.begin = self._begin()

    @property
    def fingerprint(self) -> str:
        """The hash of the steps that decide the ids."""
        steps = {name: self._content.get(name) for name in ("added_tokens", "normalizer", "pre_tokenizer", "model")}
        if self.splits_special_tokens:
            steps["split_special_tokens"] = True
        return hashlib.sha256(json.dumps([steps, self.begin], sort_keys=True).encode()).hexdigest()

    @cached_property
    def added_tokens(self) -> AddedTokens:
        """Also the added tokens that are not special."""
        added = self._content.get("added_tokens") or []
        named = [token for token in added if not (self.splits_special_tokens and token.get("special"))]
        return AddedTokens({token["content"]: token["id"] for token in named})

    def encode(self, text: str, literal: bool = False) -> array[int]:
        """The ids that the pipeline gives; added tokens that are not special are tokens with `literal` too."""
        refuse_surrogates(text)
        return array(self._typecode, self._ids(text, literal or self.splits_special_tokens))

    def token_lengths(self, text: str, literal: bool = False) -> list[int]:
        """As the pipeline says where each token begins; what it skips belongs to the token before."""
        refuse_surrogates(text)
        self._backend.encode_special_tokens = literal or self.splits_special_tokens
        with _library_errors("encode this text"):
            offsets = self._backend.encode(text, add_special_tokens=False).offsets
        starts = accumulate((start for start, _ in offsets[1:]), max, initial=0)
        return [end - start for start, end in pairwise((*starts, len(text)))] if offsets else []

    def _encode_text(self, text: str) -> array[int]:
        return self.encode(text, literal=True)

    def drop_unknown(self, text: str) -> tuple[str, Counter[str]]:
        """Leave out lone surrogates; the model itself handles other unknown characters."""
        return left_out(text, SURROGATES.intersection(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text that the decoder of the pipeline gives."""
        check_range(ids, self.vocab_size)
        with _library_errors("decode these ids"):
            return self._backend.decode(list(ids), skip_special_tokens=True)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that the token adds to a text that has begun; none for an id without a token."""
        check_range([token], self.vocab_size)
        name = self._backend.id_to_token(token)
        return b"" if name is None or name in self.special_tokens else _token_bytes(name, self._decoder)

    def safe_cut(self, text: str) -> int:
        """Before a space that follows a letter or digit, if no token of the pipeline ever spans these two."""
        return self._space_to_cut_at(text) if self._can_cut_at_spaces else 0

    def to_huggingface(self) -> dict[str, Any]:
        """The tokenizer.json as it was read."""
        return dict(self._content)

    def save(self, folder: Path) -> None:
        """Write the files that it was read from, unchanged."""
        self._write(folder, self._files)

    def _ids(self, text: str, literal: bool = False, with_special: bool = False) -> list[int]:
        self._backend.encode_special_tokens = literal
        with _library_errors("encode this text"):
            return self._backend.encode_batch_fast([text], add_special_tokens=with_special)[0].ids

    def _begin(self) -> tuple[int, ...]:
        """The special tokens that the pipeline puts before a text."""
        plain, whole = self._ids("a"), self._ids("a", with_special=True)
        starts = [at for at in range(len(whole)) if whole[at : at + len(plain)] == plain]
        return tuple(whole[: starts[0]]) if plain and starts else ()

    @cached_property
    def _can_cut_at_spaces(self) -> bool:
        """Whether a text may be cut before a space that follows a letter or digit.

        It may where no token spans both, no regex looks behind, and no step treats the start of a text specially. The
        last cannot be told from the steps in general, so it is tried: a probe text is cut at each of its spaces.
        """
        steps = json.dumps([self._content.get("normalizer"), self._content.get("pre_tokenizer")])
        added = self._content.get("added_tokens") or []
        if (
            "(?<" in steps
            or any(map(self._may_span_a_cut, added))
            or _SPACE_INSIDE.search("\n".join(self._token_texts()))
        ):
            return False
        names = (token["content"] for token in added[:_PROBED_NAMES])
        probe = _PROBE + "".join(f" a {name} b{name}c  {name}  d" for name in names)
        whole, end = self._ids(probe), len(probe)
        while end := self._space_to_cut_at(probe[:end]):
            if self._ids(probe[:end]) + self._ids(probe[end:]) != whole:
                return False
        return True

    def _may_span_a_cut(self, token: Mapping[str, Any]) -> bool:
        """Whether an added token may be found, or missed, because a text was cut before such a space.

        `AddedTokens.border` finds the names that are matched as they are written; a normalised text can spell a name in
        many ways.
        """
        forms = [token["content"]]
        if token.get("normalized") and (normalizer := self._backend.normalizer):
            forms.append(normalizer.normalize_str(token["content"]).replace("▁", " "))
        takes_the_space = token.get("rstrip") and (token.get("normalized") or forms[0][-1:].isalnum())
        looks_back = token.get("single_word") and any(form.startswith(" ") for form in forms)
        holds_both = token.get("normalized") and _SPACE_INSIDE.search("\n".join(forms))
        return bool(takes_the_space or looks_back or holds_both)

    def _space_to_cut_at(self, text: str) -> int:
        end = len(text)
        while (end := text.rfind(" ", 0, end)) > 0:
            if text[end - 1].isalnum() and self.added_tokens.border(text, end) == end:
                return end
        return 0

    def _token_texts(self) -> Iterator[str]:
        """The text of each token in the vocabulary, with plain spaces."""
        decoder = json.dumps(self._decoder, ensure_ascii=False)
        for token in self._backend.get_vocab(with_added_tokens=False):
            if '"ByteLevel"' in decoder:
                yield _token_bytes(token, self._decoder).decode("utf-8", "replace")
            else:
                yield token.replace("▁", " ") if "▁" in decoder else token


@contextmanager
def _library_errors(doing: str) -> Iterator[None]:
    """Turn what the library raises into a TokenizerError; Rust panics are BaseExceptions."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, TokenizerError):
        raise
    except BaseException as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise TokenizerError(f"the tokenizers library cannot {doing}: {reason or type(error).__name__}") from error


def _backend(content: Mapping[str, Any]) -> tokenizers.Tokenizer:
    import tokenizers  # only here: our own tokenizers start without it

    model = {**content["model"], **({"dropout": None} if "dropout" in content["model"] else {})}
    whole = {**content, "truncation": None, "padding": None, "model": model}
    with _library_errors("build it from tokenizer.json"):
        return tokenizers.Tokenizer.from_str(json.dumps(whole))


def _steps(decoder: Any) -> list[dict[str, Any]]:
    """The steps of a decoder, which is that part of tokenizer.json."""
    return decoder.get("decoders", [decoder]) if isinstance(decoder, dict) else []


def _token_bytes(token: str, decoder: Any) -> bytes:
    """The UTF-8 bytes, perhaps of a part of a character, that `token` adds to a text that has begun.

    `decoder` is that part of tokenizer.json. What it does only at the start of a text, such as stripping a space, is
    left out; without a decoder, tokens are words with spaces between them.
    """
    if not isinstance(decoder, dict):
        return f" {token}".encode()
    for step in _steps(decoder):
        kind = step.get("type")
        if kind == "ByteLevel":
            try:
                return bytes_of(token)
            except KeyError:  # an added token is plain text
                return token.encode()
        if kind == "ByteFallback" and (byte := _BYTE.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        if kind == "Replace" and "String" in step["pattern"]:
            token = token.replace(step["pattern"]["String"], step["content"])
        elif kind == "Metaspace":
            token = token.replace(step.get("replacement", "▁"), " ")
        elif kind == "BPEDecoder":
            token = token.replace(step.get("suffix", "</w>"), " ")
        elif kind == "WordPiece":
            prefix = step.get("prefix", "##")
            token = token.removeprefix(prefix) if token.startswith(prefix) else f" {token}"
    return token.encode()
