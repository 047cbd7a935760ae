"""Follows the journals while they grow: the counts move, and what the record lacks is gathered."""

import time
from pathlib import Path
from typing import Any

from narrative_runs import journal
from narrative_runs.asking.reply import counts_of, model_of
from narrative_runs.asking.request import Question
from narrative_runs.params import Params
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.results import Result, result_of, tokens_of
from narrative_runs.session.progress import Progress
from narrative_runs.source.shards import Narrative, iterate

# What a release may read differently from the same answer.
READ_FROM_ANSWERS = ("detected", "confidence", "indicators", "rationale", "error_category", "p_detected")


class Follower:
    """Reads what the journals have gained.

    model: as the server named it in the first answer; empty before; unrecorded: results that the record lacks;
    read_differently: results that the record had otherwise, because an earlier release read their answers;
    longest_answered: characters of the longest narrative that the model answered.
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        experiment_id: str,
        params: Params,
        progress: Progress,
        is_new_release: bool = False,
    ) -> None:
        """is_new_release: whether an earlier release filled the record."""
        self._folder = folder
        self._experiment_id = experiment_id
        self._params = params
        self._progress = progress
        self._question = Question(params)
        self._narratives: dict[str, Narrative] | None = None
        self._offsets: dict[Path, int] = {}
        self._answered: set[str] = set()
        self._failed: dict[str, str] = {}
        self.model = ""
        self.unrecorded: list[Result] = []
        self.read_differently = 0
        self.longest_answered = 0
        self._is_new_release = is_new_release
        self._in_record: dict[tuple[str, str], dict[str, Any]] = {}

    def follow(self) -> list[tuple[dict[str, Any], Result | None]]:
        """Take in all new entries; returns them, oldest first within a file, each with the result it gives if any."""
        if self._narratives is None:
            self._narratives = self._load()
            if self._narratives is None:
                return []
            self._progress.total = len(self._narratives)
            self._in_record = self._results_in_record()
        seen: list[tuple[dict[str, Any], Result | None]] = []
        for path in journal.files(self._folder.journals):
            for place, entry in journal.entries(path, self._offsets.get(path, 0)):
                self._offsets[path] = place.offset + place.length
                result = self._take(entry, path)
                self._keep_if_lacking(result)
                seen.append((entry, result))
        self._progress.note(time.monotonic())
        return seen

    def kept(self) -> int:
        """How many narratives the journals hold a result of, also before the workbook is read."""
        paths = journal.files(self._folder.journals)
        entries = (entry for path in paths if path.stem != journal.RETRY for _, entry in journal.entries(path))
        return len({entry["fingerprint"] for entry in entries})

    def _take(self, entry: dict[str, Any], path: Path) -> Result | None:
        """Count one entry; returns the narrative's first result, if it is that."""
        response, fingerprint = entry.get("response") or {}, entry["fingerprint"]
        self._count_tokens(entry)
        self.model = self.model or model_of(response) or ""
        narrative = (self._narratives or {}).get(fingerprint)
        if narrative is None:
            return None
        if response:
            self.longest_answered = max(self.longest_answered, len(narrative.narrative_text))
        if path.stem == journal.RETRY:
            again = result_of(narrative, entry)
            self._count_error(fingerprint, again.error_category)
            # The merge applies what a retry found; only a record that was lost has it from here.
            self._keep_if_lacking(again)
            return None
        if fingerprint in self._answered:
            return None
        self._answered.add(fingerprint)
        result = result_of(narrative, entry)
        self._progress.done += 1
        # At its beginning this session has sealed what earlier ones left.
        self._progress.done_before += not path.parent.name.endswith(journal.OPEN)
        self._count_error(fingerprint, result.error_category)
        if result.error_category is None and "adopted" in entry:
            self._progress.adopted += 1
        return result

    def _keep_if_lacking(self, result: Result | None) -> None:
        if result is None:
            return
        kept = self._in_record.get((result.incident_id, result.narrative_type))
        if kept is None:
            self.unrecorded.append(result)
        elif self._is_new_release and _differs(result, kept):
            self.read_differently += 1
            self.unrecorded.append(result)

    def _count_tokens(self, entry: dict[str, Any]) -> None:
        self._progress.tokens += tokens_of(entry)
        adopted, response = entry.get("adopted"), entry.get("response")
        if adopted:
            prompt, completion = adopted.get("prompt_tokens"), adopted.get("completion_tokens")
        else:
            counts = counts_of(response or {})
            prompt, completion = counts.prompt, counts.completion
        self._progress.prompt_tokens += prompt or 0
        self._progress.completion_tokens += completion or 0

    def _count_error(self, fingerprint: str, category: str | None) -> None:
        """The narrative's latest pass ended with this error, or with none."""
        before = self._failed.pop(fingerprint, None)
        if before is not None:
            self._progress.errors[before] -= 1
        if category is not None:
            self._failed[fingerprint] = category
            self._progress.errors[category] += 1

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

    def _results_in_record(self) -> dict[tuple[str, str], dict[str, Any]]:
        columns = ["incident_id", "narrative_type"]
        columns += ["attempt_count", *READ_FROM_ANSWERS] if self._is_new_release else []
        rows = database.query(
            f"SELECT {', '.join(columns)} FROM narrative_results WHERE experiment_id = ?", (self._experiment_id,)
        )
        return {(row["incident_id"], row["narrative_type"]): row for row in rows}


def _differs(result: Result, kept: dict[str, Any]) -> bool:
    """Whether the record has this result otherwise; of several passes over a narrative it has the last alone."""
    is_same_pass = result.attempt_count == kept["attempt_count"]
    return is_same_pass and any(getattr(result, name) != kept[name] for name in READ_FROM_ANSWERS)
