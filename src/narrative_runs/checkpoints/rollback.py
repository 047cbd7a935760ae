"""`narrative-runs rollback`: the answers of another state count from now on, and all else is derived from them again.

The state changes at the one moment when `set_aside.json` appears: before it all is as it was, after it all readers of
the journals see the other state. Derived files follow; if that is cut short, the next run or the same command does it.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from narrative_runs import __version__, experiment, finished, journal, journal_set_aside, snapshots
from narrative_runs.checkpoints.by_hand import counts_of
from narrative_runs.checkpoints.derived import take_back
from narrative_runs.checkpoints.held import Tell, held
from narrative_runs.derivation.aside import derived_at
from narrative_runs.derivation.rederive import derive_again
from narrative_runs.errors import ExperimentError
from narrative_runs.experiment import ExperimentState
from narrative_runs.journal_set_aside import Rollback
from narrative_runs.paths import ExperimentFolder
from narrative_runs.shell import quoted
from narrative_runs.snapshots import Snapshot
from narrative_runs.source.tracking import tracking_file

Confirm = Callable[[], bool]


def roll_back(which: str, name: str, confirm: Confirm, tell: Tell) -> None:
    """Go back to the snapshot `name` of an experiment (slug or id): answers that came later are set aside.

    confirm: asks the user; tell: shows a line to the user.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: it has no such snapshot, it runs, or nobody confirmed.
        JournalError, SourceError: the state of the snapshot cannot be derived; nothing was changed.
        RecordError: the record cannot be written; the same command does the rest.
    """
    folder = _folder_of(which)
    with held(folder, tell):
        was_cut_short = finish(folder, tell)
        state = _state_in(folder)
        target = snapshots.named(folder, name)
        counting = {session.name for session in journal.sealed_sessions(folder.journals)}
        is_there = counting == set(target.sessions)
        if not is_there:
            _change(folder, state, target, counting, confirm, tell)
    if is_there and not was_cut_short:
        tell(f"{folder.slug} has the answers of {name} already. Nothing was changed.")
        return
    _end(folder, state, target, tell)
    tell(f"To restore the later answers: `narrative-runs rollback {folder.slug} --undo`")


def _change(
    folder: ExperimentFolder, state: ExperimentState, target: Snapshot, counting: set[str], confirm: Confirm, tell: Tell
) -> None:
    """Ask, check that the state can be derived, and make it the one that counts."""
    _ask(folder, target, counting, confirm, tell)
    with derived_at(target, state, folder) as derived:
        before = snapshots.keep(
            folder,
            state.experiment_id,
            experiment.last_params(folder, state),
            counts_of(folder, state),
            made_for=snapshots.ROLLBACK,
        )
        last = journal_set_aside.read(folder.journals)
        changed = Rollback(
            _all_but(folder, target),
            target.name,
            before.name,
            datetime.now().astimezone().isoformat(timespec="seconds"),
            earlier=None if last is None else asdict(last),
            derive_from=target.name,
        )
        journal_set_aside.write(folder.journals, changed)
        _take_back(folder, state, target, derived)


def undo(which: str, confirm: Confirm, tell: Tell) -> None:
    """Bring back the answers that the last rollback of an experiment (slug or id) has set aside.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: nothing was rolled back, something was asked since, it runs, or nobody confirmed.
        JournalError, SourceError: the state before cannot be derived; nothing was changed.
        RecordError: the record cannot be written; the same command does the rest.
    """
    folder = _folder_of(which)
    with held(folder, tell):
        finish(folder, tell)
        state = _state_in(folder)
        last = journal_set_aside.read(folder.journals)
        if last is None or not last.undone_by:
            raise ExperimentError(f"{folder.slug} was not rolled back: there is nothing to undo.")
        target = snapshots.named(folder, last.undone_by)
        counting = {session.name for session in journal.sealed_sessions(folder.journals)}
        if asked := sorted(counting - set(snapshots.named(folder, last.snapshot).sessions)):
            raise ExperimentError(
                f"Since the rollback of {folder.slug} to {last.snapshot} its model was asked ({', '.join(asked)}), and "
                "answers of two states are never mixed. To keep the newer answers, do nothing. To set "
                f"them aside instead: `narrative-runs rollback {folder.slug} {target.name}`"
            )
        _ask(folder, target, counting, confirm, tell)
        with derived_at(target, state, folder) as derived:
            changed = Rollback(**last.earlier) if last.earlier else Rollback([], "", "", last.at)
            journal_set_aside.write(folder.journals, replace(changed, derive_from=target.name))
            _take_back(folder, state, target, derived)
    _end(folder, state, target, tell)


def finish(folder: ExperimentFolder, tell: Tell) -> bool:
    """Finish a rollback that was cut short; the caller holds the experiment. Returns whether there was one.

    Raises:
        ExperimentError, JournalError, SourceError, RecordError: as `roll_back`.
    """
    last = journal_set_aside.read(folder.journals)
    if last is None or not last.derive_from:
        return False
    tell(f"A rollback of {folder.slug} was interrupted. Finishing it first: to {last.derive_from}.")
    state, target = _state_in(folder), snapshots.named(folder, last.derive_from)
    with derived_at(target, state, folder) as derived:
        _take_back(folder, state, target, derived)
    return True


def finish_if_cut_short(folder: ExperimentFolder, tell: Tell) -> None:
    """The same, for a caller that does not hold the experiment yet.

    Raises:
        AlreadyRunning: somebody holds it.
    """
    last = journal_set_aside.read(folder.journals)
    if last is not None and last.derive_from:
        with held(folder, tell):
            finish(folder, tell)


def _folder_of(which: str) -> ExperimentFolder:
    """The folder of an experiment, even of one between two states."""
    folder = ExperimentFolder(which)
    if folder.journals.is_dir() and experiment.find(folder) is not None:
        return folder
    return finished.named(which)[0]


def _state_in(folder: ExperimentFolder) -> ExperimentState:
    state = experiment.find(folder)
    assert state is not None
    return state


def _all_but(folder: ExperimentFolder, target: Snapshot) -> list[str]:
    """The names of the sealed sessions that are not a snapshot's."""
    sessions = journal.sealed_sessions(folder.journals, with_set_aside=True)
    return [session.name for session in sessions if session.name not in target.sessions]


def _ask(folder: ExperimentFolder, target: Snapshot, counting: set[str], confirm: Confirm, tell: Tell) -> None:
    """Say what would change, and ask.

    Raises:
        ExperimentError: nobody confirmed.
    """
    tell(
        f"{folder.slug} will go back to {target.name}, made {target.made_at[:16].replace('T', ' ')}: "
        f"{target.counts.words}."
    )
    if leaving := sorted(counting - set(target.sessions)):
        tell(f"Set aside, but kept: {', '.join(leaving)}. The model is not asked, and no answer is deleted.")
    if coming := sorted(set(target.sessions) - counting):
        tell(f"Restored: {', '.join(coming)}.")
    if target.release != __version__:
        tell(
            f"Release {target.release} made the snapshot, and {__version__} derives the findings from its answers: "
            "they may differ from the findings at that time."
        )
    if not confirm():
        raise ExperimentError("Nothing was changed.")


def _take_back(folder: ExperimentFolder, state: ExperimentState, target: Snapshot, derived: ExperimentFolder) -> None:
    take_back(folder, state, target, derived)
    last = journal_set_aside.read(folder.journals)
    assert last is not None
    if last.undone_by:
        journal_set_aside.write(folder.journals, replace(last, derive_from=""))
    else:
        journal_set_aside.remove(folder.journals)


def _end(folder: ExperimentFolder, state: ExperimentState, target: Snapshot, tell: Tell) -> None:
    """Make the findings of a state that is complete; say what to do about others, and with DVC."""
    if target.is_complete:
        derive_again(state.experiment_id)
        tell(f"{folder.slug} is at {target.name}: {target.counts.words}. Its findings are in {folder.path}/.")
    else:
        tell(f"{folder.slug} is at {target.name}: {target.counts.words}. The next run asks about the open narratives.")
    for line in _for_dvc(folder):
        tell(line)


def _for_dvc(folder: ExperimentFolder) -> list[str]:
    """What to do where DVC tracks the journals, in words."""
    sessions = journal.sealed_sessions(folder.journals)
    untracked = [session for session in sessions if not tracking_file(session).exists()]
    if len(untracked) == len(sessions) and not any(folder.journals.glob("*.dvc")):
        return []
    path = quoted(folder.journals / journal_set_aside.NAME)
    lines = [f"DVC keeps all sessions as they are. For git, so that a clone has this state too: `git add -A {path}`"]
    if untracked:
        lines.append(f"Not in DVC's care yet: `dvc add {' '.join(map(quoted, untracked))}`")
    return lines
