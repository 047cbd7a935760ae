"""The job that asks again about error rows, when it is forced, and writes retries.parquet either way."""

from collections.abc import Iterator, Mapping

from narrative_runs import journal, results_file
from narrative_runs.asking.request import Question
from narrative_runs.journal import EntryReference
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result, last_that_counts
from narrative_runs.source.shards import iterate_all


def write_retries(folder: ExperimentFolder, params: Params) -> int:
    """Write retries.parquet from the retry journals: of each narrative the last pass that replaces the one
    before; returns the number of rows.

    Raises:
        JournalError: an answer cannot be read.
    """
    passes, question, codebook = journal.passes(folder.journals), Question(params), params.variables
    first = journal.first_entries(folder.journals) if passes and not codebook.fits_the_record else {}

    def results() -> Iterator[Result]:
        if not passes:
            return
        for narrative in iterate_all(folder, params.shards.count, params.run.max_narratives):
            fingerprint = question.fingerprint(narrative)
            if attempts := passes.get(fingerprint):
                references = [*([first[fingerprint]] if fingerprint in first else []), *_in_order(attempts)]
                _, result = last_that_counts(narrative, [reference.read() for reference in references], codebook)
                yield result

    return results_file.write(results(), folder.retries, codebook)


def _in_order(attempts: Mapping[int, EntryReference]) -> list[EntryReference]:
    return [attempts[number] for number in sorted(attempts)]
