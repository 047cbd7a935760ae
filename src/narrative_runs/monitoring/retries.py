"""The lines shown before asking again about error rows: how many, of which kinds, and which are hardly worth it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from narrative_runs.asking.failures import TOO_LONG
from narrative_runs.record.error_rows import error_rows
from narrative_runs.results import REFUSED, WITHHELD

# The same text gives the same error again: (what is in its message, what it is called).
_OF_THE_TEXT = ((TOO_LONG, "too long"), (WITHHELD, "filtered"), (REFUSED, "refused"))


class Retries(NamedTuple):
    """The error rows that a retry would ask about again, in words; n_asked: how many; not_worth_it: the errors that are
    hardly worth it, empty for none; without_these: the categories that hold none of these."""

    lines: list[str]
    not_worth_it: str
    without_these: list[str]
    n_asked: int = 0

    def on_the_terminal(self) -> list[str]:
        """The lines to show before a retry asks."""
        if not self.not_worth_it:
            return self.lines
        return [*self.lines, f"{self.not_worth_it} To leave them out: --config retry={','.join(self.without_these)}"]


def retries_of(experiment_id: str, categories: Sequence[str]) -> Retries:
    """The errors of an experiment that a retry would ask about again; categories: those to ask about, all when
    empty."""
    rows = list(error_rows(experiment_id).values())
    counts = Counter(str(row["category"]) for row in rows)
    if not counts:
        return Retries(["There are no error rows: nothing is asked again."], "", [])
    asked = {category: count for category, count in counts.items() if not categories or category in categories}
    line = f"Errors: {_listed(counts)}. Asked again: {sum(asked.values()):,}" + (
        f" ({_listed(asked)})." if categories and asked else "."
    )
    hardly_worth_it = Counter(
        reason for row in rows if row["category"] in asked and (reason := _reason(row["error_message"] or ""))
    )
    why = "Probably not worth a retry, as the same text goes to the same model:"
    return Retries(
        [line],
        f"{why} {_listed(hardly_worth_it)}." if hardly_worth_it else "",
        sorted(set(asked) - {"data_error"}) or ["timeout"],
        sum(asked.values()),
    )


def _reason(message: str) -> str:
    """Why the text itself fails; empty where the message does not say so."""
    return next((name for words, name in _OF_THE_TEXT if words in message), "")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
