"""Holds an experiment that no run holds, for as long as its state is kept or changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from narrative_runs import journal
from narrative_runs.paths import ExperimentFolder
from narrative_runs.run_lock import RunLock

Tell = Callable[[str], None]


@contextmanager
def held(folder: ExperimentFolder, tell: Tell) -> Iterator[None]:
    """Hold the experiment's lock, so that no run begins meanwhile, and seal what sessions left open.

    Raises:
        AlreadyRunning: a run holds it.
        JournalError: a session cannot be sealed.
    """
    lock = RunLock(folder.path)
    lock.acquire(tell)
    try:
        journal.seal(folder.journals)
        yield
    finally:
        lock.release()
