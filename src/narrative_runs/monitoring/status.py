"""One experiment at one moment: from its running session where there is one, else from the record."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from narrative_runs import experiment, journal_set_aside, run_lock
from narrative_runs.coordination.client import ask_coordinator
from narrative_runs.errors import NarrativeRunsError
from narrative_runs.monitoring.experiments import COMPLETED, RUNNING, ExperimentRow
from narrative_runs.observation.cost import cost_of, cost_of_all
from narrative_runs.observation.panel import rows
from narrative_runs.observation.progress import duration
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.params import check
from narrative_runs.record import result_rows
from narrative_runs.record.error_patterns import messages_of_patterns
from narrative_runs.record.error_rows import error_counts
from narrative_runs.record.state import TIME
from narrative_runs.shell import to_retry

RETRY = "retry"


@dataclass(frozen=True)
class Status:
    """The status of one experiment; `is_live`: whether it comes from its running session, not only from the record.

    pid, host, running_since: of the run that holds the lock, None where there is none.
    """

    known: ExperimentRow
    status: RunStatus
    is_live: bool
    pid: int | None
    host: str | None
    running_since: str | None
    last_update_age_sec: float | None

    def as_dict(self) -> dict[str, Any]:
        """The keys of `status --json`."""
        row, total, processed = self.known.row, self.status.n_narratives_total, self.status.n_narratives_processed
        status = asdict(self.status)
        return {
            "experiment_name": row["experiment_name"],
            "slug": row["slug"],
            "experiment_id": row["experiment_id"],
            "state": self.known.state,
            "explanation": self.known.explanation,
            "status": row["status"],
            "pid": self.pid,
            "host": self.host,
            "running_since": self.running_since,
            "start_time": row["start_time"],
            "end_time": row["end_time"],
            "n_narratives_total": total,
            "n_narratives_processed": processed,
            "n_narratives_completed": row["n_narratives_completed"],
            "n_narratives_skipped": row["n_narratives_skipped"],
            "percent_done": round(100 * processed / total, 2) if total else None,
            "last_progress_update": row["last_progress_update"],
            "last_update_age_sec": self.last_update_age_sec,
            "log_dir": row["log_dir"],
            "is_live": self.is_live,
            **{key: value for key, value in status.items() if key not in ("experiment_name",)},
        }

    def lines(self) -> Iterator[str]:
        """The status as lines for people."""
        row = self.known.row
        yield f"{row['experiment_name']} ({row['slug']})" if row["slug"] else row["experiment_name"]
        for name, text in self.facts():
            yield f"{name:<12} {text}"

    def facts(self) -> list[tuple[str, str]]:
        """(name, text) of each line for people."""
        row, status = self.known.row, self.status
        explanation = f": {self.known.explanation}" if self.known.explanation else ""
        facts = [("state", self.known.state + explanation), ("id", row["experiment_id"])]
        if self.pid is not None:
            facts.append(("PID", f"{self.pid} on {self.host}, since {self.running_since}"))
        facts += rows(status, self.is_live)
        facts.append(("started", row["start_time"] or "-"))
        if self.known.state == COMPLETED:
            facts.append(("completed", row["end_time"]))
            asked, whole = status.n_narratives_total or 0, _n_in_workbook(self.known)
            if asked < whole:
                facts.append(
                    (
                        "pilot",
                        f"{asked:,} of the workbook's {whole:,} narratives; for the rest raise run.max_narratives, and "
                        "start the run again",
                    )
                )
            if row["slug"] and any(status.errors.values()):
                facts.append((RETRY, f"to ask again about the errors: `{to_retry(row['experiment_id'])}`"))
        elif row["last_progress_update"]:
            age = duration(self.last_update_age_sec or 0.0)
            facts.append(("last update", f"{row['last_progress_update']}, {age} ago"))
        aside = journal_set_aside.read(self.known.folder.journals)
        if aside is not None and aside.sessions:
            facts.append(
                (
                    "rolled back",
                    f"to {aside.snapshot}; `narrative-runs rollback {row['slug']} --undo` restores the later answers",
                )
            )
        if row["log_dir"]:
            facts.append(("logs", f"{row['log_dir']}/"))
        return facts


def _n_in_workbook(known: ExperimentRow) -> int:
    """The narratives of the workbook; 0 where that is not known here."""
    try:
        return experiment.narratives_in_workbook(known.folder)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def status_of(known: ExperimentRow) -> Status:
    """The status of an experiment now. The counts are the record's, so that they never decrease.

    Raises:
        RecordError: the record cannot be read.
    """
    row, folder = known.row, known.folder.path
    live = ask(folder) if known.state == RUNNING else None
    status = live or _of_record(known)
    status = replace(
        status,
        n_narratives_total=row["n_narratives_total"] or status.n_narratives_total,
        n_narratives_processed=row["n_narratives_processed"] or 0,
    )
    holder = run_lock.lock_content(folder) if known.state == RUNNING else {}
    pid = holder.get("pid")
    return Status(
        known,
        status,
        live is not None,
        None if pid is None else int(pid),
        holder.get("host"),
        holder.get("since"),
        _age(row["last_progress_update"]),
    )


def ask(folder: Path) -> RunStatus | None:
    """The run status from the session that runs the experiment in this folder; None if there is none, or none that
    answers."""
    try:
        return RunStatus.of_json(ask_coordinator(run_lock.address_of(folder), "GET", "status"))
    except (OSError, ValueError, TypeError):
        return None


def _of_record(known: ExperimentRow) -> RunStatus:
    row = known.row
    tokens = result_rows.tokens_of(row["experiment_id"])
    cost = _cost(known, tokens.prompt, tokens.completion)
    return RunStatus(
        experiment_name=row["experiment_name"],
        n_narratives_total=row["n_narratives_total"],
        n_narratives_processed=row["n_narratives_processed"] or 0,
        estimated_completion_time=row["estimated_completion_time"] if known.state == RUNNING else None,
        errors=error_counts(row["experiment_id"]),
        error_patterns=messages_of_patterns(row["experiment_id"]),
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        tokens_used=tokens.used,
        cost=cost,
        cost_estimate=cost_of_all(cost, row["n_narratives_processed"] or 0, row["n_narratives_total"]),
    )


def _cost(known: ExperimentRow, prompt_tokens: int, completion_tokens: int) -> float | None:
    try:
        state = experiment.find(known.folder)
        run = None if state is None else check(state.params, "the experiment's params").run
    except NarrativeRunsError:
        return None
    return None if run is None else cost_of(prompt_tokens, completion_tokens, run)


def _age(when: str | None) -> float | None:
    """Seconds since a local time of the record."""
    try:
        return None if when is None else max(0.0, (datetime.now() - datetime.strptime(when, TIME)).total_seconds())
    except ValueError:
        return None


def as_json(status: Status) -> str:
    """The document of `status --json`."""
    return json.dumps(status.as_dict(), indent=2, ensure_ascii=False)
