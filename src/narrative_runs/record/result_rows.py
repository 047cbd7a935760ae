"""The results of the record, a row a narrative, and what is counted of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from narrative_runs.record import coded_values, database
from narrative_runs.record.older import relation

Row = dict[str, Any]

# Of answer and label themselves: the record's four columns of outcomes are filled only when a run ends.
_BY_LABEL = """
  WHEN manual_flag_ind IS NULL THEN 'no label'
  WHEN detected AND manual_flag_ind = 1 THEN 'true positive'
  WHEN detected THEN 'false positive'
  WHEN manual_flag_ind = 1 THEN 'false negative'
  ELSE 'true negative'
END"""
_OUTCOME = f"CASE WHEN error_occurred OR detected IS NULL THEN 'error' {_BY_LABEL}"
# Where a row holds several variables, the first binary one may have no value and nothing be wrong.
_OUTCOME_OF_SEVERAL = f"CASE WHEN error_occurred THEN 'error' WHEN detected IS NULL THEN 'no value' {_BY_LABEL}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens an experiment took: of what was asked, of what was answered, and of both, as servers summed them
    up."""

    prompt: int
    completion: int
    used: int


def of_experiment(experiment_id: str, columns: Sequence[str]) -> list[Row]:
    """These columns of all results of an experiment, in row order.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query(
        f"SELECT {', '.join(columns)} FROM narrative_results WHERE experiment_id = ? ORDER BY row_num",
        (experiment_id,),
    )


def of_narrative(experiment_id: str, incident_id: str, narrative_type: str) -> Row | None:
    """The row of a narrative, with its outcome in words as `outcome` and the rows of its variables as `coded`; None
    where there is none.

    Raises:
        RecordError: the record cannot be read.
    """
    where = "experiment_id = ? AND incident_id = ? AND narrative_type = ?"
    rows = database.query(
        f"SELECT *, {_outcome_of(experiment_id)} AS outcome FROM {relation('narrative_results')} WHERE {where}",
        (experiment_id, incident_id, narrative_type),
    )
    return {**rows[0], "coded": coded_values.of_narrative(experiment_id, incident_id, narrative_type)} if rows else None


def with_id(result_id: int) -> Row | None:
    """The row with this `result_id`, as `of_narrative` gives it.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT experiment_id, incident_id, narrative_type FROM narrative_results WHERE result_id = ?", (result_id,)
    )
    return of_narrative(**rows[0]) if rows else None


def ids_with_outcome(experiment_id: str, outcome: str) -> list[int]:
    """The `result_id` of all results with this outcome, such as `false negative`, in row order.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        f"SELECT result_id FROM {relation('narrative_results')} "
        f"WHERE experiment_id = ? AND {_outcome_of(experiment_id)} = ? ORDER BY row_num, result_id",
        (experiment_id, outcome),
    )
    return [row["result_id"] for row in rows]


def has_labels_of_incidents_alone(experiment_id: str) -> bool:
    """Whether incidents of an experiment have labels, and none of its narratives has one of its own.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT count(manual_flag_ind) AS of_narratives, count(manual_flag) AS of_incidents "
        f"FROM {relation('narrative_results')} WHERE experiment_id = ?",
        (experiment_id,),
    )
    return bool(rows) and rows[0]["of_narratives"] == 0 < rows[0]["of_incidents"]


def last_row_num(experiment_id: str) -> int:
    """The `row_num` of the experiment's last result; 0 where it has none.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT max(row_num) AS last FROM narrative_results WHERE experiment_id = ?", (experiment_id,)
    )
    return (rows[0]["last"] or 0) if rows else 0


def tokens_of(experiment_id: str) -> Tokens:
    """The tokens of all results of an experiment; what nobody counted is 0.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT coalesce(sum(prompt_tokens), 0) AS prompt, coalesce(sum(completion_tokens), 0) AS completion, "
        "coalesce(sum(tokens_used), 0) AS used "
        f"FROM {relation('narrative_results')} WHERE experiment_id = ?",
        (experiment_id,),
    )
    return Tokens(**rows[0]) if rows else Tokens(0, 0, 0)


def outcome_of(has_several: bool) -> str:
    """The outcome of a row in words, as SQL; has_several: whether the experiment's answers are of several variables."""
    return _OUTCOME_OF_SEVERAL if has_several else _OUTCOME


def _outcome_of(experiment_id: str) -> str:
    return outcome_of(coded_values.has_values_of(experiment_id))
