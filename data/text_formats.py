"""Files that hold a text and are not one: what they are by their first bytes, and how a text is made of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_FIRST = 1 << 10  # bytes in which a PDF must say what it is
_ESCAPES = 3  # colours and the like in the first bytes from which on a file is the record of a terminal
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]")
_HTML = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_NOTEBOOK = re.compile(rb'\s*\{.*"(cells|nbformat|nbformat_minor)"\s*:', re.DOTALL)
_ARCHIVES = {  # what stands in the first bytes of the archive -> what it is
    b"word/": "a Word document (docx)",
    b"application/epub+zip": "an EPUB book",
    b"application/vnd.oasis.opendocument": "an OpenDocument text (odt)",
}
_ENDINGS = {".docx": b"word/", ".epub": b"application/epub+zip", ".odt": b"application/vnd.oasis.opendocument"}


@dataclass(frozen=True)
class TextFormat:
    """What a file is, and the command that makes a text of it; one with `markup` is read as it stands if wanted."""

    what: str
    command: str
    markup: bool = True


def recognise(name: str, head: bytes) -> TextFormat | None:
    """The format of a file by its name and its first bytes; None for plain text, and for what is no text at all."""
    ending = "." + name.rpartition(".")[2].lower()
    text = f"{name.rpartition('.')[0] or name}.txt"
    if b"%PDF-" in head[:_FIRST]:
        return TextFormat("a PDF", _command("pdftotext", name, text), markup=False)
    if head.startswith(b"PK\x03\x04"):
        what = next((what for sign, what in _ARCHIVES.items() if sign in head or _ENDINGS.get(ending) == sign), None)
        return TextFormat(what, _command("pandoc -t plain --wrap=none -o", text, name), markup=False) if what else None
    if head.startswith(b"{\\rtf"):
        return TextFormat("RTF, not plain text", _command("pandoc -f rtf -t plain --wrap=none -o", text, name))
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(head):
        return TextFormat("HTML, not plain text", _command("pandoc -f html -t plain --wrap=none -o", text, name))
    if _NOTEBOOK.match(head) and (ending == ".ipynb" or b"nbformat" in head):
        return TextFormat("a Jupyter notebook, not plain text", _command("jupyter nbconvert --to markdown", name))
    if _is_json_lines(head):
        return TextFormat("JSON, one value a line, not plain text", f"jq -r .text {_quoted(name)} > {_quoted(text)}")
    if len(_ESCAPE.findall(head)) >= _ESCAPES:
        return TextFormat(
            "the record of a terminal, with its escape sequences",
            f"sed 's/\\x1b\\[[0-9;?]*[A-Za-z]//g' {_quoted(name)} > {_quoted('plain-' + name)}",
        )
    return None


def _is_json_lines(head: bytes) -> bool:
    """Whether the first two lines are an object or a list each; a line that the head cuts does not count."""
    lines = [line for line in head.split(b"\n")[:-1] if line.strip()][:2] or [head]
    return all(map(_is_json, lines)) and (len(lines) == 2 or head.endswith(b"}\n"))


def _is_json(line: bytes) -> bool:
    if not line.lstrip().startswith((b"{", b"[")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _command(command: str, *names: str) -> str:
    return " ".join([command, *map(_quoted, names)])


def _quoted(name: str) -> str:
    """A name as a shell takes it."""
    return (
        name if re.fullmatch(r"[\w./-]+", name) and not name.startswith("-") else "'" + name.replace("'", "'\\''") + "'"
    )
