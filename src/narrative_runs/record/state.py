"""The experiment's row while it runs: its beginning, its progress, its end."""

import platform
import socket
import sqlite3
from datetime import datetime

from narrative_runs import __version__
from narrative_runs.params import Params
from narrative_runs.places import RECORD, RESULTS, ExperimentFolder
from narrative_runs.record import database

KEPT_BACKUPS = 5
STOPPED = "\n[stopped] "


def now() -> str:
    """The local time as the record writes it."""
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")


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


def move(experiment_id: str, total: int | None, processed: int, completed: int, eta: str | None) -> None:
    """Bring the counts of a running experiment up to date.

    total: narratives to classify; processed: those with a result, errors included; completed: those without error;
    eta: local time at which it will be done, if that can be said.
    """
    with database.transaction() as connection:
        database.update_experiment(
            connection,
            experiment_id,
            {
                "n_narratives_total": total,
                "n_narratives_processed": processed,
                "n_narratives_completed": completed,
                "last_progress_update": now(),
                "estimated_completion_time": eta,
            },
        )


def stop(experiment_id: str, status: str, reason: str) -> None:
    """The run ended before the experiment was complete; the reason follows the user's notes.

    status: `failed` or `cancelled`.
    """
    with database.transaction() as connection:
        connection.execute(
            "UPDATE experiments SET status = ?, notes = coalesce(notes, '') || ? WHERE experiment_id = ?",
            (status, STOPPED + reason, experiment_id),
        )


def back_up() -> None:
    """Copy the record beside itself before a resume; the newest copies are kept."""
    if not RECORD.exists():
        return
    folder = RESULTS / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"experiments-{datetime.now().strftime('%Y%m%d-%H%M%S')}.db"
    source, copy = sqlite3.connect(RECORD, timeout=database.BUSY_TIMEOUT_S), sqlite3.connect(path)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    for old in sorted(folder.glob("experiments-*.db"))[:-KEPT_BACKUPS]:
        old.unlink()
