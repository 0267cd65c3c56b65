"""Small texts of the kinds in which people speak, and of those in which nobody does."""

from __future__ import annotations

SAID = (("Bo", "ok"), ("Kim Li", "see you"), ("Bo", "yes"), ("Kim Li", "no"), ("Bo", "bye"))


def chat(pattern: str, said: tuple[tuple[str, str], ...] = SAID) -> str:
    """One line, or what the pattern makes of it, for each of what is said; `n` counts them, from 1."""
    return "".join(
        pattern.format(name=name, text=text, nick=name.split()[0].lower(), n=n)
        for n, (name, text) in enumerate(said, 1)
    )


CHATS = {
    "whatsapp-iphone": chat("[01/03/24, 1:0{n} PM] {name}: {text}\n"),
    "whatsapp-narrow-blank": chat("\u200e[01/03/24, 1:0{n}\u202fPM] {name}: {text}\n"),
    "whatsapp-seconds": chat("[2024-03-01, 13:00:0{n}] {name}: {text}\n"),
    "whatsapp-android": chat("01.03.24, 13:0{n} - {name}: {text}\n"),
    "whatsapp-us": chat("3/1/24, 1:0{n} PM - {name}: {text}\n"),
    "whatsapp-several-lines": chat("01.03.24, 13:0{n} - {name}: {text}\nand more: so\n\nyes\n"),
    "whatsapp-web": chat("[13:0{n}, 3/1/2024] {name}: {text}\n"),
    "whatsapp-slashes": chat("2024/3/1 13:0{n} - {name}: {text}\n"),
    "irc": chat("<{nick}> {text}\n"),
    "irc-dated": chat("Mar 01 13:00:0{n} <{nick}>\t{text}\n"),
    "irc-iso": chat("[2024-03-01T13:00:0{n}.123Z] <{nick}> {text}\n"),
    "pidgin": chat("(01:00:0{n} PM) {nick}: {text}\n"),
    "teams": chat("[1:0{n} PM] {name}\n{text}\n"),
    "irc-stamped": chat("[13:0{n}] <{nick}> {text}\n"),
    "irssi": chat("13:0{n} <@{nick}> {text}\n"),
    "weechat": chat("2024-03-01 13:00:0{n}\t{nick}\t{text}\n"),
    "discord": chat("[01-Mar-24 01:0{n} PM] {name}\n{text}\n\n"),
    "discord-copied": chat("{name} — 03/01/2024 1:0{n} PM\n{text}\n"),
    "slack": chat("{name}  1:0{n} PM\n{text}\n"),
    "slack-export": chat("[2024-03-01 13:0{n}:00] {name}: {text}\n"),
    "telegram": chat("{name}, [01.03.24 13:0{n}]\n{text}\n\n"),
    "telegram-new": chat("{name}, [Mar 1, 2024 at 1:0{n}:00 PM]:\n{text}\n\n"),
    "marks": chat("<|{nick}|>{text}<|end|>"),
    "marks-without-end": chat("<|{nick}|>{text}\n"),
    "turns": chat("<|im_start|>{nick}\n{text}<|im_end|>\n"),
    "markdown": chat("**{name}:** {text}\n\n"),
    "lines": chat("{name}: {text}\n"),
    "nicks": chat("{nick}: {text} it is\n"),
    "headings": chat("### {name}: {text}\n"),
    "quoted": chat("> {name}: {text}\n"),
    "boxed": chat("[{name}]: {text}\n"),
    "transcript": chat("{name} (00:0{n}): {text}\n"),
}
"""In each, Bo speaks three times and Kim Li, or kim, twice."""

PLAYS = {
    "names-above": """ACT I

SCENE I. Verona. A street.

Enter ROMEO and JULIET

ROMEO:
But soft! what light? She speaks:
it is the east.

JULIET:
Ay me!

[Exit]

ROMEO:
Note: she speaks.
O, speak again.

First Citizen:
Speak, speak.

JULIET:
Anon!

First Citizen:
Hear me.

ROMEO:
So be it.
""",
    "names-with-period": """PERSONS REPRESENTED

ROMEO. Son to Montague.
ESCALUS. Prince of Verona.
ESCALUS. Prince of Mantua.

ACT I. SCENE II.

ROMEO.
But soft, what light
through yonder window breaks?

JULIET.
[_Aside._] Ay me!

 [_Exit Nurse._]

ROMEO.
She speaks.

JULIET. [_Above._]
Good night.

FIRST CITIZEN.
Speak.

FIRST CITIZEN.
Speak, speak.

ROMEO.
What?

THE END
""",
    "period-and-speech": """ROMEO. But soft! Be quiet. She speaks.
Nobody hears.

JULIET [_above_]. Ay me!

ROMEO. She speaks.

MRS. ALVING. How do you do?

JULIET. Good night.

MRS. ALVING. Just now.

ROMEO. So be it.
""",
    "tabs": """DRAMATIS PERSONAE

ROMEO\tson to Montague. (ROMEO:)

ESCALUS\tprince of Verona.

SCENE I\tVerona.

ROMEO\tBut soft! what light?
\tIt is the east.

JULIET\tAy me!

\t[Exit]

ROMEO\tShe speaks.

First Citizen\tSpeak.

JULIET\tGood night.

First Citizen\tSpeak, speak.

ROMEO\tSo be it.
""",
    "script": """INT. HOUSE - DAY

          ROMEO
     But soft!

          JULIET
        (softly)
     Ay me!

Romeo sits.

          ROMEO
     She speaks.

          JULIET
     Good night.

          ROMEO
     So be it.
""",
}
"""In each, ROMEO speaks three times and JULIET twice."""

NOBODY = {
    "novel": """CHAPTER I.

It was late. He said: "Come in."
She said: I will not.
Note: the door was open.

Mr. Smith went home. Mrs. Smith did not.
"Yes," he said: "no."
He said: "Go."
She said: "Stay."
Elizabeth. She was there. The road to
London. It was long.
""" * 6,
    "letters": "Dear Bo:\nIt rains.\n\nYours,\nKim\n\nP.S.: Write soon.\n\nDear Kim:\nIt snows.\n\nP.S.: Come.\n\n",
    "narrated": "宝玉笑道：“好妹妹。”\n黛玉道：“你也好。”\n" * 6,
    "poems": "SONG.\n\nI.\nRoses are red\nViolets are blue\n\nII.\nSo are you\n\n" * 6,
    "headings": "PREFACE\nIt was so.\n\nCHAPTER ONE\nThe day came.\n\nCHAPTER TWO\nThe night came.\n\n" * 4,
    "acts": "ACT I. SCENE I.\nA room in the castle.\n\nACT I. SCENE II.\nA room in the castle.\n\nEnter ROMEO.\n\n" * 6,
    "persons": "DRAMATIS PERSONAE\n\nHAMLET: x.\nHAMLET: y.\nOPHELIA: x.\nOPHELIA: y.\n\nACT I\n\nIt rains.\n",
    "verses": "1:1 In the beginning God created.\n1:2 And God said, Let there be light: and there was.\n" * 9,
    "records": "name: alex smith\nage: 12\ncity: Berlin here\nhobby: long walks\n\n" * 9,
    "cards": "Haus: das Haus\nFront: a house\nBack: the house\n\n" * 9,
    "mail": "From: Alex Smith\nTo: Bo Li\nSubject: hello there\nDate: today\n\nHello Bo, it rains.\n\n" * 6,
    "python": "class A:\n    def f(self):\n        try:\n            x()\n        else:\n            pass\n" * 9,
    "c": "class {\npublic:\n  int x;\nprivate:\n  switch (a) {\n  case X: return 1;\n  default: break;\n  }\n};\n" * 9,
    "styles": "p {\n  color: red;\n  margin: 0 auto;\n}\na {\n  color: blue;\n}\n" * 9,
    "log": "2024-03-01 13:00:00 INFO: started now\n2024-03-01 13:00:01 DEBUG: it works\n" * 9,
    "system-log": "Mar  1 13:00:00 host sshd[123]: Failed password\nMar  1 13:00:01 host kernel: ok then\n" * 9,
    "parameters": "Parameters\n----------\n    G : graph\n        A graph.\n    k : integer\n        A number.\n\n" * 9,
    "times": "10:00 Breakfast with all\n11:00 Walk: to the sea\n12:00 Lunch\n" * 6,
    "subtitles": "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n\n2\n00:00:03,000 --> 00:00:04,000\nNo.\n\n" * 6,
    "amounts": "Sugar: 200 g\nFlour: 1 cup\nSugar: 2 spoons\nEggs: 3 or 4\n\n" * 6,
    "songs": "Verse 1:\nIt rains.\n\nChorus:\nLa la la.\n\nVerse 2:\nIt snows.\n\nChorus:\nLa la la.\n\n" * 6,
    "recipes": "Ingredients:\n2 eggs\n\nDirections:\nBeat the eggs.\n\nServes: 4 people\n\n" * 6,
    "markup": "<p> hello there</p>\n<div> foo bar</div>\n<p> again</p>\n" * 6,
    "markdown": "# Title\n\n## Part: one\n\n- **Fast:** it is fast.\n- **New:** it is.\n\nNote: x.\n\n" * 4,
    "addresses": "http://a.b/c\nhttps://c.d\nftp: foo bar\nhttp: bar foo\n" * 6,
    "table": "Cat\tThe cat sat\nDog\tThe dog ran\nCat\tA cat\nCat\tAny\nDog\tno one\n" * 9,
    "documents": "It rains.<|endoftext|>It snows.<|endoftext|>" * 9,
    "one-speaker": "ROMEO:\nBut soft!\n\n" * 9,
    "empty": "",
}  # fmt: skip
