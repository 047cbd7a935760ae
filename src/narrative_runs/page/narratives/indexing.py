"""The search index, kept up to date for the experiments that somebody looks at, in a thread of its own."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from narrative_runs import experiment
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import NarrativeRunsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import search_index
from narrative_runs.record.search_index import Groups, SearchIndex
from narrative_runs.source.groups import all_groups

# How long an experiment is kept up to date after somebody looked, and how often the record is looked at meanwhile.
_AFTER_A_LOOK_S = 60.0
_EVERY_S = 2.0


@dataclass
class _Looked:
    """An experiment that somebody looked at.

    row: its row in the record; at: when, by the monotonic clock; asked, done: how many looks there were, and which is
    the last that an update began after; problem: why the last update came to no end, in words.
    """

    row: dict[str, Any]
    at: float
    asked: int = 0
    done: int = 0
    problem: str = ""
    codebook: Codebook = DEFAULT
    groups: Groups = field(default_factory=dict)
    is_known: bool = False


class Indexing:
    """Keeps the index up to date. A look at an experiment starts it; it stops a while after the last look."""

    def __init__(self, index: SearchIndex | None = None) -> None:
        self.index = index or SearchIndex()
        self._changed = threading.Condition()
        self._looked: dict[str, _Looked] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def look(self, row: dict[str, Any], patience_s: float) -> str:
        """Bring the index of an experiment up to date, and wait for that, but no longer than this.

        row: the experiment's row in the record. Out: why it cannot be brought up to date, in words; empty where that is
        done, or goes on.
        """
        end = time.monotonic() + patience_s
        with self._changed:
            looked = self._looked.setdefault(row["experiment_id"], _Looked(row, 0.0))
            looked.at, looked.row = time.monotonic(), row
            looked.asked += 1
            mine = looked.asked
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="search index", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            while looked.done < mine and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return looked.problem

    def close(self) -> None:
        """Stop after the rows at hand."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                for experiment_id, looked in list(self._looked.items()):
                    if looked.done == looked.asked and now - looked.at > _AFTER_A_LOOK_S:
                        del self._looked[experiment_id]
                if self._is_closed or not self._looked:
                    self._thread = None
                    return
                # Those that somebody waits for before others.
                wanted = sorted(self._looked.values(), key=lambda looked: looked.done == looked.asked)
            for looked in wanted:
                self._update(looked)
            with self._changed:
                if not self._is_closed and all(looked.done == looked.asked for looked in self._looked.values()):
                    self._changed.wait(_EVERY_S)

    def _update(self, looked: _Looked) -> None:
        asked, problem = looked.asked, ""
        try:
            if not looked.is_known:
                looked.codebook, looked.groups = _codebook_and_groups(looked.row)
                looked.is_known = True
            search_index.update(
                self.index,
                looked.row["experiment_id"],
                looked.codebook,
                looked.groups,
                lambda: not self._is_closed,
            )
        except NarrativeRunsError as error:
            problem = str(error)
        except Exception as error:
            # It may quote a narrative.
            problem = f"The search index cannot be brought up to date: {type(error).__name__}."
        with self._changed:
            looked.done, looked.problem = asked, problem
            self._changed.notify_all()


def state_of(row: dict[str, Any]) -> ExperimentState | None:
    """The experiment state in its folder; None if there is no folder, or it cannot be read.

    row: the experiment's row in the record.
    """
    try:
        return experiment.find(ExperimentFolder(row["slug"])) if row["slug"] else None
    except NarrativeRunsError:
        return None


def _codebook_and_groups(row: dict[str, Any]) -> tuple[Codebook, Groups]:
    state = state_of(row)
    if state is None:
        return DEFAULT, {}
    return experiment.codebook_of(state.params), all_groups(ExperimentFolder(row["slug"]).other_columns)
