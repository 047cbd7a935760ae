"""From a workbook to its narratives: one row each, blanks and duplicates out, all of that counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from narrative_runs.errors import SourceError
from narrative_runs.source.cells import label_of, text_of
from narrative_runs.source.formats import Sheet, open_sheet
from narrative_runs.source.layouts import LABELLED, LONG
from narrative_runs.source.quality import DataQuality, OddLabel, measure
from narrative_runs.source.rules import CURRENT, ReadingRules
from narrative_runs.source.shards import NARRATIVE_TYPES

_KEY = ["incident_id", "narrative_type"]
_COLUMNS = ["row_num", *_KEY, "narrative_text", "manual_flag_ind", "manual_flag", "source_row"]
_SHOWN_CHARACTERS = 20
_SHOWN_ROWS = 5
# Excel keeps 15 digits of a number, and writes zeros for the rest.
_EXCEL_CHANGES_FROM = 10**15

Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Source:
    """The narratives of a workbook and what was met on the way to them.

    ``narratives`` has the columns row_num [int64, from 1, in workbook order, cme before le], incident_id,
    narrative_type ("cme" or "le"), narrative_text [string], manual_flag_ind (the narrative's own label) and
    manual_flag (the incident's label) [Int64: 0, 1 or NA], source_row [int64, the row in the workbook].
    """

    narratives: pd.DataFrame
    quality: DataQuality


def read(path: Path, rules: ReadingRules = CURRENT) -> Source:
    """Read an .xlsx, .csv or .parquet workbook of any of the three layouts, by the rules of the experiment.

    Left out are blank narratives, those without an id, and all but the first with one (incident_id,
    narrative_type). Raises SourceError if the file cannot be read, has no known layout or has no narrative, or if Excel
    has changed its ids.
    """
    sheet = open_sheet(path, rules)
    warnings = _refused_or_warned(path, sheet, rules)
    odd: list[OddLabel] = []
    cells = _long(path, sheet, odd) if sheet.layout is LONG else _wide(sheet, odd)
    row_is_empty = ~cells["row"].isin(cells.loc[~cells["empty"], "row"])
    rows_empty = cells.loc[row_is_empty, "row"].nunique()
    cells = cells[~row_is_empty]
    if cells.empty:
        raise SourceError(f"{_place(path, sheet)} has a header but no rows.\nCheck data.file in the params.")
    has_id = cells["incident_id"] != ""
    odd += _contradictions(cells[has_id], "manual_flag" if sheet.layout is LONG else "ipv_manual")

    blank = cells["blank"]
    named = cells[~blank & has_id]
    duplicate = named.duplicated(_KEY)
    kept = named[~duplicate]
    if kept.empty:
        raise SourceError(
            f"{_place(path, sheet)} has {cells['row'].nunique()} rows, but no narrative with an id.\n"
            "Check that the narratives stand in the columns that carry their names."
        )
    narratives = kept.assign(row_num=range(1, len(kept) + 1), source_row=kept["row"])[_COLUMNS].reset_index(drop=True)
    quality = measure(
        file=path.name,
        layout=sheet.layout.name,
        sheet=sheet.name,
        columns_unread=list(sheet.unread),
        rows_read=cells["row"].nunique(),
        rows_empty=rows_empty,
        narratives=narratives,
        blanks=cells[blank],
        duplicates=named[duplicate],
        without_id=cells[~blank & ~has_id],
        odd_labels=sorted(odd, key=lambda label: label.row),
        warnings=warnings,
    )
    return Source(narratives, quality)


def _refused_or_warned(path: Path, sheet: Sheet, rules: ReadingRules) -> list[str]:
    """What these rules only warn about, because later ones were the first to refuse it."""
    problem = _ids_changed_by_excel(path, sheet)
    if problem and rules.refuse_since(2):
        raise SourceError(problem)
    return [problem] if problem else []


def _ids_changed_by_excel(path: Path, sheet: Sheet) -> str:
    """What is wrong with ids that were typed into Excel as numbers of more than 15 digits; empty if none was."""
    if path.suffix.lower() != ".xlsx":
        return ""
    column = "incident_id" if sheet.layout is LONG else "IncidentID"
    changed = [
        row
        for row, value in enumerate(sheet.columns[column], start=sheet.first_row)
        if isinstance(value, int | float) and _EXCEL_CHANGES_FROM <= abs(value) < float("inf")
    ]
    if not changed:
        return ""
    rows = ", ".join(map(str, changed[:_SHOWN_ROWS])) + (", ..." if len(changed) > _SHOWN_ROWS else "")
    return (
        f"{_place(path, sheet)} has {len(changed)} ids in {column} that are numbers of more than 15 digits "
        f"(rows {rows}): Excel keeps only the first 15, so that different ids may have become the same.\n"
        "Save the file from its source again, with this column as text, or as .csv or .parquet."
    )


def _wide(sheet: Sheet, odd: list[OddLabel]) -> pd.DataFrame:
    """Two rows, cme and le, for each row of a production or labelled sheet."""
    columns, count = sheet.columns, len(sheet.columns["IncidentID"])
    none: list[int | None] = [None] * count
    own_labels = [none, none]
    incident_labels = none
    if sheet.layout is LABELLED:
        own_labels = [_labels(sheet, column, odd) for column in ("ipv_manualCME", "ipv_manualLE")]
        incident_labels = _labels(sheet, "ipv_manual", odd)
    cells = _table(
        rows=_twice(range(sheet.first_row, sheet.first_row + count)),
        ids=_twice(columns["IncidentID"]),
        types=list(NARRATIVE_TYPES) * count,
        texts=_interleaved(columns["NarrativeCME"], columns["NarrativeLE"]),
        own_labels=_interleaved(*own_labels),
        incident_labels=_twice(incident_labels),
    )
    return cells.assign(incident=cells["row"])


def _long(path: Path, sheet: Sheet, odd: list[OddLabel]) -> pd.DataFrame:
    """A row for each row of a long sheet; without manual_flag, incidents get the highest of its labels."""
    columns, count = sheet.columns, len(sheet.columns["incident_id"])
    given = "manual_flag" in columns
    cells = _table(
        rows=range(sheet.first_row, sheet.first_row + count),
        ids=columns["incident_id"],
        types=[text_of(value).strip().lower() for value in columns["narrative_type"]],
        texts=columns["narrative_text"],
        own_labels=_labels(sheet, "manual_flag_ind", odd),
        incident_labels=_labels(sheet, "manual_flag", odd) if given else [None] * count,
    )
    unknown = cells[~cells["narrative_type"].isin(NARRATIVE_TYPES) & ~cells["empty"]]
    if len(unknown):
        first = [f"  row {row}: {kind[:_SHOWN_CHARACTERS]!r}" for row, kind in _pairs(unknown.head(5))]
        raise SourceError(
            f"{_place(path, sheet)} has {len(unknown)} rows whose narrative_type is neither cme nor le:\n"
            + "\n".join(first)
            + "\nCorrect these cells."
        )
    cells = cells.assign(incident=cells["incident_id"])
    return cells if given else cells.assign(manual_flag=_highest(cells))


def _table(
    rows: Sequence[int],
    ids: Sequence[object],
    types: Sequence[str],
    texts: Sequence[object],
    own_labels: Sequence[int | None],
    incident_labels: Sequence[int | None],
) -> pd.DataFrame:
    narratives = [text_of(value).replace("\r\n", "\n") for value in texts]
    table = pd.DataFrame(
        {
            "row": pd.Series(rows, dtype="int64"),
            "incident_id": pd.array([text_of(value).strip() for value in ids], dtype="string"),
            "narrative_type": pd.array(types, dtype="string"),
            "narrative_text": pd.array(narratives, dtype="string"),
            "manual_flag_ind": pd.array(own_labels, dtype="Int64"),
            "manual_flag": pd.array(incident_labels, dtype="Int64"),
            "blank": pd.Series([not text.strip() for text in narratives], dtype="bool"),
        }
    )
    unlabelled = table["manual_flag_ind"].isna() & table["manual_flag"].isna()
    return table.assign(empty=table["blank"] & (table["incident_id"] == "") & unlabelled)


def _labels(sheet: Sheet, column: str, odd: list[OddLabel]) -> list[int | None]:
    """The labels of a column; those that cannot be told are NA, and added to ``odd``."""
    labels: list[int | None] = []
    for row, value in enumerate(sheet.columns[column], start=sheet.first_row):
        try:
            labels.append(label_of(value))
        except ValueError:
            labels.append(None)
            shown = text_of(value).strip()[:_SHOWN_CHARACTERS]
            odd.append(OddLabel(row, column, shown, "neither 0 nor 1: taken as no label"))
    return labels


def _contradictions(cells: pd.DataFrame, column: str) -> list[OddLabel]:
    """One for each row whose incident label is not the highest of the labels of its narratives."""
    highest = _highest(cells)
    wrong = (cells["manual_flag"] != highest).fillna(False).astype(bool)
    rows = cells.assign(highest=highest)[wrong].drop_duplicates("row")
    return [
        OddLabel(row, column, str(flag), f"the highest label of its narratives is {top}: kept")
        for row, flag, top in zip(rows["row"], rows["manual_flag"], rows["highest"], strict=True)
    ]


def _highest(cells: pd.DataFrame) -> pd.Series:
    return cells.groupby("incident")["manual_flag_ind"].transform("max")


def _pairs(rows: pd.DataFrame) -> list[tuple[int, str]]:
    return list(zip(rows["row"], rows["narrative_type"], strict=True))


def _twice(values: Sequence[Cell]) -> list[Cell]:
    return _interleaved(values, values)


def _interleaved(cme: Sequence[Cell], le: Sequence[Cell]) -> list[Cell]:
    return [cell for pair in zip(cme, le, strict=True) for cell in pair]


def _place(path: Path, sheet: Sheet) -> str:
    return f"Data file {path}" + (f", sheet {sheet.name!r}," if sheet.name else "")
