"""What is told before error rows are asked again: how many, of which kinds, and which are hardly worth it."""

from collections import Counter
from collections.abc import Sequence

from narrative_runs.asking.failures import TOO_LONG
from narrative_runs.record.error_rows import error_rows
from narrative_runs.results import REFUSED, WITHHELD

# The same text gives the same error again: (what is in its message, what it is called).
_OF_THE_TEXT = ((TOO_LONG, "too long"), (WITHHELD, "filtered"), (REFUSED, "refused"))


def retry_lines(experiment_id: str, categories: Sequence[str]) -> list[str]:
    """The lines to show for an experiment; categories: those that are asked again, all when empty."""
    rows = list(error_rows(experiment_id).values())
    found = Counter(str(row["category"]) for row in rows)
    if not found:
        return ["No row is an error: nothing is asked again."]
    asked = {category: count for category, count in found.items() if not categories or category in categories}
    lines = [
        f"Errors: {_listed(found)}. Asked again: {sum(asked.values()):,}"
        + (f" ({_listed(asked)})." if categories else ".")
    ]
    hardly_worth_it = Counter(
        reason for row in rows if row["category"] in asked and (reason := _reason(row["error_message"] or ""))
    )
    if hardly_worth_it:
        lines.append(
            f"Hardly worth it, as the same text is sent to the same model: {_listed(hardly_worth_it)}. "
            f"To leave them out: --config retry={','.join(sorted(set(asked) - {'data_error'})) or 'timeout'}"
        )
    return lines


def _reason(message: str) -> str:
    """Why the text itself fails; empty where that is not said."""
    return next((name for words, name in _OF_THE_TEXT if words in message), "")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
