"""A project folder with a record of some experiments."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database

HERE = socket.gethostname()
Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Adds an experiment to the record: its slug, its status, its other columns; with its folder, unless told."""
    monkeypatch.chdir(tmp_path)

    def add_experiment(slug: str, status: str, has_folder: bool = True, **columns: Any) -> None:
        values = {
            "experiment_name": slug.title(),
            "status": status,
            "slug": slug,
            "hostname": HERE,
            "start_time": "2026-01-02 03:04:05",
            "log_dir": f"results/{slug}/logs",
            "n_narratives_total": 10,
            "n_narratives_processed": 4,
            **columns,
        }
        with database.transaction() as connection:
            database.put_experiment(connection, f"id-of-{slug}", values)
        if has_folder:
            ExperimentFolder(slug).path.mkdir(parents=True, exist_ok=True)

    return add_experiment


def add_result(slug: str, incident_id: str, category: str | None = None, **columns: Any) -> None:
    """Add a row of results to the record."""
    values = {
        "experiment_id": f"id-of-{slug}",
        "incident_id": incident_id,
        "narrative_type": "cme",
        "error_occurred": category is not None,
        "error_category": category,
        **columns,
    }
    with database.transaction() as connection:
        connection.execute(
            f"INSERT INTO narrative_results ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def describe(slug: str, **run: Any) -> None:
    """Write the journal's head of an experiment, with these params of its run."""
    params = {
        "experiment": {"name": slug.title(), "slug": slug},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"user_template": "<<TEXT>>"},
        "data": {"file": "data/cases.xlsx"},
        "run": run,
    }
    head = {"experiment_id": f"id-of-{slug}", "source_md5": "md5", "params": params, "began_at": "2026-01-02 03:04:05"}
    path = ExperimentFolder(slug).journals / "session-0001" / "1-of-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"head": head}) + "\n")
