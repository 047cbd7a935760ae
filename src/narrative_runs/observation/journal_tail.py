"""Follows the journals while they grow: updates the counts, and gathers the results that the record lacks."""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from narrative_runs import journal
from narrative_runs.asking.reply import counts_of, model_of
from narrative_runs.asking.request import Question
from narrative_runs.codebook.result_columns import READ_COLUMNS, Part, names_of
from narrative_runs.error_patterns.outcomes import ErrorKind, Outcomes
from narrative_runs.observation.progress import Progress
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import result_rows
from narrative_runs.results import Result, result_of, tokens_of
from narrative_runs.snapshots import Counts
from narrative_runs.source.groups import groups_of
from narrative_runs.source.shards import Narrative, iterate

# The texts of a whole experiment are not held: the narrative without its text, and how many characters that has.
NarrativeWithoutText = tuple[Narrative, int]
# What a release may read differently from the same answer.
READ_FROM_ANSWERS = (*names_of(column for column in READ_COLUMNS if column.part is Part.ANSWER), "error_category")


class JournalTail:
    """Reads the new entries of the journals.

    model: as the server named it in the first answer; empty before; unrecorded: results that the record lacks;
    read_differently: results that the record had otherwise, because an earlier release read their answers;
    longest_answered: characters of the longest narrative that the model answered; outcomes: of each narrative with a
    result, and how it was asked.
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
        self._codebook = params.variables
        self._narratives: dict[str, NarrativeWithoutText] | None = None
        # By the session's number and the file's name: a session that is sealed while it is followed changes its folder.
        self._offsets: dict[tuple[int, str], int] = {}
        # What each session added to the counts.
        self._processed: Counter[int] = Counter()
        self._errors: dict[int, Counter[str]] = {}
        self._first_session = 0
        # Those without an entry: they only become fewer, so that nothing grows with the answers.
        self._open: set[str] = set()
        self._failed: dict[str, str] = {}
        self.model = ""
        self.unrecorded: list[Result] = []
        self.read_differently = 0
        self.longest_answered = 0
        self.outcomes = Outcomes()
        self._asked_by: dict[Path, tuple[str, str]] = {}
        self._is_new_release = is_new_release
        self._in_record: dict[tuple[str, str], dict[str, Any]] = {}

    def follow(self) -> list[tuple[dict[str, Any], Result | None]]:
        """Take in all new entries; returns them, oldest first within a file, each with the result it gives if any."""
        if self._narratives is None:
            self._narratives = self._load()
            if self._narratives is None:
                return []
            # Nothing is asked before the narratives are known here.
            self._first_session = journal.next_session(self._folder.journals)
            self._progress.total = len(self._narratives)
            self._open = set(self._narratives)
            self.outcomes = Outcomes(groups_of(self._folder, self._params))
            self._in_record = self._results_in_record()
        seen: list[tuple[dict[str, Any], Result | None]] = []
        for path in journal.files(self._folder.journals):
            file = journal.session_of(path), path.name
            for reference, entry in journal.entries(path, self._offsets.get(file, 0)):
                self._offsets[file] = reference.offset + reference.length
                result = self._take(entry, path)
                self._keep_if_lacking(result)
                seen.append((entry, result))
        self._progress.note(time.monotonic())
        return seen

    def is_answered(self, fingerprint: str) -> bool:
        """Whether the journals hold an answer, or a settled failure, for what has this fingerprint."""
        return fingerprint in (self._narratives or {}) and fingerprint not in self._open

    def counts(self, before: int | None = None) -> Counts:
        """The progress of the experiment by the entries followed; before: only those of sessions with a lower number
        than this."""
        if self._narratives is None:
            return Counts(None, self.kept())
        sessions = [session for session in self._errors if before is None or session < before]
        errors: Counter[str] = Counter()
        for session in sessions:
            # Not by adding them: what a retry corrected is less than nothing.
            errors.update(self._errors[session])
        return Counts(
            self._progress.total,
            sum(self._processed[session] for session in sessions),
            {category: count for category, count in sorted(errors.items()) if count > 0},
        )

    def kept(self) -> int:
        """How many narratives have a result in the journals, even before the workbook is read."""
        paths = journal.files(self._folder.journals)
        entries = (
            entry for path in paths if journal.name_of(path) != journal.RETRY for _, entry in journal.entries(path)
        )
        return len({entry["fingerprint"] for entry in entries})

    def _take(self, entry: dict[str, Any], path: Path) -> Result | None:
        """Count one entry; returns the narrative's first result, if it is that."""
        response, fingerprint = entry.get("response") or {}, entry["fingerprint"]
        self._count_tokens(entry)
        self.model = self.model or model_of(response) or ""
        kept = (self._narratives or {}).get(fingerprint)
        if kept is None:
            return None
        session = journal.session_of(path)
        of_session = self._errors.setdefault(session, Counter())
        narrative, characters = kept
        if response:
            self.longest_answered = max(self.longest_answered, characters)
        if journal.name_of(path) == journal.RETRY:
            again = result_of(narrative, entry, self._codebook)
            self._note_outcome(again, characters, entry, path)
            self._count_error(fingerprint, again.error_category, of_session)
            # The merge applies what a retry found; only a record that was lost has it from here.
            self._keep_if_lacking(again)
            return None
        if fingerprint not in self._open:
            return None
        self._open.remove(fingerprint)
        result = result_of(narrative, entry, self._codebook)
        self._note_outcome(result, characters, entry, path)
        self._progress.done += 1
        self._processed[session] += 1
        self._progress.done_before += session < self._first_session
        self._count_error(fingerprint, result.error_category, of_session)
        if result.error_category is None and "adopted" in entry:
            self._progress.adopted += 1
        return result

    def _note_outcome(self, result: Result, characters: int, entry: dict[str, Any], path: Path) -> None:
        if "adopted" in entry:
            # It tells nothing of the hosts, servers and hours of this software.
            return
        if path not in self._asked_by:
            self._asked_by[path] = (journal.name_of(path), journal.head(path).get("host") or "")
        shard, host = self._asked_by[path]
        self.outcomes.put(
            result.row_num,
            characters,
            shard,
            entry.get("server") or "",
            host,
            result.processed_at,
            ErrorKind.of(result.error_category, result.error_message),
            is_retry=shard == journal.RETRY,
        )

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
        adopted = entry.get("adopted")
        if adopted:
            prompt, completion = adopted.get("prompt_tokens"), adopted.get("completion_tokens")
            together = tokens_of(entry)
        else:
            counts = counts_of(entry.get("response") or {})
            prompt, completion, together = counts.prompt, counts.completion, counts.together
        self._progress.tokens += together
        self._progress.prompt_tokens += prompt or 0
        self._progress.completion_tokens += completion or 0

    def _count_error(self, fingerprint: str, category: str | None, of_session: Counter[str]) -> None:
        """The narrative's latest pass ended with this error, or with none."""
        before = self._failed.pop(fingerprint, None)
        for errors in (self._progress.errors, of_session):
            if before is not None:
                errors[before] -= 1
            if category is not None:
                errors[category] += 1
        if category is not None:
            self._failed[fingerprint] = category

    def are_narratives_there(self) -> bool:
        """Whether the workbook is read, and its narratives are in their shards."""
        return self._folder.data_quality.exists() and all(path.exists() for path in self._paths())

    def _paths(self) -> list[Path]:
        count = self._params.shards.count
        return [self._folder.narratives_of(shard, count) for shard in range(1, count + 1)]

    def _load(self) -> dict[str, NarrativeWithoutText] | None:
        """All narratives of the experiment by fingerprint, once the workbook is read."""
        if not self.are_narratives_there():
            return None
        return {
            self._question.fingerprint(narrative): (
                replace(narrative, narrative_text=""),
                len(narrative.narrative_text),
            )
            for path in self._paths()
            for narrative in iterate(path, self._params.run.max_narratives)
        }

    def _results_in_record(self) -> dict[tuple[str, str], dict[str, Any]]:
        columns = ["incident_id", "narrative_type"]
        columns += ["attempt_count", *READ_FROM_ANSWERS] if self._is_new_release else []
        rows = result_rows.of_experiment(self._experiment_id, columns)
        return {(row["incident_id"], row["narrative_type"]): row for row in rows}


def _differs(result: Result, kept: dict[str, Any]) -> bool:
    """Whether the record has this result differently; of several passes over a narrative it has only the last."""
    is_same_pass = result.attempt_count == kept["attempt_count"]
    return is_same_pass and any(getattr(result, name) != kept[name] for name in READ_FROM_ANSWERS)
