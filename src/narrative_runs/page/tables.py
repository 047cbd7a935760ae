"""Tables of the page, in words, whose cells may lead elsewhere."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from narrative_runs.findings.suppression import counted
from narrative_runs.report import cells


class Cell(NamedTuple):
    """What stands in a cell, and the address that it leads to, empty where it leads nowhere; about: what a listener
    hears of the address beside the words, such as `false positives, CME`."""

    words: str
    address: str = ""
    about: str = ""


class Table(NamedTuple):
    """A table: its caption, the titles of its columns, and its rows, of which the first cell is the head.

    is_matrix: whether it is a confusion matrix, whose cells have borders; has_words: whether its cells are sentences.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_matrix: bool = False
    has_words: bool = False


class Section(NamedTuple):
    """A part of a page under one heading: sentences, in which what is typed stands in backticks, tables, and parts."""

    name: str
    title: str
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[str] = ()
    parts: Sequence["Section"] = ()


def count_cell(count: int | str | None, address: str, about: str = "") -> Cell:
    """A count that leads to what it counts; one that is masked, none, or zero leads nowhere."""
    if count is None:
        return Cell("–")
    return Cell(counted(count), address if isinstance(count, int) and count else "", about)


def in_cells(rows: Iterable[Sequence[str]]) -> list[list[Cell]]:
    """Rows of words as cells that lead nowhere."""
    return [[Cell(words) for words in row] for row in rows]


def plain_table(table: cells.Table) -> Table:
    """A table of the report, with no links in its cells."""
    return Table(table.caption, table.columns, in_cells(table.rows))
