"""What the main process tells the coordinator that it starts."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunSpec:
    """One session to run.

    params: the whole effective params, frozen ones included; resumes: whether the experiment has answers already;
    began_at: local time at which the experiment began, `YYYY-MM-DD HH:MM:SS`; reading_rules: the number of the rules by
    which its workbook is read; earlier_release: the release that ran it last, empty if that was this one; recorded:
    whether the record is complete, so that only files made from it are missing; retry_errors, retry_categories: whether
    error rows are asked again, and of which categories, all when empty; changes: what of the params that may change did
    change since the last session, in words; shards: those whose jobs are planned, by name; reads_workbook: whether the
    workbook is read first; lock_token: what names this run in the experiment's lock; asks_elsewhere: whether jobs on
    other hosts ask for the shards; copy_to: the file descriptor that gets all lines too, where there is one;
    seen_before: digests of the narratives that were seen before, in order, while the experiment has no answer.
    """

    slug: str
    experiment_id: str
    source_md5: str
    params: dict[str, Any]
    began_at: str
    reading_rules: int
    earlier_release: str
    resumes: bool
    recorded: bool
    retry_errors: bool
    retry_categories: list[str]
    changes: list[str]
    shards: list[str]
    reads_workbook: bool
    lock_token: str
    asks_elsewhere: bool = False
    copy_to: int | None = None
    seen_before: list[str] = field(default_factory=list)
