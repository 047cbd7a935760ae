"""All findings of an experiment, derived again from workbook, params and journals, into another folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrative_runs import journal
from narrative_runs.atomic_files import scratch_folder
from narrative_runs.derivation.answers import must_be_as_they_came
from narrative_runs.errors import JournalError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.metrics import write_metrics
from narrative_runs.findings.seal import SEALED
from narrative_runs.jobs.classify import write_results
from narrative_runs.jobs.record import write_findings
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.jobs.source import write_quality, write_source
from narrative_runs.params import Params, check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.snapshots import Snapshot, checksum_of
from narrative_runs.source import checksum, rules, workbook
from narrative_runs.source.reading import reading_of
from narrative_runs.source.tracking import command_to_restore, tracking_file


@contextmanager
def derived_aside(state: ExperimentState, params: Params, folder: ExperimentFolder) -> Iterator[ExperimentFolder]:
    """The findings as this code derives them, in a temporary folder; the model is not asked.

    Raises:
        SourceError: the workbook is not here, or not the one that the experiment began with.
        JournalError: an answer is missing, was altered or cannot be read.
    """
    must_be_as_they_came(folder.journals)
    with scratch_folder(folder.path / ".proof") as scratch:
        aside = ExperimentFolder(folder.slug, scratch)
        aside.path.mkdir()
        aside.journals.symlink_to(folder.journals.resolve(), target_is_directory=True)
        _derive(state, params, aside)
        yield aside


@contextmanager
def derived_at(snapshot: Snapshot, state: ExperimentState, folder: ExperimentFolder) -> Iterator[ExperimentFolder]:
    """The findings of a snapshot as this code derives them from the answers at that time, in a temporary folder; the
    model is not asked.

    Raises:
        SourceError: the workbook is not here, or not the one that the experiment began with.
        JournalError: a session of the snapshot is missing, was altered or cannot be read.
    """
    must_be_as_kept(snapshot, folder)
    params = check(dict(snapshot.params), f"snapshot {snapshot.name}")
    with scratch_folder(folder.path / ".snapshot") as scratch:
        aside = ExperimentFolder(folder.slug, scratch)
        aside.journals.mkdir(parents=True)
        for session in snapshot.sessions:
            (aside.journals / session).symlink_to((folder.journals / session).resolve(), target_is_directory=True)
        _derive(state, params, aside, is_partial=not snapshot.is_complete)
        yield aside


def must_be_as_kept(snapshot: Snapshot, folder: ExperimentFolder) -> None:
    """See that the sessions of a snapshot are here, as they were when it was made.

    Raises:
        JournalError: one is not.
    """
    for name, kept in snapshot.sessions.items():
        session = folder.journals / name
        if not session.is_dir():
            way = command_to_restore(session.with_name(f"{name}.dvc")) if tracking_file(session).exists() else ""
            raise JournalError(
                f"{session}/ is not here, but the snapshot {snapshot.name} needs it. "
                + (f"To restore it: `{way}`." if way else "Restore it from a backup.")
            )
        journal.session_must_be_as_sealed(session, with_content=True)
        if checksum_of(session) != kept:
            raise JournalError(
                f"{session}: its answers are not those that the snapshot {snapshot.name} was made of: the session was "
                "sealed anew since. Bring it back from a backup, or delete the snapshot."
            )


def differing(folder: ExperimentFolder, aside: ExperimentFolder) -> list[str]:
    """The names of the existing findings that differ from those derived aside, in the order of SEALED."""
    present = [name for name in SEALED if all((each.path / name).exists() for each in (folder, aside))]
    return [name for name in present if (folder.path / name).read_bytes() != (aside.path / name).read_bytes()]


def missing(folder: ExperimentFolder, aside: ExperimentFolder) -> list[Path]:
    """The findings that were derived aside and do not exist here."""
    return [folder.path / name for name in SEALED if (aside.path / name).exists() and not (folder.path / name).exists()]


def _derive(state: ExperimentState, params: Params, aside: ExperimentFolder, is_partial: bool = False) -> None:
    """Derive all findings into the folder, which holds only the journals; is_partial: from the answers there are so
    far."""
    md5 = checksum.verify(params.data.file)
    checksum.must_be(params.data.file, state.source_md5, md5)
    how = reading_of(params.data.model_dump(mode="json"), rules.numbered(state.reading_rules), params.variables)
    source = workbook.read(params.data.file, how, aside.path)
    checksum.must_be(params.data.file, state.source_md5)
    write_source(source, aside, params)
    write_quality(source, md5, aside)
    for shard in range(1, params.shards.count + 1):
        write_results(aside, params, shard, is_partial)
    write_retries(aside, params)
    _, measured = write_findings(aside, state.experiment_id, params, how.rules, is_partial)
    write_metrics(measured, aside.metrics)
