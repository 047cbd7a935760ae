"""The experiment's row while it runs: its beginning, its progress, its end."""

import platform
import socket
from collections.abc import Iterable
from datetime import datetime

from narrative_runs import __version__
from narrative_runs.params import Params
from narrative_runs.places import BACKUPS, RECORD, ExperimentFolder
from narrative_runs.record import database
from narrative_runs.record.backup import back_up
from narrative_runs.results import Result

KEPT_BACKUPS = 5
STOPPED = "\n[stopped] "
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
                "api_url": params.model.api_url or None,
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
    total: int,
    processed: int,
    completed: int,
    eta: str | None,
    patience_s: float = database.BUSY_TIMEOUT_S,
) -> None:
    """Add results to a running experiment and bring its counts up to date, in one transaction.

    Once the merge has called it completed, its counts are the merge's, and stay.

    total: narratives to classify; processed: those with a result, errors included; completed: those without error;
    eta: local time at which it will be done, if that can be said; patience_s: how long to wait for other programs.

    Raises:
        RecordLocked: another program kept the record for longer than that; nothing was written.
        RecordError: the record cannot be written.
    """
    with database.transaction(patience_s=patience_s) as connection:
        database.put_results(connection, experiment_id, results)
        connection.execute(
            "UPDATE experiments SET n_narratives_total = ?, n_narratives_processed = ?, n_narratives_completed = ?, "
            "last_progress_update = ?, estimated_completion_time = ? WHERE experiment_id = ? AND status = 'running'",
            (total, processed, completed, now(), eta, experiment_id),
        )


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
