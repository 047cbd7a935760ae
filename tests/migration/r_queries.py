"""Every SQL statement of the R design, by the section it stands in, and what it promises.

`?` stands where the design has a placeholder or `<id>`. Columns that a migration adds are added to older records only:
their ALTER TABLE statements are in ALTERS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.poller import MONITORING_QUERY

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """An experiment of a record, as counted by other means than SQL.

    keys: of all narratives in the workbook's order; answered: of those with a result; failed: of those with an error.
    """

    experiment_id: str
    name: str
    status: str
    data_file: str
    md5: str
    keys: list[tuple[str, str]]
    answered: set[tuple[str, str]]
    failed: set[tuple[str, str]]

    @property
    def open_keys(self) -> list[tuple[str, str]]:
        """The narratives without a result, in the workbook's order."""
        return [key for key in self.keys if key not in self.answered]


@dataclass(frozen=True)
class Query:
    """section: of the design; values: for the placeholders; holds: whether the rows are what it promises, for a reading
    statement; after: a query that shows what a writing one did, with its rows."""

    section: str
    sql: str
    values: Callable[[Case], tuple[Any, ...]] = lambda _: ()
    holds: Callable[[Case, Rows], bool] = lambda _, rows: not rows
    after: Callable[[Case], tuple[str, Rows]] | None = None


def by_id(case: Case) -> tuple[Any, ...]:
    """The id alone."""
    return (case.experiment_id,)


def by_file(case: Case) -> tuple[Any, ...]:
    """The workbook's path alone."""
    return (case.data_file,)


def by_key(case: Case) -> tuple[Any, ...]:
    """Id and key of the failed narrative."""
    return (case.experiment_id, *min(case.failed))


def _one_running(case: Case, rows: Rows, *begins: Any) -> bool:
    """Whether there is one row, which begins so for a running experiment, tells when it moved, and is no other's."""
    return len(rows) == 1 and (rows[0][: len(begins)] == begins) == (case.status == "running") and bool(rows[0][-1])


QUERIES = [
    Query(
        "1. Data Integrity Layer: on resume, verify",
        "SELECT DISTINCT data_checksum FROM source_narratives WHERE data_source = ? LIMIT 1;",
        by_file,
        lambda case, rows: rows == [(case.md5,)],
    ),
    Query(
        "1. Data Integrity Layer: load_source_data, existing",
        "SELECT data_checksum FROM source_narratives WHERE data_source = ? LIMIT 1",
        by_file,
        lambda case, rows: rows == [(case.md5,)],
    ),
    Query(
        "1. Data Integrity Layer: load_source_data, n_narratives",
        "SELECT COUNT(*) as n FROM source_narratives WHERE data_source = ?",
        by_file,
        lambda case, rows: rows == [(len(case.keys),)],
    ),
    Query(
        "2. State Management Layer: validate_experiment_for_resume",
        "SELECT * FROM experiments WHERE experiment_id = ?",
        by_id,
        lambda case, rows: [row[:3] for row in rows] == [(case.experiment_id, case.name, case.status)],
    ),
    Query(
        "2. State Management Layer: n_completed",
        "SELECT COUNT(*) as n FROM narrative_results WHERE experiment_id = ?",
        by_id,
        lambda case, rows: rows == [(len(case.answered),)],
    ),
    Query(
        "2. State Management Layer: update_experiment_status",
        "UPDATE experiments SET status = ? WHERE experiment_id = ?",
        lambda case: ("cancelled", case.experiment_id),
        after=lambda case: (
            f"SELECT status FROM experiments WHERE experiment_id = '{case.experiment_id}'",
            [("cancelled",)],
        ),
    ),
    Query(
        "4. Progress Tracking Layer: update_progress",
        """UPDATE experiments SET
      n_narratives_processed = ?,
      last_progress_update = ?,
      estimated_completion_time = ?
    WHERE experiment_id = ?""",
        lambda case: (5, "2025-10-27 10:00:00", None, case.experiment_id),
        after=lambda case: (
            "SELECT n_narratives_processed, last_progress_update, estimated_completion_time FROM experiments "
            f"WHERE experiment_id = '{case.experiment_id}'",
            [(5, "2025-10-27 10:00:00", None)],
        ),
    ),
    Query(
        "Migration 1, step 1: deduplicate",
        """DELETE FROM narrative_results
WHERE result_id NOT IN (
  SELECT MAX(result_id)
  FROM narrative_results
  GROUP BY experiment_id, incident_id, narrative_type
);""",
        after=lambda case: (
            f"SELECT count(*) FROM narrative_results WHERE experiment_id = '{case.experiment_id}'",
            [(len(case.answered),)],
        ),
    ),
    Query(
        "Migration 1, step 2: unique index",
        """CREATE UNIQUE INDEX IF NOT EXISTS uq_result_per_exp_narrative
  ON narrative_results(experiment_id, incident_id, narrative_type);""",
    ),
    Query(
        "Resume Workflow, step 6: missing narratives only",
        """
      SELECT s.incident_id, s.narrative_type, s.narrative_text,
             s.manual_flag_ind, s.manual_flag
      FROM source_narratives s
      LEFT JOIN narrative_results r
        ON r.experiment_id = ?
       AND r.incident_id = s.incident_id
       AND r.narrative_type = s.narrative_type
      WHERE r.result_id IS NULL
        AND s.data_source = ?
      ORDER BY s.narrative_id
    """,
        lambda case: (case.experiment_id, case.data_file),
        lambda case, rows: [row[:2] for row in rows] == case.open_keys,
    ),
    Query(
        "Resume Workflow, step 6: error rows only",
        """
      SELECT s.incident_id, s.narrative_type, s.narrative_text,
             s.manual_flag_ind, s.manual_flag
      FROM source_narratives s
      INNER JOIN narrative_results r
        ON r.experiment_id = ?
       AND r.incident_id = s.incident_id
       AND r.narrative_type = s.narrative_type
      WHERE r.error_occurred = 1
        AND s.data_source = ?
      ORDER BY s.narrative_id
    """,
        lambda case: (case.experiment_id, case.data_file),
        lambda case, rows: {row[:2] for row in rows} == case.failed and len(rows) == len(case.failed),
    ),
    Query(
        "R/run_benchmark_core.R: preserve first error message",
        """UPDATE narrative_results
         SET first_error_message = error_message
         WHERE experiment_id = ? AND incident_id = ? AND narrative_type = ?
           AND first_error_message IS NULL AND error_occurred = 1""",
        by_key,
        after=lambda case: (
            "SELECT DISTINCT first_error_message = error_message FROM narrative_results "
            f"WHERE experiment_id = '{case.experiment_id}' AND error_occurred = 1",
            [(1,)],
        ),
    ),
    Query(
        "R/run_benchmark_core.R: delete error row before reinserting",
        """DELETE FROM narrative_results
         WHERE experiment_id = ? AND incident_id = ? AND narrative_type = ?""",
        by_key,
        after=lambda case: (
            f"SELECT count(*) FROM narrative_results WHERE experiment_id = '{case.experiment_id}'",
            [(len(case.answered) - 1,)],
        ),
    ),
    Query(
        "R/data_loader.R: check if already loaded",
        """SELECT COUNT(*) as n, data_checksum FROM source_narratives
     WHERE data_source = ? GROUP BY data_checksum""",
        by_file,
        lambda case, rows: rows == [(len(case.keys), case.md5)],
    ),
    Query(
        "Shell Script Helper: latest incomplete experiment",
        """
  SELECT experiment_id FROM experiments
  WHERE status IN ('running', 'failed')
  ORDER BY start_time DESC
  LIMIT 1;
""",
        holds=lambda case, rows: len(rows) == 1 and ((case.experiment_id,) in rows) == (case.status == "running"),
    ),
    Query(
        "Shell Script Helper: experiment info",
        """
  SELECT
    'Experiment: ' || experiment_name,
    'Status: ' || status,
    'Started: ' || start_time,
    'Completed: ' || COALESCE(n_narratives_completed, 0) || '/' || COALESCE(n_narratives_total, 0)
  FROM experiments
  WHERE experiment_id = ?;
""",
        by_id,
        lambda case, rows: (
            rows[0][0] == f"Experiment: {case.name}"
            and rows[0][3] == f"Completed: {len(case.answered - case.failed)}/{len(case.keys)}"
        ),
    ),
    Query(
        "Monitoring During Execution: real-time progress",
        MONITORING_QUERY,
        holds=lambda case, rows: _one_running(
            case,
            rows,
            case.name,
            "running",
            f"{len(case.answered)}/{len(case.keys)}",
            f"{round(100.0 * len(case.answered) / len(case.keys), 1)}%",
        ),
    ),
    Query(
        "Monitoring During Execution: error monitoring",
        """
  SELECT
    e.experiment_name,
    COUNT(*) as total_processed,
    SUM(r.error_occurred) as errors,
    ROUND(100.0 * SUM(r.error_occurred) / COUNT(*), 2) as error_rate_pct,
    AVG(r.response_sec) as avg_response_sec
  FROM experiments e
  JOIN narrative_results r ON r.experiment_id = e.experiment_id
  WHERE e.status = 'running'
  GROUP BY e.experiment_id;
""",
        holds=lambda case, rows: (
            _one_running(case, rows, case.name, len(case.answered), len(case.failed))
            and abs(rows[0][3] - 100.0 * rows[0][2] / rows[0][1]) <= 0.005001
        ),
    ),
    Query(
        "Test 1: verify partial results",
        "SELECT COUNT(*) FROM narrative_results WHERE experiment_id = ?;",
        by_id,
        lambda case, rows: rows == [(len(case.answered),)],
    ),
    Query(
        "Test 1: verify completion",
        "SELECT status, n_narratives_processed FROM experiments WHERE experiment_id = ?;",
        by_id,
        lambda case, rows: rows == [(case.status, len(case.answered))],
    ),
    Query(
        "Test 4: set status to failed",
        "UPDATE experiments SET status = 'failed' WHERE experiment_id = ?;",
        by_id,
        after=lambda case: (
            f"SELECT status FROM experiments WHERE experiment_id = '{case.experiment_id}'",
            [("failed",)],
        ),
    ),
    Query(
        "Test 4: verify errors cleared",
        """
  SELECT COUNT(*) FROM narrative_results
  WHERE experiment_id = ? AND error_occurred = 1;
""",
        by_id,
        lambda case, rows: rows == [(len(case.failed),)],
    ),
    Query(
        # A slip of the design: completed leaves errors out; what moves to the end is n_narratives_processed.
        "Test 5: monitor progress",
        """
  SELECT n_narratives_completed, n_narratives_total,
         estimated_completion_time, last_progress_update
  FROM experiments WHERE status = "running";
""",
        holds=lambda case, rows: _one_running(case, rows, len(case.answered - case.failed), len(case.keys)),
    ),
    Query(
        "Migration Steps, step 1: check for duplicates",
        """
  SELECT experiment_id, incident_id, narrative_type, COUNT(*) as c
  FROM narrative_results
  GROUP BY experiment_id, incident_id, narrative_type
  HAVING c > 1
""",
    ),
]

# A slip of the design: this needs an SQLite that was built with SQLITE_ENABLE_UPDATE_DELETE_LIMIT.
WITH_LIMIT = """
  UPDATE narrative_results
  SET error_occurred = 1, error_message = 'Simulated error'
  WHERE experiment_id = ?
  LIMIT 10;
"""
# The same for any SQLite.
PORTABLE = """
  UPDATE narrative_results
  SET error_occurred = 1, error_message = 'Simulated error'
  WHERE result_id IN (SELECT result_id FROM narrative_results WHERE experiment_id = ? LIMIT 10);
"""

ALTERS = [
    "ALTER TABLE source_narratives ADD COLUMN data_checksum TEXT;",
    "ALTER TABLE experiments ADD COLUMN last_progress_update TEXT;",
    "ALTER TABLE experiments ADD COLUMN estimated_completion_time TEXT;",
    "ALTER TABLE narrative_results ADD COLUMN attempt_count INTEGER DEFAULT 1;",
    "ALTER TABLE narrative_results ADD COLUMN first_error_message TEXT;",
    "ALTER TABLE narrative_results ADD COLUMN last_attempt_at TEXT;",
    "ALTER TABLE narrative_results ADD COLUMN error_category TEXT;",
]
