"""How the shards of an experiment are: done, at work, or waiting."""

from collections.abc import Collection
from dataclasses import dataclass

from narrative_runs.paths import ExperimentFolder

DONE, AT_WORK, WAITING = "done", "at work", "waiting"


@dataclass(frozen=True)
class ShardState:
    """One shard, such as `03-of-16`; state: `done`, `at work` or `waiting`."""

    name: str
    state: str


def shard_states(folder: ExperimentFolder, jobs: Collection[str]) -> list[ShardState]:
    """All shards that the workbook was dealt into, in their order; none before it was read, or where they are not here.

    jobs: those at work, as a running session tells them.
    """
    dealt = sorted(path.stem for path in folder.narratives.glob("*-of-*.parquet"))
    done = {path.stem for path in folder.shards.glob("*-of-*.parquet")}

    def state(name: str) -> str:
        if name in jobs:
            return AT_WORK
        return DONE if name in done else WAITING

    return [ShardState(name, state(name)) for name in dealt]
