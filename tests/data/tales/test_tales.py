import hashlib
import math
import re
from collections import Counter
from itertools import pairwise

import pytest
from minigpt_tui.data.tales import scenes as tales_scenes
from minigpt_tui.data.tales.generator import generate, nats_of
from minigpt_tui.data.tales.grammar import Choice, Option, Reader, Rules
from minigpt_tui.data.tales.scenes import RULES, Scene
from minigpt_tui.data.tales.words import HE, NUMBERS, PHRASES, RHYMES, SHE, WORDS


@pytest.fixture(scope="module")
def megabyte():
    return generate(1_000_000, seed=0)


def scenes(text: str) -> list[str]:
    return re.findall(r"THE [A-Z -]+\n\n.*?(?=\n\nTHE |\n\n\Z)", text, re.DOTALL)


def test_the_same_seed_writes_the_same_text_on_every_machine():
    text = generate(20_000, seed=0).text
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "e90f7fb250f85747de0502eeec39aa560599c49f5fd2bc1d7720b7f48cbe0304"
    )
    assert generate(20_000, seed=1).text != text


def test_a_longer_text_begins_with_the_shorter_and_both_are_whole_scenes():
    short, long = generate(2_000, seed=5), generate(30_000, seed=5)
    assert len(short.text) >= 2_000
    assert long.text.startswith(short.text)
    assert short.text.endswith(".\n\n")
    assert long.nats(0, len(short.text)) == short.nats(0, len(short.text))


def test_no_text_of_less_than_a_character():
    with pytest.raises(ValueError, match="at least one character"):
        generate(0)


@pytest.mark.parametrize("seed", range(4))
def test_reading_a_text_recovers_the_information_of_the_choices_that_wrote_it(seed):
    tales = generate(60_000, seed)
    assert nats_of(tales.text) == pytest.approx(tales.nats(0, len(tales.text)), rel=1e-12)


def test_at_every_choice_the_text_shows_exactly_one_option():
    text = generate(100_000, seed=2).text

    class Auditor(Reader):
        def choose(self, choice: Choice) -> Option:
            prefixes = [option.prefix for option in choice.options]
            assert all(prefixes)
            for prefix, following in pairwise(sorted(prefixes)):
                assert not following.startswith(prefix)
            assert sum(text.startswith(prefix, self.position) for prefix in prefixes) == 1
            return super().choose(choice)

    auditor = Auditor(text)
    while auditor.position < len(text):
        Scene(auditor).play()
    assert auditor.position == len(text)


def test_every_rule_is_free_of_ambiguity_and_names_only_what_exists():
    for name in [*WORDS, *PHRASES]:
        RULES[name].check(name)
    for name, value in vars(tales_scenes).items():
        if isinstance(value, Choice):
            value.check(name)


def test_an_ambiguous_rule_is_refused():
    rules = Rules({"thing": "cup cupboard"}, {"twice": "a {thing}\na <thing>"}, {}, frozenset())
    with pytest.raises(ValueError, match="'cup' begins 'cupboard'"):
        rules["thing"]
    with pytest.raises(KeyError, match="no rule is called 'nothing'"):
        rules["nothing"]


def test_the_probabilities_of_a_choice_sum_to_one():
    choice = Choice([Option("a", weight=1), Option("b", weight=2)]).plus(Option("c", weight=5))
    assert sum(math.exp(o.ln_weight - choice.ln_total) for o in choice.options) == pytest.approx(1)
    assert choice.cumulative == [1, 3, 8]


def test_the_writer_draws_the_options_as_often_as_it_says(megabyte):
    opened = Counter(re.findall(r"One (\w+) (?:morning|evening|afternoon|night) in", megabyte.text))
    moods = WORDS["mood"].split()
    expected = sum(opened.values()) / len(moods)
    assert set(opened) <= set(moods)
    assert sum((opened[mood] - expected) ** 2 / expected for mood in moods) < 2.5 * len(moods)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace(" lay ", " lies ", 1), None),
        (lambda text: text[:-40], None),
        (lambda text: text + "Hello", None),
        (lambda text: text.lower(), 1),
        (lambda text: text.replace("THE ", "THE\n", 1), 1),
    ],
)
def test_a_text_that_the_grammar_cannot_write_is_refused(change, line):
    text = change(generate(3_000, seed=8).text)
    with pytest.raises(ValueError, match=f"line {line or ''}"):
        nats_of(text)


def test_what_a_scene_has_said_binds_what_it_says_later():
    """The wrong name, place or number is no choice of low probability: it cannot be written."""
    text = generate(300_000, seed=4).text
    answered = re.search(r"how many (\w+) have we\?\n\n\w+:\nThere are (\w+)", text)
    assert answered
    before, after = text[: answered.start(2)], text[answered.end(2) :]
    wrong = "seven" if answered[2] != "seven" else "eight"
    scene = before.rindex("THE ")
    with pytest.raises(ValueError, match=f"where '{answered[2]}' could stand"):
        nats_of(text[scene : len(before)] + wrong + after)


def test_information_of_a_part(megabyte):
    n = len(megabyte.text)
    whole = megabyte.nats(0, n)
    assert megabyte.nats(0, 1000) + megabyte.nats(1000, 777_777) + megabyte.nats(777_777, n) == pytest.approx(whole)
    assert megabyte.nats(500, 500) == 0
    assert all(megabyte.nats(i, i + 1) >= 0 for i in range(3_000))
    assert megabyte.nats_per_character(900_000, n) == pytest.approx(megabyte.nats_per_character(0, n), rel=0.02)
    with pytest.raises(IndexError, match="is not within"):
        megabyte.nats(0, n + 1)


def test_the_floor_and_the_vocabulary_suit_a_small_model(megabyte):
    assert 0.40 < megabyte.nats_per_character(0, len(megabyte.text)) < 0.50
    assert megabyte.text.isascii()
    assert 60 <= len(set(megabyte.text)) <= 70
    assert 1_000 < len(set(re.findall(r"[a-z]+", megabyte.text.lower()))) < 1_500


def test_nothing_repeats_verbatim(megabyte):
    told = scenes(megabyte.text)
    assert len(told) > 300
    assert len(set(told)) == len(told)
    lines = [line for line in megabyte.text.splitlines() if len(line) > 60]
    assert len(set(lines)) > 0.99 * len(lines)


def test_agreement(megabyte):
    text = megabyte.text
    assert not re.findall(r"\b[Aa] (?=[aeiou])\w+|\b[Aa]n (?=[bcdfgjklmnpqrstvwxyz])\w+", text)
    assert not re.findall(
        r"\b(?:they|we|you) (?:was|is|has)\b|\b(?:he|she|it) (?:were|are|have)\b", text, re.IGNORECASE
    )
    assert not re.findall(r"  |\n\n\n| [.,!?]|\.\.|,,| \n|\{|\}|<|>|~|_", text)


def test_pronouns_fit_the_names(megabyte):
    for names, pronoun, wrong in ((SHE, "She", "his"), (HE, "He", "her")):
        any_name = "|".join(names.split())
        followed = re.findall(rf"(?:^| )(?:{any_name}) (?:put down|waved) (\w+) ", megabyte.text)
        assert followed
        assert wrong not in followed
        # the sentence after one that begins with a name and holds no other
        after = re.findall(rf"(?:^|\. )(?:{any_name}) [a-z ,]+\. (He|She) ", megabyte.text, re.MULTILINE)
        assert set(after) == {pronoun}


def test_only_who_is_present_speaks(megabyte):
    for scene in scenes(megabyte.text)[:200]:
        introduced = set(re.findall(r"(\w+) had an? ", scene.split("\n\n")[1]))
        assert 2 <= len(introduced) <= 4
        assert set(re.findall(r"^([A-Z]+):$", scene, re.MULTILINE)) <= {name.upper() for name in introduced}


def test_the_scene_is_about_the_treasure_of_its_title(megabyte):
    for scene in scenes(megabyte.text)[:200]:
        title = scene.split("\n")[0].removeprefix("THE ").lower()
        assert title in scene
        asked = re.findall(r"where is the ([a-z -]+)\?", scene)
        assert set(asked) <= {title}


def test_numbers_go_on_counting(megabyte):
    numbers = NUMBERS.split()
    counted = re.findall(r"counted the \w+: ([a-z, ]+)\.", megabyte.text)
    assert len(counted) > 20
    assert all(found.split(", ") == numbers[1 : 1 + len(found.split(", "))] for found in counted)
    rhymes = re.findall(r"Count with me:\n((?:.+\n)+)", megabyte.text)
    assert len(rhymes) > 50
    for rhyme in rhymes:
        firsts = [line.split()[0].lower() for line in rhyme.splitlines() if line != "And no more."]
        assert firsts == numbers[1 : 1 + len(firsts)]


def test_couplets_rhyme(megabyte):
    families = [{ending.strip() for ending in line.split("/")} for line in RHYMES.strip().splitlines()]
    songs = re.findall(r"Listen to my song:\n((?:.+\n)+)", megabyte.text)
    assert len(songs) > 50
    for song in songs:
        lines = [line.rstrip(",.") for line in song.splitlines()]
        assert len(lines) % 2 == 0
        for first, second in zip(lines[::2], lines[1::2], strict=True):
            assert any(
                any(first.endswith(ending) for ending in family) and any(second.endswith(ending) for ending in family)
                for family in families
            )
