"""The rows of the record as the search index takes them."""

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from narrative_runs.record.older import relation_in
from narrative_runs.record.result_rows import outcome_of

# SQLite takes at least 999 values in one statement.
_AT_ONCE = 900


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One result.

    outcome: in words; error_category: None where it is no error; detected: the answer, None without one; probability:
    of a yes, 0 to 1; values: of each variable of a codebook, as `coded_values` keeps it; probabilities: of those of
    them that have one.
    """

    result_id: int
    row_num: int | None
    narrative_type: str
    narrative_text: str
    outcome: str
    error_category: str | None
    detected: bool | None
    probability: float | None
    values: dict[str, str]
    probabilities: dict[str, float]


def experiment_state(record: sqlite3.Connection, experiment_id: str) -> tuple[str, str, bool] | None:
    """How an experiment stands: a checksum of its row, which each merge changes; its status; and whether its software
    numbers its narratives. None where the record has no such experiment."""
    table = relation_in(record, "experiments")
    row = record.execute(f"SELECT * FROM {table} WHERE experiment_id = ?", (experiment_id,)).fetchone()
    if row is None:
        return None
    whole = repr(sorted(zip(row.keys(), tuple(row), strict=True)))
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest(), row["status"] or "", bool(row["slug"])


def last_id(record: sqlite3.Connection) -> int:
    """The highest `result_id` of all experiments; 0 where there is no result."""
    (last,) = record.execute("SELECT max(result_id) FROM narrative_results").fetchone()
    return last or 0


def between(record: sqlite3.Connection, experiment_id: str, after: int, last: int) -> list[IndexRow]:
    """The results of an experiment with a `result_id` above `after`, and not above `last`, in their order."""
    # By the plus sign the rows are read in the order in which they lie, and no index is used.
    return _read(record, experiment_id, "result_id > ? AND result_id <= ? AND +experiment_id = ?", (after, last))


def with_ids(record: sqlite3.Connection, experiment_id: str, result_ids: Sequence[int]) -> list[IndexRow]:
    """The results with these `result_id`, as far as they are there."""
    rows: list[IndexRow] = []
    for first in range(0, len(result_ids), _AT_ONCE):
        part = tuple(result_ids[first : first + _AT_ONCE])
        rows += _read(record, experiment_id, f"result_id IN ({_marks(part)}) AND +experiment_id = ?", part)
    return rows


def answered(record: sqlite3.Connection, result_ids: Sequence[int]) -> list[int]:
    """Those of these results that are no errors any more."""
    kept: list[int] = []
    for first in range(0, len(result_ids), _AT_ONCE):
        part = result_ids[first : first + _AT_ONCE]
        rows = record.execute(
            f"SELECT result_id FROM narrative_results WHERE result_id IN ({_marks(part)}) AND error_occurred = 0", part
        )
        kept += [result_id for (result_id,) in rows]
    return kept


def _read(record: sqlite3.Connection, experiment_id: str, where: str, values: tuple[int, ...]) -> list[IndexRow]:
    table = relation_in(record, "narrative_results")
    coded: defaultdict[int, dict[str, str]] = defaultdict(dict)
    likely: defaultdict[int, dict[str, float]] = defaultdict(dict)
    is_coded = bool(record.execute("SELECT 1 FROM sqlite_master WHERE name = 'coded_values'").fetchone())
    for result_id, variable, value, probability in (
        record.execute(
            "SELECT result_id, variable, value, probability FROM narrative_results CROSS JOIN coded_values "
            f"USING (experiment_id, incident_id, narrative_type) WHERE {where}",
            (*values, experiment_id),
        )
        if is_coded
        else ()
    ):
        if value is not None:
            coded[result_id][variable] = value
        if probability is not None:
            likely[result_id][variable] = probability
    rows = record.execute(
        "SELECT result_id, row_num, narrative_type, narrative_text, error_occurred, error_category, detected, "
        f"p_detected, {outcome_of(is_coded and _has_values_of(record, experiment_id))} AS outcome FROM {table} "
        f"WHERE {where} ORDER BY result_id",
        (*values, experiment_id),
    )
    return [
        IndexRow(
            row["result_id"],
            row["row_num"],
            str(row["narrative_type"] or ""),
            str(row["narrative_text"] or ""),
            row["outcome"],
            (row["error_category"] or "unknown") if row["error_occurred"] else None,
            None if row["detected"] is None else bool(row["detected"]),
            row["p_detected"],
            coded.get(row["result_id"], {}),
            likely.get(row["result_id"], {}),
        )
        for row in rows
    ]


def _has_values_of(record: sqlite3.Connection, experiment_id: str) -> bool:
    asked = record.execute("SELECT 1 FROM coded_values WHERE experiment_id = ? LIMIT 1", (experiment_id,))
    return asked.fetchone() is not None


def _marks(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))
