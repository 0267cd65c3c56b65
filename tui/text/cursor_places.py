"""Where a cursor can stand in a wrapped text: between glyphs, never inside one; and in which cell that is."""

from __future__ import annotations

from rich.cells import cell_len, get_character_cell_size

from ...data.storage.printable import visible
from .wrapped_text import WrappedText
from .wrapping import clusters, is_simple, runs, tab_cells


def glyph_start(rows: WrappedText, offset: int) -> int:
    """The beginning of the glyph that the character at `offset` belongs to."""
    offset = max(0, min(offset, len(rows.text)))
    row = rows.row_of(offset)
    begin = rows.starts[row]
    text = rows.text[begin : rows.row_end(row)]
    if begin + len(text) <= offset or text.isascii():
        return offset
    return begin + next(start for start, end in clusters(text) if offset - begin < end)


def glyph_after(rows: WrappedText, offset: int) -> int:
    """The offset behind the glyph at `offset`; at the end of the text, that."""
    row = rows.row_of(offset)
    begin = rows.starts[row]
    text = rows.text[begin : rows.row_end(row)]
    if begin + len(text) <= offset or text.isascii():
        return min(offset + 1, len(rows.text))
    return begin + next(end for _, end in clusters(text) if offset - begin < end)


def glyph_before(rows: WrappedText, offset: int) -> int:
    """The beginning of the glyph before `offset`; at the beginning of the text, that."""
    return glyph_start(rows, offset - 1)


def column_of(rows: WrappedText, offset: int) -> int:
    """In which cell of its row the glyph at `offset` begins."""
    row = rows.row_of(offset)
    text, index, column = rows.row_text(row), offset - rows.starts[row], 0
    for start, end in runs(text):
        if start >= index:
            break
        column += cells_of(text[start : min(end, index)], column, rows.width)
    return column


def cells_of(run: str, column: int, width: int) -> int:
    """The cells that one of `runs` takes when it begins at `column`."""
    return tab_cells(column, width) if run == "\t" else cell_len(visible(run))


def offset_at(rows: WrappedText, row: int, column: int) -> int:
    """The beginning of the glyph in cell `column` of a row; beyond its end, the last place that is still in this row.

    A row that goes on in the next one has no place behind its last glyph: that is the beginning of the next row.
    """
    if not 0 <= row < rows.row_count:
        return 0 if row < 0 else len(rows.text)
    begin, end = rows.starts[row], rows.row_end(row)
    text, cells = rows.text[begin:end], 0
    if is_simple(text):
        offset = begin + max(0, min(column, len(text)))
    else:
        offset = end
        for start, behind in clusters(text):
            size = cells_of(text[start:behind], cells, rows.width)
            if column < cells + size:
                offset = begin + start
                break
            cells += size
    goes_on = offset == end and row + 1 < rows.row_count and rows.starts[row + 1] == end
    return glyph_start(rows, end - 1) if goes_on else offset


def word_after(text: str, offset: int) -> int:
    """The end of the next word, or of the next row of other signs; the blanks before it are passed over."""
    while offset < len(text) and text[offset].isspace():
        offset += 1
    if offset < len(text):
        kind = _is_of_word(text[offset])
        while offset < len(text) and not text[offset].isspace() and _is_of_word(text[offset]) == kind:
            offset += 1
    return offset


def word_before(text: str, offset: int) -> int:
    """The beginning of the word before, or of the row of other signs; the blanks behind it are passed over."""
    while offset and text[offset - 1].isspace():
        offset -= 1
    if offset:
        kind = _is_of_word(text[offset - 1])
        while offset and not text[offset - 1].isspace() and _is_of_word(text[offset - 1]) == kind:
            offset -= 1
    return offset


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or get_character_cell_size(character) == 0
