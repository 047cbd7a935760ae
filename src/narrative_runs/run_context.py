"""What one session of a run is for: all its processes have it from the coordinator, and none changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from narrative_runs.params import Params, check
from narrative_runs.paths import ExperimentFolder


@dataclass(frozen=True)
class RunContext:
    """One session of one experiment.

    source_md5: of the workbook; reading_rules: the number of the rules by which it is read; params: all effective ones,
    frozen ones included; session: its number, from 1; retry_errors, retry_categories: whether error rows are asked
    again, and of which categories, all when empty; began_at: local time at which the experiment began, `YYYY-MM-DD
    HH:MM:SS`; session_began_at: with its offset; host: where it runs; git_commit: of the checkout, where there is one;
    seen_before: digests of the narratives that were seen before, in order, of a session that begins without an answer.
    """

    slug: str
    experiment_id: str
    source_md5: str
    reading_rules: int
    params: Params
    session: int
    retry_errors: bool
    retry_categories: tuple[str, ...]
    began_at: str
    session_began_at: str
    host: str
    git_commit: str | None
    software_version: str
    seen_before: tuple[str, ...] = ()

    @property
    def folder(self) -> ExperimentFolder:
        """Where the experiment lies."""
        return ExperimentFolder(self.slug)

    @property
    def head(self) -> dict[str, Any]:
        """What stands at the head of each of the session's journals."""
        return {
            "experiment_id": self.experiment_id,
            "slug": self.slug,
            "source_md5": self.source_md5,
            "reading_rules": self.reading_rules,
            "params": self.params.model_dump(mode="json"),
            "began_at": self.began_at,
            "session": self.session,
            "host": self.host,
            "git_commit": self.git_commit,
            "session_began_at": self.session_began_at,
            "software_version": self.software_version,
            **({"seen_before": list(self.seen_before)} if self.seen_before else {}),
        }

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "params": self.params.model_dump(mode="json")}

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> "RunContext":
        """What `as_dict` gave."""
        return cls(
            **{
                **values,
                "params": check(values["params"], "the run's params"),
                "retry_categories": tuple(values["retry_categories"]),
                "seen_before": tuple(values["seen_before"]),
            }
        )
