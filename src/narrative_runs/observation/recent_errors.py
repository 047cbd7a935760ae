"""Errors that are many, or the same, among the last results: reported as they begin, by a pure look."""

from collections import Counter, deque

from narrative_runs.results import Result

LAST = 100
HIGH_SHARE = 0.20
LOW_SHARE = 0.10
FEWEST = 20
REPEATS = 10


class RecentErrors:
    """Looks at the last 100 results; each pattern is reported once, and again only after it had ended."""

    def __init__(self) -> None:
        self._last: deque[str | None] = deque(maxlen=LAST)
        self._is_high = False
        self._reported: set[str] = set()

    def see(self, result: Result) -> list[str]:
        """Take in one result; returns warnings to show."""
        self._last.append(result.error_message if result.error_occurred else None)
        warnings = []
        errors = Counter(message for message in self._last if message is not None)
        share = errors.total() / len(self._last)
        if len(self._last) >= FEWEST and share > HIGH_SHARE and not self._is_high:
            self._is_high = True
            warnings.append(f"{share:.0%} of the last {len(self._last)} results are errors.")
        elif share < LOW_SHARE:
            self._is_high = False
        for message, times in errors.items():
            if times >= REPEATS and message not in self._reported:
                self._reported.add(message)
                warnings.append(f"The same error {times} times in the last {len(self._last)} results: {message}")
        self._reported &= set(errors)
        return warnings
