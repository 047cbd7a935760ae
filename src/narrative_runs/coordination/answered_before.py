"""Narratives that were answered before: asked again, they tell whether a failure is a narrative's or the run's."""

from narrative_runs import journal
from narrative_runs.asking.request import Question
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source.shards import Narrative, iterate_all


class AnsweredBefore:
    """The answered narratives of one experiment, as evidence about one that fails."""

    def __init__(self, folder: ExperimentFolder, params: Params, question: Question) -> None:
        self._folder = folder
        self._params = params
        self._question = question
        self._latest: Narrative | None = None
        self._longest: Narrative | None = None

    @property
    def has_new(self) -> bool:
        """Whether one was answered in this session."""
        return self._latest is not None

    def add(self, narrative: Narrative) -> None:
        """It was answered just now."""
        self._latest = narrative
        if self._longest is None or len(narrative.narrative_text) > len(self._longest.narrative_text):
            self._longest = narrative

    def other_than(self, narrative: Narrative, at_least: int = 0) -> Narrative | None:
        """Another narrative of `at_least` so many characters that was answered; the longest, where none has as many."""
        known = self._longest if at_least else self._latest
        if known is not None and len(known.narrative_text) >= at_least and _key(known) != _key(narrative):
            return known
        return self._from_journals(_key(narrative), at_least) or known

    def _from_journals(self, but: tuple[str, str], at_least: int) -> Narrative | None:
        """The same from all journals, those of other jobs and of earlier sessions too."""
        answered = {
            entry["fingerprint"]
            for path in journal.files(self._folder.journals)
            for _, entry in journal.entries(path)
            if "response" in entry
        }
        longest: Narrative | None = None
        for narrative in iterate_all(self._folder, self._params.shards.count) if answered else ():
            if _key(narrative) == but or self._question.fingerprint(narrative) not in answered:
                continue
            if len(narrative.narrative_text) >= at_least:
                return narrative
            if longest is None or len(narrative.narrative_text) > len(longest.narrative_text):
                longest = narrative
        return longest


def _key(narrative: Narrative) -> tuple[str, str]:
    return narrative.incident_id, narrative.narrative_type
