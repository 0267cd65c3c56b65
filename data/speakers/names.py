"""What may be a speaker's name: not a heading, not the label of a note, not the key of a record."""

from __future__ import annotations

import re

from .form import LONGEST_NAME, NameCase

_MOST_WORDS = 5
_PARTICLE_WORDS = """
a about an and at by da dal de del della den der des di do du e el et for from i in into la las le les los nd nor o
of on or rd st th the to und van vom von with y zu zum zur и
"""
_HEADING_WORDS = """
flourish alarum alarums sennet dies aside manet manent sings
act actus scene scaena scena chapter book part canto volume vol section stanza letter appendix contents preface
foreword introduction argument finis end exit exeunt enter re-enter dramatis persons personae curtain aufzug akt
auftritt szene kapitel vorhang acte scène tableau chapitre atto capitolo acto escena capítulo capitulo jornada ato
cena akte bedrijf toneel hoofdstuk действие явление глава сцена картина акт занавес часть int ext fade cut interior
exterior project gutenberg
"""
_LABEL_WORDS = """
article articles clause clauses paragraph schedule annex exhibit item items verse psalm hymn lesson unit module
bridge refrain intro outro interlude hook pre-chorus coda strophe strofe estribillo couplet
note notes nota nb n.b ps p.s pps warning caution danger important attention example examples e.g i.e viz tip tips
hint hints todo fixme xxx see cf source sources reference references figure fig table plate map section step steps
rule rules definition theorem lemma proof remark remarks corollary proposition exercise solution summary abstract
keywords conclusion background introduction overview description usage syntax options arguments returns raises
yields parameters param params args also author authors title titles subtitle language languages translator
translators editor editors publisher published release date dates posting credits produced illustrator subject from
to cc bcc re fwd sent reply-to message-id received return-path content-type mime-version x-mailer name names first
last id ids type types kind key value values url uri link links website homepage version versions status state tags
tag category categories label labels class classes size color colour width height length weight amount total
subtotal price cost quantity address phone tel telephone fax mobile email e-mail mail birthday born died age gender
sex time times start begin end place location city country street zip code ingredients directions instructions
method preparation serves yield servings input inputs output outputs result results expected actual given when then
and but feature scenario word words synonyms antonyms etymology pronunciation plural noun verb adjective front back
term meaning translation http https ftp file mailto ssh git www info debug error errors warn fatal critical notice
trace verbose exception traceback caused by license licence copyright files comment format upstream-name
upstream-contact upstream disclaimer issue issues bug bugs pr gh patch commit in out else try finally except default
public private protected signals slots case do if elif while for with lambda return def struct enum union true false
null none yes no on off image command environment volumes ports services build run jobs uses env depends changed
added removed fixed deprecated security unreleased monday tuesday wednesday thursday friday saturday sunday january
february march july september october november december morning afternoon evening day week month year illustration
footnote footnotes endnote sidenote transcriber's mr mrs ms dr st prof rev hon capt col gen lt sgt sr jr messrs mme
mlle nos vol ch chap pp hinweis achtung beispiel anmerkung bemerkung remarque exemple attenzione bene ejemplo
примечание пример 注 注意 例 参考 作者 时间 地点 标题
"""
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_HEADINGS = frozenset(_HEADING_WORDS.split())  # each the first word of a heading or of a stage direction
_LABELS = frozenset(_LABEL_WORDS.split())
_LABEL_PHRASES = frozenset(
    ("see also", "first name", "last name", "release date", "posting date", "caused by", "zip code", "nota bene",
     "preparation time", "transcriber's note", "most recently updated", "original publication", "changed files",
     "signed-off-by", "co-authored-by", "reviewed-by")
)  # fmt: skip
_ROMAN = re.compile(r"[IVXLC]{1,8}|[ivxlc]{2,8}")


def is_label(name: str) -> bool:
    """Whether it is what stands before a note or a value: such lines make a record, not a dialogue."""
    plain = name.casefold().strip(" .*_")
    return plain in _LABEL_PHRASES or plain.rstrip("0123456789 #-") in _LABELS


def is_heading(name: str) -> bool:
    """Whether it is a heading, a number of one, or a stage direction."""
    words = name.replace("_", " ").split()
    return not words or words[0].casefold().strip(".,:;") in _HEADINGS or bool(_ROMAN.fullmatch(words[0].strip(".")))


def case_of(name: str) -> NameCase:
    """The strictest case that the name has: all its letters large, each of its words begun so, or any."""
    if name.upper() == name and name.lower() != name:
        return "upper"
    return "title" if all(map(_is_title, name.split())) else "any"


def has_case(name: str, case: NameCase) -> bool:
    """Whether a name has that case or a stricter one; scripts without case have each."""
    if name.lower() == name.upper() or case == "any":
        return True
    return case_of(name) == "upper" or case == case_of(name)


def may_become(begun: str, case: NameCase) -> bool:
    """Whether what is written so far may become a name that nobody knows yet; an empty text may."""
    if len(begun) > LONGEST_NAME or len(begun.split()) > _MOST_WORDS:
        return False
    if not begun:
        return True
    if not (begun[0].isalnum() or begun[0] in "~_+@#" or ord(begun[0]) > 0x2000):
        return False
    if case == "upper":
        return begun == begun.upper()
    *whole, last = begun.split(" ")
    lasting = case == "any" or _is_title(last) or any(particle.startswith(last) for particle in _PARTICLES)
    return lasting and (case == "any" or all(map(_is_title, whole)))


def may_be(name: str, case: NameCase) -> bool:
    """Whether it may be the name of a speaker whom nobody knows yet."""
    whole = may_become(name, case) and (case == "any" or _begins_large(name)) and any(map(str.isalnum, name))
    return whole and (case != "title" or has_case(name, "title")) and not is_heading(name) and not is_label(name)


def _is_title(word: str) -> bool:
    return (word.casefold() == word and word in _PARTICLES) or _begins_large(word)


def _begins_large(word: str) -> bool:
    first = next(filter(str.isalnum, word), "")
    return not first or first == first.upper()
