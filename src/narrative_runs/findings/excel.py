"""The results as an Excel workbook, for people who read and judge them.

Sheets: `results` (all rows), `read_first` (see `findings.read_first`), `disagreements` (false positives and false
negatives, with room for a reviewer's verdict), `metrics`, `data_quality`, and `columns`, which explains the columns of
the others. With a codebook a sheet for each variable follows (see `findings.disagreements`), which `columns` explains
too. The source's other columns are in `results` and `disagreements`, as they are; our own fractions are rounded.
Every text is text, even one that begins like a formula, and wraps; the names of metrics and of facts stand in one line.
Left out are raw_response and fingerprint, which are for programs and would make it large; results.parquet has them, and
all digits.
It is written anew at every merge: a reviewer works on a copy under another name.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import columns_of, names_of
from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.column_meanings import meaning_of
from narrative_runs.findings.columns import other_columns
from narrative_runs.findings.disagreements import Disagreements, disagreement_sheets
from narrative_runs.findings.read_first import NEEDED, read_first
from narrative_runs.findings.rounding import rounded
from narrative_runs.findings.sheets import WIDEST, Sheet, table_rows, write_sheets

COLUMNS = "columns"
LEFT_OUT = ("raw_response", "fingerprint")
REVIEWED = (
    "row_num",
    "incident_id",
    "narrative_type",
    "narrative_text",
    "manual_flag_ind",
    "detected",
    "confidence",
    "p_detected",
    "indicators",
    "rationale",
)
_OF_A_RATE = {"value", "low", "high"}
FOR_THE_REVIEWER = ("reviewer_verdict", "reviewer_notes")


def write_workbook(
    table: pa.Table,
    metrics: dict[str, Any],
    data_quality: dict[str, Any],
    path: Path,
    codebook: Codebook = DEFAULT,
    listed: Sequence[Disagreements] = (),
) -> None:
    """Write the finished results, metrics and data quality; the same content gives the same bytes.

    codebook: what was asked, which says what the columns of its variables mean; listed: of each variable with a sheet
    of its own what that lists.
    """
    table = with_rounded_fractions(table, codebook)
    reviewed = disagreements(table, codebook)
    shown = table.select([name for name in table.column_names if name not in LEFT_OUT])
    lines, facts = metric_lines(metrics), quality_lines(data_quality)
    first = to_read_first(table)
    sheets = [
        Sheet("results", shown.column_names, table_rows(shown), shown.num_rows),
        Sheet("read_first", first.column_names, table_rows(first), first.num_rows, widths={"why": 30}),
        Sheet(
            "disagreements",
            [*reviewed.column_names, *FOR_THE_REVIEWER],
            ((*row, None, None) for row in table_rows(reviewed)),
            reviewed.num_rows,
        ),
        Sheet(
            "metrics",
            ["scope", "metric", "value", "low", "high"],
            lines,
            len(lines),
            widths={"scope": _width(lines, 0), "metric": _width(lines, 1)},
        ),
        Sheet("data_quality", ["name", "value"], facts, len(facts), widths={"name": _width(facts, 0), "value": 80}),
    ]
    of_variables = disagreement_sheets(listed, table, [*(sheet.title for sheet in sheets), COLUMNS])
    write_sheets([*sheets, columns_sheet([*sheets, *of_variables], codebook), *of_variables], path)


def columns_sheet(sheets: Iterable[Sheet], codebook: Codebook = DEFAULT) -> Sheet:
    """The sheet that tells of every column of these sheets, in their order, what it means."""
    named = [(sheet.title, name) for sheet in sheets for name in sheet.columns]
    meanings = [(title, name, meaning_of(title, name, codebook)) for title, name in named]
    widths = {"sheet": 16, "column": 30, "meaning": 100}
    return Sheet(COLUMNS, list(widths), meanings, len(meanings), widths=widths)


def with_rounded_fractions(table: pa.Table, codebook: Codebook = DEFAULT) -> pa.Table:
    """The table of results with the fractions of our own columns rounded; the workbook's other ones stay as they
    are."""
    ours = names_of(columns_of(codebook))
    for index, field in enumerate(table.schema):
        if field.name in ours and pa.types.is_floating(field.type):
            values = [_rounded(value) for value in table.column(index).to_pylist()]
            table = table.set_column(index, field, pa.array(values, field.type))
    return table


def to_read_first(table: pa.Table) -> pa.Table:
    """The answers that a person should read first, in their order, each with `rank` from 1 and `why`."""
    # Without the texts, which may be gigabytes as Python has them.
    first = read_first(table.select(list(NEEDED)).to_pandas())
    rows = table.select(list(REVIEWED)).take(pc.index_in(pa.array(first["row_num"], pa.int64()), table["row_num"]))
    ranks = pa.array(range(1, len(first) + 1), pa.int64())
    return rows.add_column(0, "rank", ranks).add_column(1, "why", pa.array(first["why"], pa.string()))


def disagreements(table: pa.Table, codebook: Codebook = DEFAULT) -> pa.Table:
    """The false positives and false negatives: `disagreement`, which of the two it is, the REVIEWED
    columns, and the workbook's other ones."""
    kinds = [
        "false positive" if false_positive else "false negative" if false_negative else None
        for false_positive, false_negative in zip(
            table["is_false_positive"].to_pylist(), table["is_false_negative"].to_pylist(), strict=True
        )
    ]
    kind = pa.array(kinds, pa.string())
    shown = table.select([*REVIEWED, *other_columns(table.column_names, codebook)])
    return shown.add_column(0, "disagreement", kind).filter(kind.is_valid())


def metric_lines(metrics: dict[str, Any], scope: str = "") -> list[tuple[Any, ...]]:
    """The numbers of metrics.json, rounded, as (scope, metric, value, low, high); lists, such as curves, are left
    out."""
    lines: list[tuple[Any, ...]] = []
    for name, value in metrics.items():
        # A codebook may have values that are called low and high.
        if isinstance(value, dict) and set(value) == _OF_A_RATE:
            numbers = (_rounded(value[part]) for part in ("value", "low", "high"))
            lines.append((scope or "experiment", name, *numbers))
        elif isinstance(value, dict):
            lines += metric_lines(value, f"{scope}.{name}".lstrip("."))
        elif not isinstance(value, list):
            lines.append((scope or "experiment", name, _rounded(value), None, None))
    return lines


def quality_lines(data_quality: dict[str, Any], above: str = "") -> list[tuple[Any, ...]]:
    """The facts of data_quality.json as (name, value), with dotted names; fractions rounded, lists as JSON."""
    lines: list[tuple[Any, ...]] = []
    for name, value in data_quality.items():
        if isinstance(value, dict):
            lines += quality_lines(value, f"{above}{name}.")
        else:
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else _rounded(value)
            lines.append((above + name, shown))
    return lines


def _rounded(value: Any) -> Any:
    return rounded(value) if isinstance(value, float) else value


def _width(lines: Sequence[tuple[Any, ...]], index: int) -> int:
    """The width at which every text of a column can be read in one line, in characters."""
    return min(WIDEST, max((len(line[index]) for line in lines), default=0) + 4)
