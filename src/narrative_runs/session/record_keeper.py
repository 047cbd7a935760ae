"""Moves an experiment's record while it runs."""

import math
from collections.abc import Callable

from narrative_runs import places
from narrative_runs.errors import RecordLocked
from narrative_runs.record import database, state
from narrative_runs.results import Result
from narrative_runs.session.progress import Beat
from narrative_runs.session.standing import Standing

# Of a run that is slower than the beat of the told progress. A reader that does not wait at all is turned away while
# the record is written: hence no oftener.
EVERY_S = 2.0
# A reader that holds up the record holds up nobody else: it is let go on, and the record tried again.
PATIENCE_S = 2.0
LOCKED_FOR_LONG_S = 30.0
LOCKED = (
    f"[WAITING] {places.RECORD} is locked by another program, perhaps by an unsaved change in a database browser. "
    "The run goes on, and the record follows as soon as it can."
)


class RecordKeeper:
    """The one writer of an experiment's rows and counts until the merge.

    unrecorded: results that the record lacks; emptied as they are written. Times are seconds of a monotonic clock.
    """

    def __init__(self, experiment_id: str, unrecorded: list[Result], tell: Callable[[str], None]) -> None:
        """tell: shows a line to the user."""
        self._experiment_id = experiment_id
        self._unrecorded = unrecorded
        self._tell = tell
        self._done, self._at = 0, -math.inf
        self._locked_since: float | None = None

    def move_if_due(self, standing: Standing, now: float) -> None:
        """Write after 100 narratives, after fewer within two seconds, and every 30 seconds in any case.

        Raises:
            RecordError: the record cannot be written, for another reason than a reader or writer that keeps it.
        """
        fresh, since = standing.n_narratives_processed - self._done, now - self._at
        if not (fresh >= Beat.NARRATIVES or (fresh and since >= EVERY_S) or since >= Beat.SECONDS):
            return
        try:
            self.move(standing, now, PATIENCE_S)
        except RecordLocked:
            if self._locked_since is None:
                self._locked_since = now
            elif now - self._locked_since > LOCKED_FOR_LONG_S:
                self._locked_since = math.inf
                self._tell(LOCKED)
        else:
            self._locked_since = None

    def move(self, standing: Standing, now: float, patience_s: float = database.BUSY_TIMEOUT_S) -> None:
        """Write now, and wait so long for other programs.

        Raises:
            RecordError: the record cannot be written.
        """
        assert standing.n_narratives_total is not None
        state.move(
            self._experiment_id,
            self._unrecorded,
            total=standing.n_narratives_total,
            processed=standing.n_narratives_processed,
            completed=standing.n_narratives_processed - sum(standing.errors.values()),
            eta=standing.estimated_completion_time,
            patience_s=patience_s,
        )
        self._unrecorded.clear()
        self._done, self._at = standing.n_narratives_processed, now
