"""The job that has error rows asked again, when it is forced, and writes retries.parquet either way."""

from collections.abc import Iterator

from narrative_runs import journal, results_file
from narrative_runs.asking.request import Question
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result, result_of
from narrative_runs.source.shards import iterate_all


def write_retries(folder: ExperimentFolder, params: Params) -> int:
    """Write retries.parquet from the retry journals: of each narrative the last pass; returns the number of rows.

    Raises:
        JournalError: an answer cannot be read.
    """
    found, question = journal.passes(folder.journals), Question(params)

    def results() -> Iterator[Result]:
        if not found:
            return
        for narrative in iterate_all(folder, params.shards.count, params.run.max_narratives):
            attempts = found.get(question.fingerprint(narrative))
            if attempts:
                yield result_of(narrative, attempts[max(attempts)].read())

    return results_file.write(results(), folder.retries)
