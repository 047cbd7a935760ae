"""Follows the journals while they grow: the record fills, and the counts move, from one process alone."""

import time
from pathlib import Path
from typing import Any

from narrative_runs import journal
from narrative_runs.asking.request import Question
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.results import Result, result_of, tokens_of
from narrative_runs.session.progress import Progress
from narrative_runs.source.shards import Narrative, iterate


class Follower:
    """Reads what the journals have gained, and brings it into the record.

    model: as the server named it in the first answer; empty before.
    """

    def __init__(self, folder: ExperimentFolder, experiment_id: str, params: Params, progress: Progress) -> None:
        self._folder = folder
        self._experiment_id = experiment_id
        self._params = params
        self._progress = progress
        self._question = Question(params)
        self._narratives: dict[str, Narrative] | None = None
        self._offsets: dict[Path, int] = {}
        self._answered: set[str] = set()
        self.model = ""
        self._in_record: set[tuple[str, str]] | None = None

    def follow(self) -> list[tuple[dict[str, Any], Result | None]]:
        """Take in all new entries; returns them, oldest first within a file, each with the result it gives if any."""
        if self._narratives is None:
            self._narratives = self._load()
            if self._narratives is None:
                return []
            self._progress.total = len(self._narratives)
            self._in_record = self._keys_in_record()
        fresh: list[Result] = []
        seen: list[tuple[dict[str, Any], Result | None]] = []
        for path in journal.files(self._folder.journals):
            for place, entry in journal.entries(path, self._offsets.get(path, 0)):
                self._offsets[path] = place.offset + place.length
                result = self._take(entry, is_retry=path.stem == journal.RETRY)
                if result is not None and (result.incident_id, result.narrative_type) not in (self._in_record or ()):
                    fresh.append(result)
                seen.append((entry, result))
        self._progress.note(time.monotonic())
        if fresh:
            with database.transaction() as connection:
                database.put_results(connection, self._experiment_id, fresh)
        return seen

    def _take(self, entry: dict[str, Any], is_retry: bool) -> Result | None:
        """Count one entry; returns the narrative's first result, if it is that."""
        response = entry.get("response") or {}
        self._progress.tokens += tokens_of(entry)
        self.model = self.model or response.get("model") or ""
        narrative = (self._narratives or {}).get(entry["fingerprint"])
        if narrative is None or is_retry or entry["fingerprint"] in self._answered:
            return None
        self._answered.add(entry["fingerprint"])
        result = result_of(narrative, entry)
        self._progress.done += 1
        if result.error_category is not None:
            self._progress.errors[result.error_category] += 1
        elif "adopted" in entry:
            self._progress.adopted += 1
        return result

    def _load(self) -> dict[str, Narrative] | None:
        """All narratives of the experiment by fingerprint, once the workbook is read."""
        count = self._params.shards.count
        paths = [self._folder.narratives_of(shard, count) for shard in range(1, count + 1)]
        if not self._folder.data_quality.exists() or not all(path.exists() for path in paths):
            return None
        return {
            self._question.fingerprint(narrative): narrative
            for path in paths
            for narrative in iterate(path, self._params.run.max_narratives)
        }

    def _keys_in_record(self) -> set[tuple[str, str]]:
        rows = database.query(
            "SELECT incident_id, narrative_type FROM narrative_results WHERE experiment_id = ?",
            (self._experiment_id,),
        )
        return {(row["incident_id"], row["narrative_type"]) for row in rows}
