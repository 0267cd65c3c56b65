"""The scenes of the built-in corpus: their people and things, and the program that plays them.

A scene takes its choices from a `ChoiceSource`, which draws them or reads them from a text. The state of a scene (who
is present, where the treasure is, how many candles are left, what was asked) follows from the text before, so that
`Reader` can parse what `Writer` wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from .grammar import Bindings, Choice, ChoiceSource, Option, Rules, literals, with_article, with_probability, without
from .words import HE, IRREGULAR, NUMBERS, PHRASES, RHYMES, SHE, WORDS

SLOTS = "treasure spot day season beast pet items count his other calling my_trade my_prop your_trade your_prop"
RULES = Rules(WORDS, PHRASES, IRREGULAR, frozenset(SLOTS.split()))
PRONOUNS = dict.fromkeys(SHE.split(), "She") | dict.fromkeys(HE.split(), "He")
COUNTS = NUMBERS.split()
STOP = literals("\n", tag="stop")

# The opening
AND_OR_COMMA = Choice([*literals(" and "), *literals(", ")])
OPENING_COUNT = Choice(literals(*COUNTS[3:13]))

# Spoken: a line, then more lines or the blank line that ends the speech
FIRST_LINE = with_probability(RULES["line"], 0.12, RULES["performance"].options)
NEXT_LINE = with_probability(RULES["line"], 0.38, STOP)
ADDRESS = with_probability(RULES["address"], 0.4, RULES["question"].options)
ANSWERS = {question.tag: RULES[f"{question.tag}_answer"] for question in RULES["question"].options}

# Sung and counted
RHYMES_WITH = {
    ending: Choice(literals(*(other for other in family if other != ending)))
    for family in ([ending.strip() for ending in line.split("/")] for line in RHYMES.strip().splitlines())
    for ending in family
}
RHYME = Choice(literals(*RHYMES_WITH))
FIRST_VERSE = RULES["verse"]
NEXT_VERSE = with_probability(FIRST_VERSE, 0.3, STOP)
AFTER_COUNT = Choice([*literals(",\n", weight=4), *literals(".\n\n", tag="stop")])

# Narrated; whether somebody may leave or items may be found depends on how many there are
GAIN = Option("found ", (), "gain")
LEAVE = Option("said goodbye and went ", (RULES["destination"],), "leave")
ACTIONS = {
    (may_gain, may_leave): RULES["action"].plus(*[GAIN] * may_gain, *[LEAVE] * may_leave)
    for may_gain in (False, True)
    for may_leave in (False, True)
}
LOST = {n: Choice(literals(*COUNTS[1 : min(n - 1, 5)])) for n in range(4, len(COUNTS))}
GAINED = Choice(literals(*COUNTS[2:6]))
QUOTED = Choice([*literals(',"', weight=3), *literals('!"')])
AFTER_SENTENCE = Choice([*literals(" ", weight=3), *literals("\n\n", weight=2, tag="stop")])


@dataclass(frozen=True)
class Person:
    """Somebody in a scene, and what the opening said of them."""

    name: str
    trade: str
    prop: str

    @property
    def pronoun(self) -> str:
        """She or He."""
        return PRONOUNS[self.name]

    @property
    def bare_prop(self) -> str:
        """The prop without its article."""
        return self.prop.split(" ", 1)[1]


class Scene:
    """One scene; `play` goes through it from its title to the blank line after its end."""

    def __init__(self, source: ChoiceSource):
        self.source = source
        self.bound: Bindings = {}
        self.count = 0
        self.present: list[Person] = []
        self.absent: list[Person] = []
        self.speaker: Person | None = None
        self.pending: tuple[Person, str] | None = None  # who was asked, and what

    def play(self) -> None:
        """The opening, and paragraphs until the end is chosen."""
        self.opening()
        for n_paragraphs in count():
            option = self.source.choose(self.paragraph_choice(may_end=n_paragraphs > 5))
            if option.tag == "end":
                self.source.expand_rest(option, self.bound)
                self.source.emit("\n\n")
                self.source.end_sentence()
                return
            if option.tag == "speech":
                self.speech(self.named[option.prefix])
            else:
                self.narration(option)

    def expand(self, rule: str) -> Option:
        """Expand a rule by its name."""
        return self.source.expand(RULES[rule], self.bound)

    # The opening: title, time, people, place, what they carry, what they count, the animal, the treasure

    def opening(self) -> None:
        """Two paragraphs that introduce everything that the scene is about."""
        emit, expand, bound = self.source.emit, self.expand, self.bound
        emit("THE ")
        quality = expand("QUALITY").prefix.lower()
        emit(" ")
        bound["treasure"] = f"{quality} {expand('OBJECT').prefix.lower()}"
        emit("\n\n")
        expand("occasion")
        emit(" ")
        people = self.introduce_people()
        emit(" ")
        expand("gathered")
        emit(" in the ")
        expand("indoors")
        emit(". ")
        self.source.end_sentence()
        for n, (name, trade) in enumerate(people, start=1):
            emit(f"{name} had ")
            prop = self.source.choose(without(RULES["a prop"], [person.prop for person in self.present])).prefix
            self.present.append(Person(name, trade, prop))
            emit(". " if n == len(people) else " and " if n == len(people) - 1 else ", ")
        self.source.end_sentence()
        expand("items_intro")
        emit(" ")
        self.set_count(COUNTS.index(self.source.choose(OPENING_COUNT).prefix))
        emit(" ")
        bound["items"] = expand("trinket s").prefix
        emit(". ")
        expand("pet_enters")
        emit(" ")
        self.source.end_sentence()
        expand("hidden")
        emit("\n\n")
        self.source.end_sentence()
        self.update_choices()

    def introduce_people(self) -> list[tuple[str, str]]:
        """Names and trades of two, three or four people."""
        people: list[tuple[str, str]] = []
        joint = ""
        while True:
            name = self.source.choose(without(RULES["name"], [name for name, _ in people])).prefix
            self.source.emit(" the ")
            trade = self.source.choose(without(RULES["trade"], [trade for _, trade in people])).prefix
            people.append((name, trade))
            if joint == " and ":
                return people
            joint = " and "
            if len(people) < 3:
                joint = self.source.choose(AND_OR_COMMA).prefix
            else:
                self.source.emit(joint)

    # What changes in a scene

    def set_count(self, n: int) -> None:
        """There are `n` items from now on."""
        self.count = n
        self.bound["count"] = COUNTS[n]

    def update_choices(self) -> None:
        """Build the choices that depend on who is present, after somebody came or left."""
        names = [person.name for person in self.present]
        self.anyone = Choice(literals(*names))
        self.others = {name: Choice(literals(*(other for other in names if other != name))) for name in names}
        self.named = {
            prefix: person
            for person in [*self.present, *self.absent]
            for prefix in (
                person.name,
                f"{person.name} ",
                f"The {person.trade} ",
                f"{person.name}, ",
                f"{person.name.upper()}:\n",
                f"Back came {person.name} ",
            )
        }
        self.choices: dict[tuple[str | bool, ...], Choice] = {}

    def bind_person(self, person: Person | None) -> None:
        """Bind the words of the rules that depend on the person of the sentence; None: it is about nobody."""
        self.bound["other"] = self.others.get(person.name, self.anyone) if person else self.anyone
        if person:
            self.bound["his"] = "her" if person.pronoun == "She" else "his"
            self.bound["calling"] = person.trade
            self.bound["my_trade"] = with_article(person.trade)
            self.bound["my_prop"] = person.bare_prop

    # Narration: sentences about people, the animal, the treasure, the weather

    def subject_choice(self, pronoun: str) -> Choice:
        """What a sentence can begin with; `pronoun` is that of the person of whom the sentence before it was."""
        key = ("subjects", pronoun, self.count > 3)
        if key not in self.choices:
            options = [
                *literals(*(f"{person.name} " for person in self.present), weight=4, tag="person"),
                *literals(*(f"The {person.trade} " for person in self.present), weight=1, tag="person"),
                *literals(*(f"Back came {person.name} " for person in self.absent), weight=3, tag="back"),
                *literals(f"{self.bound['pet']} ", weight=3, tag="pet"),
                *literals(f"The {self.bound['beast']} ", tag="pet"),
                *literals(f"The {self.bound['treasure']} ", weight=2, tag="treasure"),
                *literals('"', weight=4, tag="quotation"),
            ]
            if self.count > 3:
                options += literals("Then ", weight=2, tag="lose")
            if pronoun:
                options += literals(f"{pronoun} ", weight=5, tag="same")
            self.choices[key] = RULES["background"].plus(*options)
        return self.choices[key]

    def paragraph_choice(self, may_end: bool) -> Choice:
        """What a paragraph can begin with: the answer, or somebody who did not speak last, or narration, or the end."""
        if self.pending:
            return Choice(literals(f"{self.pending[0].name.upper()}:\n", tag="speech"))
        speaker = self.speaker.name if self.speaker else ""
        key = ("paragraph", speaker, may_end, self.count > 3)
        if key not in self.choices:
            speakers = [f"{person.name.upper()}:\n" for person in self.present if person.name != speaker]
            choice = with_probability(self.subject_choice(""), 0.66, literals(*speakers, tag="speech"))
            self.choices[key] = with_probability(choice, 0.13, RULES["ending"].options) if may_end else choice
        return self.choices[key]

    def narration(self, option: Option) -> None:
        """A paragraph whose first sentence begins with this option."""
        self.speaker = None
        subject = None
        while option.tag != "stop":
            subject = subject if option.tag == "same" else self.named.get(option.prefix)
            self.bind_person(subject)
            if option.tag == "quotation":
                subject = self.quotation()
            elif option.tag == "lose":
                self.lose_items()
            elif option.tag == "back" and subject:
                self.bring_back(subject)
            elif subject:
                self.action(subject)
            else:
                if option.tag == "pet":
                    self.expand("pet_action")
                elif option.tag == "treasure":
                    self.expand("treasure_action")
                else:
                    self.source.expand_rest(option, self.bound)
                self.expand("sentence_end")
            self.source.end_sentence()
            option = self.source.choose(AFTER_SENTENCE)
            if option.tag != "stop":
                pronoun = subject.pronoun if subject and subject in self.present else ""
                option = self.source.choose(self.subject_choice(pronoun))

    def action(self, person: Person) -> None:
        """What a person did, up to the full stop."""
        actions = ACTIONS[self.count < len(COUNTS) - 5, len(self.present) > 2]
        tag = self.source.expand(actions, self.bound).tag
        if tag == "count":
            self.source.emit(f" {', '.join(COUNTS[1 : self.count + 1])}.")
        elif tag == "gain":
            n = self.source.choose(GAINED).prefix
            self.set_count(self.count + COUNTS.index(n))
            self.source.emit(f" more {self.bound['items']}, which made {self.bound['count']}.")
        else:
            self.expand("sentence_end")
        if tag == "leave":
            self.present.remove(person)
            self.absent.append(person)
            self.update_choices()

    def bring_back(self, person: Person) -> None:
        """Somebody who had left returns."""
        self.source.emit("with ")
        self.expand("a thing")
        self.source.emit(".")
        self.absent.remove(person)
        self.present.append(person)
        self.update_choices()

    def lose_items(self) -> None:
        """Some of what was counted is lost; two or more are left."""
        n = COUNTS.index(self.source.choose(LOST[self.count]).prefix)
        self.source.emit(f" of the {self.bound['items']} ")
        self.expand("vanish")
        self.set_count(self.count - n)
        self.source.emit(f", which left {self.bound['count']}.")

    def quotation(self) -> Person:
        """Direct speech within the narration; returns who speaks."""
        self.expand("saying")
        self.source.choose(QUOTED)
        self.source.emit(" ")
        self.expand("say ed")
        self.source.emit(" ")
        person = self.named[self.source.choose(self.anyone).prefix]
        self.expand("quote_end")
        return person

    # Speech: the name on a line of its own, then lines until a blank one

    def line_choice(self, speaker: Person, first: bool) -> Choice:
        """What a line of the speaker can begin with."""
        key = ("lines", speaker.name, first)
        if key not in self.choices:
            names = [f"{person.name}, " for person in self.present if person != speaker]
            self.choices[key] = with_probability(
                FIRST_LINE if first else NEXT_LINE, 0.2, literals(*names, tag="address")
            )
        return self.choices[key]

    def speech(self, speaker: Person) -> None:
        """What a person says, after the name: the answer to a question, then lines until the stop or a new question."""
        self.speaker = speaker
        self.bind_person(speaker)
        answers = self.pending is not None
        if self.pending:
            self.source.expand(ANSWERS[self.pending[1]], self.bound)
            self.end_line()
            self.pending = None
        option = self.source.choose(self.line_choice(speaker, first=not answers))
        while option.tag != "stop":
            if option.tag == "address":
                self.address(self.named[option.prefix])
            else:
                self.source.expand_rest(option, self.bound)
            if self.pending:
                self.source.emit("\n\n")
                return
            if option.tag in ("song", "counting"):
                self.source.emit("\n")
                self.song() if option.tag == "song" else self.counting_rhyme()
                return
            self.end_line()
            option = self.source.choose(self.line_choice(speaker, first=False))

    def address(self, person: Person) -> None:
        """What is said to this person, a question or not."""
        self.bound["your_trade"] = with_article(person.trade)
        self.bound["your_prop"] = person.bare_prop
        question = self.source.expand(ADDRESS, self.bound).tag
        if question:
            self.pending = person, question

    def end_line(self) -> None:
        """The punctuation at the end of a spoken line."""
        self.expand("mark")
        self.source.emit("\n")
        self.source.end_sentence()

    def song(self) -> None:
        """Couplets; the second line of each rhymes with the first."""
        option = self.source.choose(FIRST_VERSE)
        while option.tag != "stop":
            self.source.expand_rest(option, self.bound)
            self.source.emit(" ")
            ending = self.source.choose(RHYME).prefix
            self.source.emit(",\n")
            self.source.end_sentence()
            self.source.expand(FIRST_VERSE, self.bound)
            self.source.emit(" ")
            self.source.choose(RHYMES_WITH[ending])
            self.source.emit(".\n")
            self.source.end_sentence()
            option = self.source.choose(NEXT_VERSE)

    def counting_rhyme(self) -> None:
        """One of something, two of something else, and so on."""
        self.source.emit("One ")
        self.expand("creature")
        self.source.emit(",\n")
        for number in COUNTS[2:-1]:
            self.source.emit(f"{number.capitalize()} ")
            self.expand("creatures")
            self.source.end_sentence()
            if self.source.choose(AFTER_COUNT).tag == "stop":
                return
        self.source.emit("And no more.\n\n")
