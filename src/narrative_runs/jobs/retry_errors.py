"""The job that has error rows asked again, when it is forced, and writes retries.parquet either way."""

from collections.abc import Iterator, Mapping, Sequence

from narrative_runs import journal, results_file
from narrative_runs.asking.request import Question
from narrative_runs.codebook.variables import Codebook
from narrative_runs.journal import EntryReference
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.results import Result, replaces, result_of
from narrative_runs.source.shards import Narrative, iterate_all


def write_retries(folder: ExperimentFolder, params: Params) -> int:
    """Write retries.parquet from the retry journals: of each narrative the last pass that takes the place of the one
    before; returns the number of rows.

    Raises:
        JournalError: an answer cannot be read.
    """
    found, question, codebook = journal.passes(folder.journals), Question(params), params.variables
    first = journal.first_entries(folder.journals) if found and not codebook.fits_the_record else {}

    def results() -> Iterator[Result]:
        if not found:
            return
        for narrative in iterate_all(folder, params.shards.count, params.run.max_narratives):
            fingerprint = question.fingerprint(narrative)
            if attempts := found.get(fingerprint):
                references = [*([first[fingerprint]] if fingerprint in first else []), *_in_order(attempts)]
                yield _last_that_counts(narrative, references, codebook)

    return results_file.write(results(), folder.retries, codebook)


def _in_order(attempts: Mapping[int, EntryReference]) -> list[EntryReference]:
    return [attempts[number] for number in sorted(attempts)]


def _last_that_counts(narrative: Narrative, references: Sequence[EntryReference], codebook: Codebook) -> Result:
    """The result of the last pass that took the place of the one before."""
    if codebook.fits_the_record:
        return result_of(narrative, references[-1].read(), codebook)
    counts = result_of(narrative, references[0].read(), codebook)
    for reference in references[1:]:
        again = result_of(narrative, reference.read(), codebook)
        counts = again if replaces(again, counts, codebook) else counts
    return counts
