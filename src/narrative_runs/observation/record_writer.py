"""Updates an experiment's record while it runs."""

import math
from collections.abc import Callable, Iterable

from narrative_runs import paths
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import RecordLocked
from narrative_runs.observation.progress import Interval
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.record import database, state
from narrative_runs.record.error_patterns import PatternAndMessage
from narrative_runs.record.sources import ensure_sources
from narrative_runs.results import Result
from narrative_runs.source.shards import Narrative

# Of a slow run, which moves the record between two lines of its progress too. No oftener, as a reader that does not
# wait at all is turned away while the record is written.
EVERY_S = 2.0
# A reader that holds up the record holds up nobody else: it is let go on, and the record tried again.
PATIENCE_S = 2.0
LOCKED_FOR_LONG_S = 30.0
LOCKED = (
    f"[WAITING] {paths.RECORD} is locked by another program, perhaps by an unsaved change in a database browser. "
    "The run continues, and the record catches up as soon as it can."
)


class RecordWriter:
    """The one writer of an experiment's rows and counts until the merge.

    unrecorded: results that the record lacks; emptied as they are written; patterns: those of the errors,
    each with its sentence for the user. Times are seconds of a monotonic clock.
    """

    def __init__(
        self,
        experiment_id: str,
        unrecorded: list[Result],
        narratives: Callable[[], Iterable[Narrative]],
        are_narratives_there: Callable[[], bool],
        data_source: str,
        data_checksum: str,
        codebook: Codebook,
        tell: Callable[[str], None],
    ) -> None:
        """narratives: gives those of the workbook, for a record that has not got them, once they are there;
        data_source, data_checksum: path and md5 of the workbook; codebook: what is asked; tell: shows a line to the
        user."""
        self._experiment_id = experiment_id
        self._narratives = narratives
        self._are_narratives_there = are_narratives_there
        self._source = data_source, data_checksum
        self._codebook = codebook
        self._has_sources = False
        self._unrecorded = unrecorded
        self._tell = tell
        self.patterns: list[PatternAndMessage] = []
        self._done, self._at = 0, -math.inf
        self._locked_since: float | None = None

    def move_if_due(self, status: RunStatus, now: float) -> None:
        """Write after 100 narratives, after fewer within two seconds, and every 30 seconds in any case.

        Raises:
            RecordError: the record cannot be written, for another reason than a reader or writer that keeps it.
        """
        fresh, since = status.n_narratives_processed - self._done, now - self._at
        if not (fresh >= Interval.NARRATIVES or (fresh and since >= EVERY_S) or since >= Interval.SECONDS):
            return
        try:
            self.move(status, now, PATIENCE_S)
        except RecordLocked:
            if self._locked_since is None:
                self._locked_since = now
            elif now - self._locked_since > LOCKED_FOR_LONG_S:
                self._locked_since = math.inf
                self._tell(LOCKED)
        else:
            self._locked_since = None

    def move(self, status: RunStatus, now: float, patience_s: float = database.BUSY_TIMEOUT_S) -> None:
        """Write now, and wait up to so many seconds for other programs.

        Raises:
            RecordError: the record cannot be written.
        """
        assert status.n_narratives_total is not None
        if not self._has_sources:
            if not self._are_narratives_there():
                # The workbook is just read again; what is unrecorded waits.
                return
            ensure_sources(self._narratives, *self._source, patience_s)
            self._has_sources = True
        state.move(
            self._experiment_id,
            self._unrecorded,
            *self._source,
            total=status.n_narratives_total,
            processed=status.n_narratives_processed,
            completed=status.n_narratives_processed - sum(status.errors.values()),
            eta=status.estimated_completion_time,
            codebook=self._codebook,
            patterns=self.patterns,
            patience_s=patience_s,
        )
        self._unrecorded.clear()
        self._done, self._at = status.n_narratives_processed, now
