"""The sheet that a coder gets: one row a narrative, with an id that reveals nothing, and room for a verdict."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Quote, Text, Variable
from narrative_runs.findings.excel import FOR_THE_REVIEWER
from narrative_runs.findings.sheets import Sheet, table_rows, write_sheets
from narrative_runs.findings.tables import write_csv
from narrative_runs.user_files import owner_only

ROW = "review_row"
VERDICT, NOTES = FOR_THE_REVIEWER
TITLE = "review"
# "Data validation": what Excel takes of a list, its commas included.
_LONGEST_LIST = 255
# Of a long text a cell holds the beginning alone.
_COMPARED_CHARACTERS = 10_000
_NOT_COMPARED = re.compile(r"[^0-9A-Za-z]+")


def checksum_of_text(text: str) -> str:
    """The checksum by which to recognise a narrative, whatever a spreadsheet made of its blanks and special
    characters."""
    plain = _NOT_COMPARED.sub("", text[:_COMPARED_CHARACTERS])
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def review_sheet(rows: pd.DataFrame, shown: pd.DataFrame, drawn_as: Sequence[str] = ()) -> pd.DataFrame:
    """The sheet: `review_row`, the columns `drawn_as` of the rows, what is shown, and empty columns to be filled in.

    In: one row a narrative in the order of the sheet, with `row`, `incident_id` and `narrative_type`; what is shown, by
    these two. A column that is called like one of the sheet's own has `workbook_` before its name.
    """
    own = {ROW, *drawn_as, *FOR_THE_REVIEWER}
    beside = shown.rename(columns={name: f"workbook_{name}" for name in shown.columns if name in own})
    beside = beside.loc[pd.MultiIndex.from_frame(rows[["incident_id", "narrative_type"]])].reset_index(drop=True)
    first = rows[["row", *drawn_as]].rename(columns={"row": ROW}).reset_index(drop=True)
    nothing = {name: pd.array([pd.NA] * len(rows), dtype="string") for name in FOR_THE_REVIEWER}
    return pd.concat([first, beside], axis=1).assign(**nothing)


def choices_of(variable: Variable) -> dict[str, Sequence[str]]:
    """The values that a reviewer can choose from in the column of verdicts; none where a list in a cell cannot hold the
    values, or would refuse what people type."""
    values = [*dict.fromkeys([*variable.value_names, UNCLEAR])]
    is_list = isinstance(variable, Category | Ordinal) and len(",".join(values)) <= _LONGEST_LIST
    return {VERDICT: values} if is_list and not any("," in each or '"' in each for each in values) else {}


def how_to_type(variable: Variable) -> str:
    """How to type a verdict, in words."""
    match variable:
        case Binary():
            return "1, yes or x for yes; 0 or no for no; unclear where the text does not tell"
        case Multi():
            return f"any of these, parted by a semicolon: {', '.join(variable.value_names)}; none for none; or unclear"
        case Number():
            return "a number; unclear where the text does not tell"
        case Quote() | Text():
            return "any text"
        case _:
            return f"one of these: {', '.join(variable.value_names)}; or unclear"


def about(variable: Variable, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of the sheet that explains the task to a coder; facts: about this sheet."""
    return [
        *((name, str(value)) for name, value in facts.items()),
        ("definition", variable.definition),
        (f"type into {VERDICT}", how_to_type(variable)),
        ("leave blank", "what you have not read"),
        ("read from the top", "the order is random, so that a part of the sheet is a sample too"),
        (ROW, "leave it as it is: by it your verdicts are known again, however the sheet is sorted"),
    ]


def write_review(sheet: pd.DataFrame, variable: Variable, lines: Sequence[tuple[str, str]], path: Path) -> None:
    """Write the sheet as .xlsx, with a second sheet `about` of these lines, or as .csv.

    Raises:
        FindingsError: the file cannot be written.
    """
    table = pa.Table.from_pandas(sheet, preserve_index=False)
    with owner_only(path) as draft:
        if path.suffix.lower() == ".csv":
            write_csv(table, draft)
            return
        widths = {"name": 30, "value": 100}
        write_sheets(
            [
                Sheet(TITLE, table.column_names, table_rows(table), table.num_rows, choices_of(variable)),
                Sheet("about", list(widths), lines, len(lines), widths=widths),
            ],
            draft,
        )
