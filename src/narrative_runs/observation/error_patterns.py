"""Searches the errors of a whole run for patterns from time to time, and returns those that are new to the user."""

from collections.abc import Callable

from narrative_runs.error_patterns.outcomes import Outcomes
from narrative_runs.error_patterns.search import FEWEST_ERRORS, Pattern, search


class ErrorPatterns:
    """Searches each time the number of errors has doubled, so that a long run is searched a few times, and at its end.

    with_sentences: the patterns at the last search, each with its sentence for the user.
    """

    def __init__(self, sentence_of: Callable[[Pattern], str]) -> None:
        """sentence_of: gives the sentence about a pattern for the user."""
        self._sentence_of = sentence_of
        self._due = FEWEST_ERRORS
        self._said: list[Pattern] = []
        self.with_sentences: list[tuple[Pattern, str]] = []

    def look(self, outcomes: Outcomes, is_at_the_end: bool = False) -> list[str]:
        """Search, if it is time to; returns messages about patterns that are new in this session."""
        if outcomes.n_errors < self._due and not is_at_the_end:
            return []
        self._due = max(FEWEST_ERRORS, 2 * outcomes.n_errors)
        self.with_sentences = [(pattern, self._sentence_of(pattern)) for pattern in search(outcomes)]
        fresh = [each for each in self.with_sentences if not any(map(each[0].is_like, self._said))]
        self._said += [pattern for pattern, _ in fresh]
        return [text for _, text in fresh]
