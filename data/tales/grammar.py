"""A probabilistic grammar whose texts have one derivation each, and the two sources of choices that run it.

Each choice is visible at once: its options begin with literal text (their `prefix`), and no prefix is the beginning
of another (a prefix code). A reader therefore knows at every point which option was taken, and the information of the
choices, the sum of their -ln p, is -ln p of the text itself.

Rules are written one option on a line (`words.py` has them all):

    3* <carry ed> the {object} {where} => moved

`3*` is the option's weight, 1 where absent. `{name}` is another rule, expanded in its place, or else words that the
scene has bound. `{spot=hideout}` expands the rule and binds its words in the scene as `spot`. `<name>` stands for
every option of that rule; they share the weight, and the literal text up to the first `{` becomes the prefix. `=>
moved` is a tag for the program that plays the scene. Names inflect: `{a animal}`, `{animal s}`, `{carry ed}`;
`{Carry}` begins with a capital, `{CARRY}` is all capitals.
"""

from __future__ import annotations

import math
import random
import re
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise

UNIT = 27720
"""The weight written `1*`; many numbers divide it, so that the options that share it have equal parts."""


class Slot(str):
    """The name of words, or of a choice, that the scene binds."""

    __slots__ = ()


class Binding:
    """Expands `choice`, and binds the prefix of the option taken as `name`."""

    __slots__ = ("choice", "name")

    def __init__(self, name: str, choice: Choice):
        self.name = name
        self.choice = choice


class Option:
    """One way to go on: `prefix` shows that it was taken, then the parts of its `rest` follow."""

    __slots__ = ("ln_weight", "prefix", "rest", "tag", "weight")

    def __init__(self, prefix: str, rest: tuple[Part, ...] = (), tag: str = "", weight: int = UNIT):
        self.prefix = prefix
        self.rest = rest
        self.tag = tag
        self.weight = weight
        self.ln_weight = math.log(weight)

    def then(self, *parts: Part) -> Option:
        """Follow the option by `parts`; literal text joins the prefix as long as nothing else came before it."""
        prefix, rest = self.prefix, list(self.rest)
        for part in parts:
            if type(part) is str and not rest:
                prefix += part
            else:
                rest.append(part)
        return Option(prefix, tuple(rest), self.tag, self.weight)


class Choice:
    """A choice point; an option is drawn by one look-up in the cumulative weights."""

    __slots__ = ("cumulative", "ln_total", "options", "total")

    def __init__(self, options: Iterable[Option]):
        self.options = list(options)
        self.cumulative = list(accumulate(option.weight for option in self.options))
        self.total = self.cumulative[-1]
        self.ln_total = math.log(self.total)

    def plus(self, *options: Option) -> Choice:
        """Add options, in a choice of its own; cheap even where this one is long."""
        larger = object.__new__(Choice)
        larger.options = [*self.options, *options]
        larger.cumulative = self.cumulative + [self.total + w for w in accumulate(option.weight for option in options)]
        larger.total = larger.cumulative[-1]
        larger.ln_total = math.log(larger.total)
        return larger

    def check(self, name: str) -> None:
        """Raise ValueError where one prefix is empty or begins another."""
        prefixes = sorted(option.prefix for option in self.options)
        for prefix, following in pairwise([*prefixes, "\N{DELETE}"]):
            if not prefix or following.startswith(prefix):
                raise ValueError(f"rule {name!r} is ambiguous: {prefix!r} begins {following!r}; reword one of them")


Part = str | Slot | Binding | Choice
Bindings = dict[str, str | Choice]
"""The words, or the choices, that a scene puts where a rule names a slot."""


def literals(*prefixes: str, weight: int = 1, tag: str = "") -> list[Option]:
    """Options of literal text alone, each of the weight that `weight*` has in a rule."""
    return [Option(prefix, (), tag, weight * UNIT) for prefix in prefixes]


def with_probability(choice: Choice, probability: float, options: list[Option]) -> Choice:
    """The choice with `options` added, which together have about this probability."""
    scale = choice.total * probability / (1 - probability) / sum(option.weight for option in options)
    return choice.plus(*(Option(o.prefix, o.rest, o.tag, round(o.weight * scale)) for o in options))


def without(choice: Choice, taken: list[str]) -> Choice:
    """The choice without the options whose prefix is in `taken`."""
    return Choice(option for option in choice.options if option.prefix not in taken)


class Rules:
    """Choices by name, compiled when first asked for.

    words: options of one word with blanks between them (`_` stands for a blank inside one). phrases: options of many
    parts, one on a line. irregular: forms by (word, suffix). slots: the names that scenes bind.
    """

    def __init__(
        self,
        words: Mapping[str, str],
        phrases: Mapping[str, str],
        irregular: Mapping[tuple[str, str], str],
        slots: frozenset[str],
    ):
        self._words = words
        self._phrases = phrases
        self._irregular = irregular
        self._slots = slots
        self._choices: dict[str, Choice] = {}

    def __getitem__(self, name: str) -> Choice:
        """Raises KeyError where no rule has this name, ValueError where the rule is ambiguous."""
        if name not in self._choices:
            if name in self._words:
                options = [Option(word.replace("_", " ")) for word in self._words[name].split()]
            elif name in self._phrases:
                options = [option for line in self._phrases[name].strip().splitlines() for option in self._line(line)]
            else:
                options = self._inflected(name)
            choice = Choice(options)
            choice.check(name)
            self._choices[name] = choice
        return self._choices[name]

    def _line(self, line: str) -> list[Option]:
        """The options that one line stands for: one, or one for each option of the rules in `<>`."""
        weight, text, tag = re.findall(r"^\s*(?:(\d+)\* )?(.*?)(?: => (\w+))?$", line)[0]
        options = [Option("", (), tag, int(weight or 1) * UNIT)]
        for piece in re.findall(r"<[^>]+>|\{[^}]+\}|[^<{]+", text):
            if piece[0] == "<":
                inner = self[piece[1:-1]]
                options = [
                    Option(o.prefix, o.rest, i.tag or o.tag, o.weight * i.weight // inner.total).then(i.prefix, *i.rest)
                    for o in options
                    for i in inner.options
                ]
            else:
                part = self._part(piece[1:-1]) if piece[0] == "{" else piece.replace("~", " ")
                options = [option.then(part) for option in options]
        return options

    def _part(self, name: str) -> Part:
        if name in self._slots:
            return Slot(name)
        bound, equals, rule = name.rpartition("=")
        return Binding(bound, self[rule]) if equals else self[name]

    def _inflected(self, name: str) -> list[Option]:
        article, stem, suffix = re.findall(r"^(a )?(.*?)(?: (s|ed))?$", name.lower())[0]
        if stem == name:
            raise KeyError(f"no rule is called {name!r}")

        def inflect(words: str) -> str:
            if suffix:
                words = self._irregular.get((words, suffix)) or (plural if suffix == "s" else past)(words)
            if article:
                words = with_article(words)
            if name[0].isupper():
                words = words.upper() if name.isupper() else words[0].upper() + words[1:]
            return words

        return [Option(inflect(o.prefix), o.rest, o.tag, o.weight) for o in self[stem].options]


def with_article(noun: str) -> str:
    """The noun, or the adjective before it, with a or an."""
    return ("an " if noun[0] in "aeiou" or noun.startswith(("honest", "hour")) else "a ") + noun


def plural(word: str) -> str:
    """The regular form with -s: of nouns the plural, of verbs the third person."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word[-1] == "y" and word[-2] not in "aeou" else word + "s"


def past(verb: str) -> str:
    """The regular form with -ed."""
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb[-1] == "y" and verb[-2] not in "aeou" else verb + "ed"


class ChoiceSource(ABC):
    """Where the scenes take their choices from and emit their text to; `nats` sums the information of the choices."""

    nats: float = 0.0

    @abstractmethod
    def emit(self, text: str) -> None:
        """Text without a choice."""

    @abstractmethod
    def choose(self, choice: Choice) -> Option:
        """Take an option and emit its prefix."""

    @abstractmethod
    def end_sentence(self) -> None:
        """Called at the end of each sentence: up to here all is emitted."""

    def expand(self, choice: Choice, bound: Bindings) -> Option:
        """Choose an option and expand all of it."""
        option = self.choose(choice)
        self.expand_rest(option, bound)
        return option

    def expand_rest(self, option: Option, bound: Bindings) -> None:
        """Expand what follows the option's prefix; `bound` has the words of the scene, and takes new ones."""
        for part in option.rest:
            if isinstance(part, Binding):
                bound[part.name] = self.expand(part.choice, bound).prefix
                continue
            words = bound[part] if isinstance(part, Slot) else part
            if isinstance(words, Choice):
                self.expand(words, bound)
            else:
                self.emit(words)


class Writer(ChoiceSource):
    """Draws at random. `sentence_ends` and `sentence_nats`: characters and nats up to the end of each sentence."""

    def __init__(self, seed: int):
        self._random = random.Random(seed).random  # the one method whose numbers Python promises to keep
        self._sentence: list[str] = []
        self._text = bytearray()
        self.sentence_ends = array("q")
        self.sentence_nats = array("d")

    def emit(self, text: str) -> None:
        self._sentence.append(text)

    def choose(self, choice: Choice) -> Option:
        option = choice.options[bisect_right(choice.cumulative, self._random() * choice.total)]
        self.nats += choice.ln_total - option.ln_weight
        self._sentence.append(option.prefix)
        return option

    def end_sentence(self) -> None:
        self._text += "".join(self._sentence).encode("ascii")
        self._sentence.clear()
        self.sentence_ends.append(len(self._text))
        self.sentence_nats.append(self.nats)

    @property
    def n_characters(self) -> int:
        """Length of all sentences that have ended."""
        return len(self._text)

    def text(self) -> str:
        """All sentences that have ended."""
        return self._text.decode("ascii")


class Reader(ChoiceSource):
    """Parses a text: each choice is the one that the text shows. Raises ValueError where it shows none."""

    def __init__(self, text: str):
        self._text = text
        self.position = 0

    def emit(self, text: str) -> None:
        """The text must go on like this."""
        if not self._text.startswith(text, self.position):
            raise self._refusal(text)
        self.position += len(text)

    def choose(self, choice: Choice) -> Option:
        """The option whose prefix the text shows."""
        for option in choice.options:
            if self._text.startswith(option.prefix, self.position):
                self.position += len(option.prefix)
                self.nats += choice.ln_total - option.ln_weight
                return option
        raise self._refusal(choice.options[0].prefix)

    def end_sentence(self) -> None:
        pass

    def _refusal(self, expected: str) -> ValueError:
        line = self._text.count("\n", 0, self.position) + 1
        found = self._text[self.position : self.position + 20]
        return ValueError(f"line {line} is not from tales: it has {found!r} where {expected!r} could stand")
