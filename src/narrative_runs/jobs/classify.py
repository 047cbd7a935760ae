"""The job that writes the results of one shard from its journals, once each of its narratives is answered."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from narrative_runs import journal, results_file
from narrative_runs.asking.request import Question
from narrative_runs.errors import JournalError
from narrative_runs.journal import EntryReference
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.results import Result, result_of
from narrative_runs.source.shards import iterate


def write_results(folder: ExperimentFolder, params: Params, shard: int, is_partial: bool = False) -> int:
    """Write the results of one shard, from 1, from its journals; returns their number.

    is_partial: whether narratives without an answer are left out.

    Raises:
        JournalError: a narrative has no answer, and is not to be left out.
    """
    question, count = Question(params), params.shards.count
    entries = journal.first_entries(folder.journals, shard_name(shard, count))
    narratives = iterate(folder.narratives_of(shard, count), params.run.max_narratives)
    with _open_journals() as read:

        def results() -> Iterator[Result]:
            for narrative in narratives:
                entry = entries.get(question.fingerprint(narrative))
                if entry is not None:
                    yield result_of(narrative, read(entry), params.variables)
                elif not is_partial:
                    raise JournalError(
                        f"{folder.journals}: no answer for {narrative.incident_id} {narrative.narrative_type}. Delete "
                        f"{folder.shards}/ and {folder.metrics}, then start the run again: what is missing is asked."
                    )

        return results_file.write(results(), folder.results_of(shard, count), params.variables)


@contextmanager
def _open_journals() -> Iterator[Callable[[EntryReference], dict[str, Any]]]:
    """Reads entries by their references; each journal is opened once, which takes longer than reading an entry."""
    with ExitStack() as files:

        @cache
        def file_of(path: Path) -> BinaryIO:
            return files.enter_context(journal.opened(path))

        def read(reference: EntryReference) -> dict[str, Any]:
            file = file_of(reference.path)
            file.seek(reference.offset)
            entry: dict[str, Any] = json.loads(file.read(reference.length))
            return entry

        yield read
