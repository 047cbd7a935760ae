"""The experiment's row while it runs: its beginning, its progress, its end."""

import platform
import socket
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from narrative_runs import __version__
from narrative_runs.codebook.variables import Codebook
from narrative_runs.params import Params
from narrative_runs.paths import BACKUPS, RECORD, ExperimentFolder
from narrative_runs.record import database
from narrative_runs.record.backup import back_up
from narrative_runs.record.coded_values import put_coded_values
from narrative_runs.record.error_patterns import PatternAndMessage, put_error_patterns
from narrative_runs.results import Result

KEPT_BACKUPS = 5
# Why a run ended that another terminal cancelled.
CANCELLED = "cancelled from another terminal"
STOPPED = "\n[stopped] "
# What the merge alone knows.
MEASURED = (
    *("end_time", "total_runtime_sec", "avg_time_per_narrative_sec", "estimated_completion_time"),
    *("n_positive_detected", "n_negative_detected", "n_positive_manual", "n_negative_manual"),
    *("accuracy", "precision_ipv", "recall_ipv", "f1_ipv", "pct_overlap_with_manual", "csv_file", "json_file"),
    *("n_true_positive", "n_false_positive", "n_false_negative", "n_true_negative"),
)
TIME = "%Y-%m-%d %H:%M:%S"


def now() -> str:
    """The local time as the record writes it."""
    return datetime.now().strftime(TIME)


def begin(experiment_id: str, began_at: str, folder: ExperimentFolder, params: Params) -> None:
    """Add the experiment's row or bring it up to date, as running.

    began_at: when its first session began, as `now` writes it.
    """
    with database.transaction() as connection:
        database.put_experiment(
            connection,
            experiment_id,
            {
                "experiment_name": params.experiment.name,
                "status": "running",
                "model_name": params.model.name,
                "model_provider": params.model.provider,
                "temperature": params.model.temperature,
                "system_prompt": params.prompt.system_prompt,
                "user_template": params.prompt.user_template,
                "prompt_version": params.prompt.version,
                "prompt_author": params.experiment.author,
                "run_seed": params.run.seed,
                "data_file": str(params.data.file),
                "start_time": began_at,
                "end_time": None,
                "api_url": ", ".join(params.model.api_urls) or None,
                "os_info": platform.platform(),
                "hostname": socket.gethostname(),
                "log_dir": str(folder.logs),
                "notes": params.experiment.notes,
                "slug": folder.slug,
                "software_version": __version__,
            },
        )
        # That of an experiment which was brought over stays what it was.
        connection.execute(
            "UPDATE experiments SET created_at = coalesce(created_at, ?) WHERE experiment_id = ?",
            (began_at, experiment_id),
        )


def move(
    experiment_id: str,
    results: Iterable[Result],
    data_source: str,
    data_checksum: str,
    total: int,
    processed: int,
    completed: int,
    eta: str | None,
    codebook: Codebook,
    patterns: Sequence[PatternAndMessage] = (),
    patience_s: float = database.BUSY_TIMEOUT_S,
) -> None:
    """Add results to a running experiment and bring its counts up to date, in one transaction.

    Once the merge has called it completed, its rows and counts are the merge's, and stay: the merge sees all answers
    together, and may have found that one is none.

    results: their texts are left empty, and come from the record's own narratives of the workbook: data_source,
    data_checksum, as `put_sources` takes them; total: narratives to classify; processed: those with a result, errors
    included; completed: those without error; eta: local time at which it will be done, if that can be said; codebook:
    what was asked; patterns: what its errors have in common, each with what the user reads of it; patience_s: how long
    to wait for other programs.

    Raises:
        RecordLocked: another program kept the record for longer than that; nothing was written.
        RecordError: the record cannot be written.
    """
    with database.transaction(patience_s=patience_s) as connection:
        if _is_completed(connection, experiment_id):
            return
        rows = list(results)
        database.put_results(connection, experiment_id, rows)
        connection.executemany(
            "UPDATE narrative_results SET narrative_text = (SELECT narrative_text FROM source_narratives WHERE "
            "data_source = ? AND data_checksum = ? AND incident_id = ? AND narrative_type = ?) "
            "WHERE experiment_id = ? AND incident_id = ? AND narrative_type = ?",
            (
                (
                    *(data_source, data_checksum, row.incident_id, row.narrative_type),
                    *(experiment_id, row.incident_id, row.narrative_type),
                )
                for row in rows
            ),
        )
        # The merge adds the labels.
        put_coded_values(connection, experiment_id, codebook, ((row.row, {}) for row in rows))
        connection.execute(
            "UPDATE experiments SET n_narratives_total = ?, n_narratives_processed = ?, n_narratives_completed = ?, "
            "last_progress_update = ?, estimated_completion_time = ? WHERE experiment_id = ? AND status = 'running'",
            (total, processed, completed, now(), eta, experiment_id),
        )
        put_error_patterns(connection, experiment_id, patterns, now())


def _is_completed(connection: sqlite3.Connection, experiment_id: str) -> bool:
    row = connection.execute("SELECT status FROM experiments WHERE experiment_id = ?", (experiment_id,)).fetchone()
    return row is not None and row[0] == "completed"


def is_running(experiment_id: str) -> bool:
    """Whether the record calls the experiment running."""
    row = database.experiment(experiment_id)
    return row is not None and row["status"] == "running"


def stop(experiment_id: str, status: str, reason: str) -> None:
    """The run ended before the experiment was complete; the reason follows the user's notes.

    status: `failed` or `cancelled`.
    """
    with database.transaction() as connection:
        connection.execute(
            "UPDATE experiments SET status = ?, notes = coalesce(notes, '') || ? WHERE experiment_id = ?",
            (status, STOPPED + reason, experiment_id),
        )


def back_up_before_resume() -> None:
    """Copy the record before a resume; the newest copies are kept.

    Raises:
        RecordError: the record is damaged, or the copy cannot be written; the earlier copies are left as they are.
    """
    if not RECORD.exists():
        return
    with database.transaction():
        back_up(RECORD, BACKUPS / f"experiments-{datetime.now().strftime('%Y%m%d-%H%M%S')}.db")
    for old in sorted(BACKUPS.glob("experiments-*.db"))[:-KEPT_BACKUPS]:
        old.unlink()
