"""The answers to one question about the narratives of development samples, kept apart from every experiment.

A question is all that decides an answer except the narrative: model, settings, prompts, codebook. Its answers are
journals like those of an experiment, in `results/development/answers/<question>/journal/`.
"""

from pathlib import Path
from typing import Any

from narrative_runs import journal
from narrative_runs.asking.reply import model_of
from narrative_runs.asking.request import Question
from narrative_runs.paths import DEVELOPMENT
from narrative_runs.results import tokens_of

_DIGITS = 16


class Answers:
    """The answers to one question: entries by fingerprint; path: the folder, which a run of the question locks."""

    def __init__(self, question: Question) -> None:
        """Read what earlier tries have asked.

        Raises:
            JournalError: a journal cannot be read, or is not as it was sealed.
        """
        self.path: Path = DEVELOPMENT / "answers" / question.digest[:_DIGITS]
        self._entries: dict[str, dict[str, Any]] = {}
        self.spent_tokens = 0
        self.model = ""
        for path in journal.files(self.journals):
            for _, entry in journal.entries(path):
                self.add(entry)

    @property
    def journals(self) -> Path:
        """Where the journals are."""
        return self.path / "journal"

    def add(self, entry: dict[str, Any]) -> None:
        """Add an entry; of two about the same narrative the first with an answer counts, else the last."""
        self.spent_tokens += tokens_of(entry)
        if "response" in entry:
            self.model = self.model or model_of(entry["response"]) or ""
        if not self.has_answer(entry["fingerprint"]):
            self._entries[entry["fingerprint"]] = entry

    def has_answer(self, fingerprint: str) -> bool:
        """Whether the model has answered, readably or not. A failed request is no answer: it is asked again."""
        return "response" in self._entries.get(fingerprint, {})

    def entry(self, fingerprint: str) -> dict[str, Any] | None:
        """The entry of a narrative; None where it was not asked."""
        return self._entries.get(fingerprint)
