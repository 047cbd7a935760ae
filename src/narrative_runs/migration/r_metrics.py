"""The R system's measures of a completed experiment beside ours, which are recomputed by the right definitions."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

COUNTS = (
    "n_narratives_total",
    "n_narratives_processed",
    "n_narratives_completed",
    "n_narratives_skipped",
    "n_positive_detected",
    "n_negative_detected",
    "n_positive_manual",
    "n_negative_manual",
    "n_true_positive",
    "n_true_negative",
    "n_false_positive",
    "n_false_negative",
)
SHARES = ("accuracy", "precision_ipv", "recall_ipv", "f1_ipv", "pct_overlap_with_manual")
_WHY_COUNTS = {
    "n_narratives_total": "here the narratives of the workbook that are wanted, blanks and duplicates left out",
    "n_narratives_processed": "here the narratives with a result, errors included, each once",
    "n_narratives_completed": "here the narratives with a result that is no error",
    "n_narratives_skipped": "here the blanks and duplicates of the workbook",
    "n_positive_detected": "here of the rows that stand, each narrative once",
    "n_negative_detected": "here of the rows that stand, each narrative once",
    "n_positive_manual": "here by the workbook's own label of each narrative",
    "n_negative_manual": "here by the workbook's own label of each narrative; one without a label is no negative",
}
_WHY_OUTCOMES = "here only answers without error and with a label of their own count"


def compare(row: Mapping[str, Any], ours: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """The content of r_metrics.json: the R system's measures, and each that differs with both values and why.

    row, ours: the experiment's row in the R system's record and in ours; measured: the content of metrics.json.
    A measure that the R system did not have does not count as a difference.
    """
    reported = {column: row[column] for column in (*COUNTS, *SHARES) if row.get(column) is not None}
    differences = [
        {"column": column, "r_system": value, "here": ours.get(column), "why": _why(column, value, measured)}
        for column, value in reported.items()
        if not _is_same(value, ours.get(column))
    ]
    return {"experiment_id": measured["experiment_id"], "r_system": reported, "differences": differences}


def lines(compared: Mapping[str, Any]) -> Iterator[str]:
    """The differences in words, one per line."""
    if not compared["differences"]:
        yield "The R system's measures agree with those made here."
    for difference in compared["differences"]:
        yield (
            f"{difference['column']}: {_shown(difference['r_system'])} by the R system, "
            f"{_shown(difference['here'])} here ({difference['why']})"
        )


def _why(column: str, value: float, measured: Mapping[str, Any]) -> str:
    if column in ("accuracy", "pct_overlap_with_manual"):
        overall, rows = measured["overall"], measured["n_total"]
        right = overall["tp"] + overall["tn"]
        by_all = right / rows * (1 if column == "accuracy" else 100) if rows else math.nan
        counted = f"here {right:,} right of {overall['n']:,} answers with a label"
        if _is_same(value, by_all):
            return f"R divided by all {rows:,} rows, errors and unlabelled ones included; {counted}"
        return counted
    if column in ("precision_ipv", "recall_ipv", "f1_ipv"):
        return f"recomputed from TP, FP and FN; {_WHY_OUTCOMES}"
    return _WHY_COUNTS.get(column, _WHY_OUTCOMES)


def _is_same(one: Any, other: Any) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=1e-9)
    except (TypeError, ValueError):
        return one is other


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
