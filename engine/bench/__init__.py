"""Measures the engine beside its peers. Light: it starts processes and does arithmetic, and loads no torch.

    minigpt-tui bench train ...                  needs everything that the app needs
    python -m minigpt_tui.engine.bench train ... the same where only torch is installed (and MINIGPT_HOME is set)

turns          contestants take turns, so that a slow minute of the machine hits them all alike; medians and ratios
measurements   what one bench has measured so far; it survives a failing contestant and Ctrl-C
report         the table for people and, last, one line of JSON with every figure
machine        what this machine is
options        the command line of every bench: KINDS names them

A kind of bench is one entry in `options.KINDS`, which gives its name, its help, the function that adds its options to a
parser, and its module. The module is imported when the bench begins, and has one function

    def run(arguments: argparse.Namespace, bench: Measurements) -> None

It makes a `Work` for each row of the table: its name, its contestants, and what of them is compared. A contestant is a
name and a function of the repeat (1, 2, ...; 0 where a turn only warms up) that does the work once and returns its
figures by name; a string among them is a fact beside the figures, and one called `gpu` names the device in the heading.
`bench.measure(work, repeats)` lets them take turns and keeps every figure; `bench.say(sentence)` tells on standard
error what is done just now, `bench.note(sentence)` puts a sentence below the table. Whatever the function raises of a
user's errors ends the bench with that sentence; what was measured until then is printed all the same.
"""
