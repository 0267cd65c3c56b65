import tomllib

import pytest
from minigpt_tui.tui.toml_lines import lines_of

TEXT = '''\
# a comment = 1
theme = "x"   # beside

future = [1,
          2,
          [3]]
a.b."c.d" = 1
text = """
theme = "not this"
[sampling]
"""
[sampling]
top_k = 3
inner = { one = 1, two = { three = 3 } }

  [ "keys" . x ]
"run.new" = "ctrl+e"
[[many]]
one = 1
[[many]]
one = 2
'''


def test_each_key_has_the_line_on_which_it_begins():
    assert lines_of(TEXT) == {
        ("theme",): 2, ("future",): 4, ("a",): 7, ("a", "b"): 7, ("a", "b", "c.d"): 7, ("text",): 8, ("sampling",): 12,
        ("sampling", "top_k"): 13, ("sampling", "inner"): 14, ("sampling", "inner", "one"): 14,
        ("sampling", "inner", "two"): 14, ("sampling", "inner", "two", "three"): 14, ("keys", "x"): 16,
        ("keys", "x", "run.new"): 17, ("many",): 18, ("many", "one"): 19,
    }  # fmt: skip
    assert tomllib.loads(TEXT)["keys"]["x"]["run.new"] == "ctrl+e"


@pytest.mark.parametrize("text", ["", "\n", "#", "a=1\r\nb=2\r\n", "a = [" + "\n1," * 3000 + "]\nb=1"], ids=range(5))
def test_other_texts_have_lines_as_well(text: str):
    assert lines_of(text).keys() == {(name,) for name in tomllib.loads(text)}


def test_a_value_of_very_many_lines_is_given_up():
    assert lines_of("a = [\n" + "[1],\n" * 1000 + "]\nb=1") == {}
