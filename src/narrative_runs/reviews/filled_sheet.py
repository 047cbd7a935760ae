"""The rows of a sheet that a reviewer filled in, wherever they are in it now."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from narrative_runs.errors import ReviewsError, SourceError
from narrative_runs.reviews.sheet import NOTES, ROW, VERDICT
from narrative_runs.source.cells import Unreadable, text_of
from narrative_runs.source.formats import Table, open_tables

_KEY = ("incident_id", "narrative_type")
_TEXT = "narrative_text"
_HEADER_WITHIN = 20


class FilledRow(NamedTuple):
    """A row of a sheet that was filled in.

    row: its `review_row`, empty in a sheet that has none; verdict: the cell as it is; text: of the narrative, None
    where the column was taken out; row_address, address: of the cell by which the narrative is known, and of that with
    the verdict, such as F17; cells: all of the row as texts, by the names of their columns in small letters.
    """

    row: str
    verdict: object
    notes: str
    text: str | None
    row_address: str
    address: str
    cells: Mapping[str, str]


def filled_rows(path: Path) -> list[FilledRow]:
    """All rows of an .xlsx or .csv file that are of a sheet dealt to a coder; where there is none in it, those with a
    verdict of other sheets with `incident_id` and `narrative_type`.

    Raises:
        ReviewsError: the file is missing or cannot be read, or has no such columns.
    """
    if path.suffix.lower() not in (".xlsx", ".csv") or not path.is_file():
        what = "does not exist" if not path.is_file() else "is another kind of file"
        raise ReviewsError(f"{path} {what}. Name a sheet that was filled in, .xlsx or .csv.")
    try:
        headers = [(table, header) for table in open_tables(path) if (header := _header(table)) is not None]
        dealt = [(table, header) for table, header in headers if ROW in header[1]]
        sheets = [filled for table, header in dealt or headers if (filled := list(_rows(table, *header)))]
    except SourceError as error:
        raise ReviewsError(str(error).replace("Data file", "The sheet", 1)) from None
    if not headers:
        raise ReviewsError(
            f"{path} has no column {VERDICT}, and none by which its narratives are known: {ROW}, or incident_id and "
            "narrative_type. Is it a sheet for a reviewer?"
        )
    if not sheets:
        raise ReviewsError(f"{path} has no filled-in row.")
    if len(sheets) > 1 and not dealt:
        # They may be of different variables.
        raise ReviewsError(f"{path} has verdicts in {len(sheets)} sheets. Save each as a separate file.")
    return [row for rows in sheets for row in rows]


def _header(table: Table) -> tuple[int, dict[str, int]] | None:
    """The number of the row that names the columns, and their indices from 0; None where there is none."""
    for at, (number, cells) in enumerate(table.rows()):
        names = [text_of(cell).strip().casefold() for cell in cells]
        if VERDICT in names and (ROW in names or {*_KEY} <= {*names}):
            return number, {name: index for index, name in reversed(list(enumerate(names))) if name}
        if at >= _HEADER_WITHIN:
            break
    return None


def _rows(table: Table, header: int, columns: dict[str, int]) -> Iterator[FilledRow]:
    known_by = ROW if ROW in columns else _KEY[0]
    for number, cells in table.rows():
        if number <= header:
            continue
        verdict = _cell(cells, columns[VERDICT])
        texts = {name: text_of(_cell(cells, index)) for name, index in columns.items()}
        if _is_blank(verdict) and (known_by != ROW or not texts[ROW].strip()):
            continue
        yield FilledRow(
            texts.get(ROW, "").strip().casefold(),
            None if _is_blank(verdict) else verdict,
            texts.get(NOTES, "").strip(),
            texts.get(_TEXT),
            table.address(number, columns[known_by]),
            table.address(number, columns[VERDICT]),
            texts,
        )


def _cell(cells: Sequence[object], index: int) -> object:
    return cells[index] if index < len(cells) else None


def _is_blank(cell: object) -> bool:
    return cell is None or (not isinstance(cell, Unreadable) and not text_of(cell).strip())
