"""The states of an experiment's shards: done, at work, or waiting."""

from collections.abc import Collection
from dataclasses import dataclass

from narrative_runs import journal
from narrative_runs.paths import ExperimentFolder

DONE, AT_WORK, WAITING = "done", "at work", "waiting"
STATES = (DONE, AT_WORK, WAITING)


@dataclass(frozen=True)
class ShardState:
    """One shard, such as `03-of-16`; state: one of STATES."""

    name: str
    state: str


def shard_states(folder: ExperimentFolder, runs: bool, jobs: Collection[str]) -> list[ShardState]:
    """All shards that the workbook was dealt into, in their order; none before it is read, or if they are not here.

    runs: whether a run holds the experiment: then a shard without its file is at work if this session has answers of
    it; jobs: those at work, from a running session.

    Raises:
        JournalError: the folder of the journals cannot be read.
    """
    dealt = sorted(path.stem for path in folder.narratives.glob("*-of-*.parquet"))
    done = {path.stem for path in folder.shards.glob("*-of-*.parquet")}
    files = journal.files(folder.journals) if runs else []
    answering = {journal.name_of(path) for path in files if path.parent.suffix == journal.OPEN} - done

    def state(name: str) -> str:
        if name in jobs or name in answering:
            return AT_WORK
        return DONE if name in done else WAITING

    return [ShardState(name, state(name)) for name in dealt]
