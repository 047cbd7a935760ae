"""Comparisons narrative by narrative: a separate program makes each once; it is kept until its files change."""

import asyncio
import pickle
import shlex
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from narrative_runs.page.file_states import state_of_file
from narrative_runs.page.history.side_by_side import Side
from narrative_runs.page.tables import Section, Table

_MOST_KEPT = 20
_PROGRAM = "narrative_runs.page.history.compared_tables"


class ComparedTables(NamedTuple):
    """The tables of a comparison: the content of metrics.json by the experiment's label; the measures of variables
    beside each other; and a section for each of the others, compared with the first."""

    metrics: dict[str, Any]
    variables: list[Table]
    pairs: list[Section]


class Comparisons:
    """The comparisons requested since the page started; one is made at a time."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[tuple[Any, ...], asyncio.Task[ComparedTables | str]] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(1)

    async def of(self, sides: Sequence[Side], within_s: float | None) -> ComparedTables | str | None:
        """The comparison of these experiments, or why it cannot be made, in words; None if it is not ready within these
        seconds: the work continues, and the caller can ask again."""
        words = [f"{side.letter}={side.label}" for side in sides]
        key = (*words, *(_state(side) for side in sides))
        task = self._tasks.get(key)
        if task is None or (task.done() and (task.cancelled() or isinstance(task.result(), str))):
            task = self._tasks[key] = asyncio.create_task(self._made(words))
        self._tasks.move_to_end(key)
        while len(self._tasks) > _MOST_KEPT:
            _, oldest = self._tasks.popitem(last=False)
            oldest.cancel()
        done, _ = await asyncio.wait([task], timeout=within_s)
        return task.result() if done else None

    async def _made(self, words: Sequence[str]) -> ComparedTables | str:
        async with self._one_at_a_time:
            program = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _PROGRAM,
                *words,
                # It ends when this does.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert program.stdout is not None
            try:
                written = await program.stdout.read()
                await program.wait()
            except asyncio.CancelledError:
                program.kill()
                raise
        if program.returncode:
            labels = " ".join(shlex.quote(word.partition("=")[2]) for word in words)
            return f"The comparison could not be made. `narrative-runs compare {labels}` shows why."
        made: ComparedTables | str = pickle.loads(written)
        return made


def _state(side: Side) -> tuple[Any, ...]:
    """A value that changes whenever a file that the comparison reads is rewritten."""
    folder = side.folder
    assert folder is not None
    paths = [folder.snapshots / f"{side.snapshot}.json"] if side.snapshot else [folder.result_table, folder.metrics]
    return tuple(map(state_of_file, paths))
