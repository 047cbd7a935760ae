"""One experiment that comes over from the R system: what journal and record will hold, decided without writing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from narrative_runs.asking.request import Question
from narrative_runs.migration.matching import Key, Matched
from narrative_runs.migration.r_rows import answer_of, attempts_of, time_of
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result, result_of
from narrative_runs.source.cells import text_of
from narrative_runs.source.rules import OF_THE_R_SYSTEM
from narrative_runs.source.shards import Narrative

STATUSES = ("running", "completed", "failed", "cancelled")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Adoption:
    """What comes over.

    row: of the R system's table `experiments`; source_md5: of the workbook; in_workbook: number of its narratives;
    wanted: of those to classify; entries: for the journal, with the narratives that they answer.
    """

    row: Row
    params: Params
    source_md5: str
    in_workbook: int
    wanted: int
    entries: list[tuple[Narrative, dict[str, Any]]]

    @property
    def experiment_id(self) -> str:
        """The id that the experiment has and keeps."""
        return str(self.row["experiment_id"])

    @property
    def began_at(self) -> str:
        """When the R system started it, as `YYYY-MM-DD HH:MM:SS`."""
        return began_at(self.row)

    @property
    def results(self) -> list[Result]:
        """The rows for the record, in the order of the answers."""
        return [result_of(narrative, entry, self.params.variables) for narrative, entry in self.entries]

    @property
    def errors(self) -> int:
        """How many of the entries are errors."""
        return sum(entry["adopted"]["error_occurred"] for _, entry in self.entries)

    @property
    def left(self) -> int:
        """How many narratives are still to be asked about."""
        return self.wanted - len(self.entries)

    @property
    def status(self) -> str:
        """The R system's; but `failed` for a completed experiment that lacks answers, and for an unknown status."""
        status = text_of(self.row["status"])
        return "failed" if status not in STATUSES or (status == "completed" and self.left) else status

    def head(self, host: str | None) -> dict[str, Any]:
        """The head of its journals. host: where the R system ran."""
        version = text_of(self.row.get("r_version"))
        return {
            "experiment_id": self.experiment_id,
            "slug": self.params.slug,
            "source_md5": self.source_md5,
            "reading_rules": OF_THE_R_SYSTEM.number,
            "params": self.params.model_dump(mode="json"),
            "began_at": self.began_at,
            "session": 1,
            "host": host,
            "git_commit": None,
            "session_began_at": _moment(self.began_at),
            "software_version": f"R system{f', {version}' if version else ''}",
            "adopted": dict(self.row),
        }

    def experiment_row(self, columns: list[str], skipped: int) -> dict[str, Any]:
        """The row for our record: the R system's values, except those that mean another thing here.

        columns: those of our table; skipped: blanks and duplicates of the workbook.
        """
        return {
            **{name: self.row[name] for name in columns if name in self.row and name != "experiment_id"},
            "status": self.status,
            "start_time": self.began_at,
            "data_file": str(self.params.data.file),
            "n_narratives_total": self.wanted,
            "n_narratives_processed": len(self.entries),
            "n_narratives_completed": len(self.entries) - self.errors,
            "n_narratives_skipped": skipped,
            "log_dir": str(ExperimentFolder(self.params.slug).logs),
            "csv_file": None,
            "json_file": None,
            "slug": self.params.slug,
            "software_version": self.head(None)["software_version"],
        }


def began_at(row: Row) -> str:
    """When the R system started an experiment; if the record does not say, a time that nobody can mistake for one."""
    times = (time_of(row.get(column)) for column in ("start_time", "created_at"))
    return next((time for time in times if time and _moment(time)), "1970-01-01 00:00:00")


def limit_of(row: Row, matched: Matched, narratives: Mapping[Key, Narrative]) -> int | None:
    """How many of the workbook's narratives are wanted, from its first on; None for all of them.

    A completed experiment whose rows answer the first n narratives without a gap wanted these. Any other one wanted
    n_narratives_total, and at least up to the last that it answered.
    """
    row_numbers = {narratives[key].row_num for key in matched.answers}
    last = max(row_numbers, default=0)
    if text_of(row["status"]) == "completed" and last == len(row_numbers) > 0:
        wanted = last
    else:
        wanted = max(int(float(row.get("n_narratives_total") or 0)) or len(narratives), last)
    return wanted if wanted < len(narratives) else None


def entries_of(
    row: Row, params: Params, matched: Matched, narratives: Mapping[Key, Narrative]
) -> list[tuple[Narrative, dict[str, Any]]]:
    """The journal entries of all answered narratives, in the order of the answers, which is that of journals."""
    question = Question(params)
    entries = [
        (narrative, _entry(question, narrative, matched.answers[key], began_at(row)))
        for key, narrative in narratives.items()
        if key in matched.answers
    ]
    return sorted(entries, key=lambda pair: datetime.fromisoformat(pair[1]["asked_at"]))


def _entry(question: Question, narrative: Narrative, row: Row, began: str) -> dict[str, Any]:
    answer = answer_of(row)
    processed_at = answer["processed_at"] or began
    return {
        "fingerprint": question.fingerprint(narrative),
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
        "asked_at": _moment(processed_at) or _moment(began),
        "requests": attempts_of(row),
        "adopted": {
            **answer,
            "processed_at": processed_at,
            "last_attempt_at": answer["last_attempt_at"] or processed_at,
        },
        "attempt": attempts_of(row),
        "first_error_message": row.get("first_error_message"),
    }


def _moment(time: str) -> str | None:
    """A local time as journals write it, with its distance from UTC; None for anything else."""
    try:
        return datetime.fromisoformat(time).astimezone().isoformat(timespec="seconds")
    except ValueError:
        return None
