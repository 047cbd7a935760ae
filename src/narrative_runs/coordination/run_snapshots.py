"""Snapshots of an experiment that its own run makes: as it begins, every few hours, and when another terminal asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from narrative_runs import experiment, journal, snapshots
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.observation.run_monitor import RunMonitor
from narrative_runs.params import Run
from narrative_runs.paths import ExperimentFolder
from narrative_runs.run_spec import RunSpec
from narrative_runs.snapshots import INTERVAL, MORE_NARRATIVES, RETRY, USER, Counts, Snapshot

LOOK_EVERY_S = 30.0
LIMIT = "run.max_narratives: "


class RunSnapshots:
    """The snapshots of one run; begin_session: has what is answered from now on written to the journals of another
    session, whose number it gives, so that the one before can be sealed."""

    def __init__(self, spec: RunSpec, monitor: RunMonitor, begin_session: Callable[[], Awaitable[int]]) -> None:
        self._spec = spec
        self._folder = ExperimentFolder(spec.slug)
        self._monitor = monitor
        self._begin_session = begin_session
        self._params_before: Mapping[str, Any] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._last_at = time.monotonic()

    def look_before(self) -> None:
        """See which params the experiment had until now, before the run writes its own; to be called first."""
        state = experiment.find(self._folder) if self._made_for else None
        if state is not None and state.has_journals:
            self._params_before = experiment.last_params(self._folder, state)

    def keep_state_before(self) -> None:
        """Keep the state as it was, where this run asks again for errors, or for another number of narratives."""
        if self._params_before is None:
            return
        counts = self._monitor.counts()
        limit = self._params_before["run"]["max_narratives"]
        if counts.total is not None and limit is not None:
            counts = replace(counts, total=min(counts.total, limit))
        try:
            self._tell(self._keep(self._params_before, counts, made_for=self._made_for))
        except (NarrativeRunsError, OSError) as error:
            self._monitor.tell(f"No snapshot of the previous state was made: {reason_of(error)}")

    async def keep_regularly(self, run: Run) -> None:
        """Keep the state again and again, if something was answered since."""
        every_s = run.snapshot_every_s
        while every_s is not None:
            await asyncio.sleep(min(every_s, LOOK_EVERY_S))
            if time.monotonic() - self._last_at < every_s:
                continue
            self._last_at = time.monotonic()
            # What stands in the way is told; the run goes on without.
            try:
                if journal.is_growing(self._folder.journals):
                    self._tell(await self._keep_now("", "", INTERVAL))
            except (NarrativeRunsError, OSError) as error:
                self._monitor.tell(f"No snapshot was made: {reason_of(error)}")

    async def keep(self, name: str, note: str) -> str:
        """Keep the state of this moment by this name; returns what was kept, in words.

        Raises:
            ExperimentError: the name cannot be used, or nothing was answered yet.
            JournalError: the session cannot be sealed.
        """
        snapshots.must_be_free(self._folder, name)
        snapshot = await self._keep_now(name, note, USER)
        self._tell(snapshot)
        return snapshots.words_of(self._folder, snapshot)

    async def close(self) -> None:
        """Make no snapshot any more; one that is just made comes to its end."""
        await self._one_at_a_time.acquire()

    async def _keep_now(self, name: str, note: str, made_for: str) -> Snapshot:
        async with self._one_at_a_time:
            number = None
            if journal.is_growing(self._folder.journals):
                number = await self._begin_session()
                await asyncio.to_thread(journal.seal, self._folder.journals, number)
            self._last_at = time.monotonic()
            counts = await asyncio.to_thread(self._monitor.counts, number)
            return await asyncio.to_thread(self._keep, self._spec.params, counts, name, note, made_for)

    def _keep(
        self, params: Mapping[str, Any], counts: Counts, name: str = "", note: str = "", made_for: str = USER
    ) -> Snapshot:
        return snapshots.keep(self._folder, self._spec.experiment_id, params, counts, name, note, made_for)

    def _tell(self, snapshot: Snapshot) -> None:
        with suppress(OSError):
            self._monitor.tell(f"Snapshot {snapshot.name}: {snapshot.counts.words}")

    @property
    def _made_for(self) -> str:
        """Why the state before is kept; empty where it is not."""
        if self._spec.retry_errors:
            return RETRY
        return MORE_NARRATIVES if any(change.startswith(LIMIT) for change in self._spec.changes) else ""
