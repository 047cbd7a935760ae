"""All findings of an experiment, derived once more from workbook, params and journals, into another folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.derivation.answers import must_be_as_they_came
from narrative_runs.experiment import Begun
from narrative_runs.findings.metrics import write_metrics
from narrative_runs.findings.seal import SEALED
from narrative_runs.jobs.classify import write_results
from narrative_runs.jobs.record import write_findings
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.jobs.source import write_quality, write_source
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.reading import reading_of
from narrative_runs.whole_files import scratch_folder


@contextmanager
def derived_aside(begun: Begun, params: Params, folder: ExperimentFolder) -> Iterator[ExperimentFolder]:
    """The findings as this code derives them, in a folder that is gone at the end; nobody is asked.

    Raises:
        SourceError: the workbook is not here, or not the one that the experiment began with.
        JournalError: an answer is missing, was altered or cannot be read.
    """
    must_be_as_they_came(folder.journals)
    with scratch_folder(folder.path / ".proof") as scratch:
        aside = ExperimentFolder(folder.slug, scratch)
        _derive(begun, params, folder, aside)
        yield aside


def differing(folder: ExperimentFolder, aside: ExperimentFolder) -> list[str]:
    """The names of the findings that are there and differ from those derived aside, in the order of SEALED."""
    present = [name for name in SEALED if all((each.path / name).exists() for each in (folder, aside))]
    return [name for name in present if (folder.path / name).read_bytes() != (aside.path / name).read_bytes()]


def missing(folder: ExperimentFolder, aside: ExperimentFolder) -> list[Path]:
    """The findings that were derived aside and are not there."""
    return [folder.path / name for name in SEALED if (aside.path / name).exists() and not (folder.path / name).exists()]


def _derive(begun: Begun, params: Params, folder: ExperimentFolder, aside: ExperimentFolder) -> None:
    md5 = checksum.verify(params.data.file)
    checksum.must_be(params.data.file, begun.source_md5, md5)
    aside.path.mkdir()
    aside.journals.symlink_to(folder.journals.resolve(), target_is_directory=True)
    how = reading_of(params.data.model_dump(mode="json"), rules.numbered(begun.reading_rules))
    source = workbook.read(params.data.file, how, aside.path)
    checksum.must_be(params.data.file, begun.source_md5)
    write_source(source, aside, params.shards.count)
    write_quality(source, md5, aside)
    for shard in range(1, params.shards.count + 1):
        write_results(aside, params, shard)
    write_retries(aside, params)
    _, measured = write_findings(aside, begun.experiment_id, params.model_dump(mode="json"), how.rules)
    write_metrics(measured, aside.metrics)
