"""The results as an Excel workbook, for people who read and judge them.

Sheets: `results` (all rows), `disagreements` (false positives and false negatives, with room for a reviewer's
verdict), `metrics`, `data_quality`. The source's other columns are in the first two. Every text is text, even one
that begins like a formula, and wraps; the names of metrics and of facts stand in one line. Left out are raw_response
and fingerprint, which are for programs and would make it large; results.parquet has them.
It is written anew at every merge: a reviewer works on a copy under another name.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from narrative_runs.findings.columns import other_columns
from narrative_runs.findings.sheets import WIDEST, Sheet, table_rows, write_sheets

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
FOR_THE_REVIEWER = ("reviewer_verdict", "reviewer_notes")


def write_workbook(table: pa.Table, metrics: dict[str, Any], data_quality: dict[str, Any], path: Path) -> None:
    """Write the finished results, metrics and data quality; the same content gives the same bytes."""
    reviewed = disagreements(table)
    shown = table.select([name for name in table.column_names if name not in LEFT_OUT])
    lines, facts = metric_lines(metrics), quality_lines(data_quality)
    write_sheets(
        [
            Sheet("results", shown.column_names, table_rows(shown), shown.num_rows),
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
        ],
        path,
    )


def disagreements(table: pa.Table) -> pa.Table:
    """The false positives and false negatives: `disagreement`, which of the two it is, the REVIEWED
    columns, and the workbook's other ones."""
    kinds = [
        "false positive" if false_positive else "false negative" if false_negative else None
        for false_positive, false_negative in zip(
            table["is_false_positive"].to_pylist(), table["is_false_negative"].to_pylist(), strict=True
        )
    ]
    kind = pa.array(kinds, pa.string())
    shown = table.select([*REVIEWED, *other_columns(table.column_names)])
    return shown.add_column(0, "disagreement", kind).filter(kind.is_valid())


def metric_lines(metrics: dict[str, Any], scope: str = "") -> list[tuple[Any, ...]]:
    """The numbers of metrics.json as (scope, metric, value, low, high); lists, such as curves, are left
    out."""
    lines: list[tuple[Any, ...]] = []
    for name, value in metrics.items():
        if isinstance(value, dict) and "low" in value:
            lines.append((scope or "experiment", name, value["value"], value["low"], value["high"]))
        elif isinstance(value, dict):
            lines += metric_lines(value, f"{scope}.{name}".lstrip("."))
        elif not isinstance(value, list):
            lines.append((scope or "experiment", name, value, None, None))
    return lines


def quality_lines(data_quality: dict[str, Any], above: str = "") -> list[tuple[Any, ...]]:
    """The facts of data_quality.json as (name, value), with dotted names; lists as JSON."""
    lines: list[tuple[Any, ...]] = []
    for name, value in data_quality.items():
        if isinstance(value, dict):
            lines += quality_lines(value, f"{above}{name}.")
        else:
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
            lines.append((above + name, text))
    return lines


def _width(lines: Sequence[tuple[Any, ...]], place: int) -> int:
    """The width at which every text of a column can be read in one line, in characters."""
    return min(WIDEST, max((len(line[place]) for line in lines), default=0) + 4)
