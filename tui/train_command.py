"""The command line that makes the same run as the form."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from ..data.text_files import DEFAULT_READING, Reading
from ..models.recipe import Recipe
from .recipe_fields import FIELDS, RecipeField, overrides

_PROMPTS = ("sample_prompt", "sample_prompts")  # one option, which is repeated


def train_command(
    corpus: str,
    recipe: Recipe,
    base: Recipe,
    *,
    start_from: str = "",
    name: str = "",
    reading: Reading = DEFAULT_READING,
) -> list[str]:
    """The words of the command that trains `recipe`, which is made from the preset `base`, on the text of that spec.

    With `start_from`, the name or path of a model, `base` is the preset for going on with that one.
    """
    words = ["minigpt-tui", "train", corpus, "--preset", recipe.name]
    words += _option("--from", start_from) if start_from else []
    words += _option("--name", name) if name else []
    words += _option("--encoding", reading.encoding) if reading.encoding else []
    words += ["--as", "text"] if reading.as_text else []
    given = overrides(base, recipe, fine_tuning=bool(start_from))
    if any(field.name in _PROMPTS for field in given):
        prompt = FIELDS["sample_prompt"]
        given = [field for field in given if field.name not in _PROMPTS]
        for text in recipe.training.all_sample_prompts:
            words += _option("--sample-prompt", prompt.text(text))
    return [*words, *(word for field in given for word in _words_of(field, recipe))]


def shell_line(words: Sequence[str]) -> str:
    """The words as a shell of POSIX reads them again; without characters that would steer a terminal."""
    return " ".join(map(_quoted, words))


def _words_of(field: RecipeField, recipe: Recipe) -> Iterator[str]:
    value, flag = field.value_in(recipe), field.name.replace("_", "-")
    if field.kind is bool:
        yield f"--{flag}" if value else f"--no-{flag}"
    else:
        yield from _option(f"--{flag}", field.text(value))


def _option(flag: str, text: str) -> list[str]:
    """One word where the text alone would be read as another option."""
    return [f"{flag}={text}"] if text.startswith("-") or not text else [flag, text]


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    # bash, zsh and ksh read $'\n' so: what cannot be seen, or is no UTF-8, in bytes
    shown = "".join(
        f"\\{character}"
        if character in "\\'"
        else character
        if character.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
        for character in word
    )
    return f"$'{shown}'"
