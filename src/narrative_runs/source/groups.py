"""The groups of the narratives: what `report.groups` asks for, columns of the workbook such as Sex or IncidentYear."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.errors import FindingsError
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder

BLANK = "(blank)"
MOST_GROUPS = 100


def column_of(name: str, there: Sequence[str], asked_by: str = "report.groups") -> str:
    """The column of the results that a name of `report.groups` means: itself, whatever its case, or with the prefix
    that the workbook's column has where its name is one of ours. asked_by: where the user named it.

    Raises:
        FindingsError: there is none.
    """
    for wanted in (name, f"workbook_{name}"):
        if found := [column for column in there if column.casefold() == wanted.casefold()]:
            return wanted if wanted in found else found[0]
    raise FindingsError(
        f"{asked_by} names {name}, and the workbook has no such column. "
        + (f"There are: {', '.join(there)}." if there else "It has none besides those of its layout.")
    )


def read_groups(other_columns: Path, names: Sequence[str], asked_by: str = "report.groups") -> pa.Table:
    """The group of each narrative in each column: `row_num`, and a column of texts for each of the names, called as in
    the results.

    In: the file of the workbook's other columns, as `OtherColumns.write` makes it; asked_by: where the user named
    them. Logicals are written as in results.csv; where a cell is blank, the group is BLANK.

    Raises:
        FindingsError: there is no such column, or it has more than MOST_GROUPS groups.
    """
    there = [name for name in pq.read_schema(other_columns).names if name != "row_num"]
    columns = list(dict.fromkeys(column_of(name, there, asked_by) for name in names))
    table = pq.read_table(other_columns, columns=["row_num", *columns])
    texts = {column: list(map(_text, table[column].to_pylist())) for column in columns}
    for name, groups in texts.items():
        if (count := len(set(groups))) > MOST_GROUPS:
            raise FindingsError(
                f"{asked_by} names {name}, which has {count:,} different values; {MOST_GROUPS} groups are the most. "
                "Give the workbook a column of fewer, such as of age groups or regions."
            )
    return pa.table({"row_num": table["row_num"], **texts})


def groups_of(folder: ExperimentFolder, params: Params) -> dict[str, list[str]]:
    """The group of each narrative, in the order of `row_num` from 1, by the column; none where none are asked for.

    Raises:
        FindingsError: as `read_groups`.
    """
    if not params.report.groups or not folder.other_columns.exists():
        return {}
    columns: dict[str, list[str]] = read_groups(folder.other_columns, params.report.groups).to_pydict()
    del columns["row_num"]
    return columns


def _text(value: Any) -> str:
    if value is None:
        return BLANK
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or BLANK
