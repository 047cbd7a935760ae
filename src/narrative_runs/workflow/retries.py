"""What is told before error rows are asked again: how many, of which kinds, and which are hardly worth it."""

from collections import Counter
from collections.abc import Sequence

from narrative_runs.jobs.ask import TOO_LONG
from narrative_runs.record import database
from narrative_runs.results import REFUSED, WITHHELD

# The same text gives the same error again: (what is in its message, what it is called).
_OF_THE_TEXT = ((TOO_LONG, "too long"), (WITHHELD, "filtered"), (REFUSED, "refused"))


def retry_lines(experiment_id: str, categories: Sequence[str]) -> list[str]:
    """The lines to show for an experiment; categories: those that are asked again, all when empty."""
    rows = database.query(
        "SELECT coalesce(error_category, 'unknown') AS category, error_message FROM narrative_results "
        "WHERE experiment_id = ? AND error_occurred = 1",
        (experiment_id,),
    )
    found = Counter(str(row["category"]) for row in rows)
    if not found:
        return ["No row is an error: nothing is asked again."]
    asked = {category: count for category, count in found.items() if not categories or category in categories}
    lines = [
        f"Errors: {_listed(found)}. Asked again: {sum(asked.values()):,}"
        + (f" ({_listed(asked)})." if categories else ".")
    ]
    hopeless = Counter(
        reason for row in rows if row["category"] in asked and (reason := _reason(row["error_message"] or ""))
    )
    if hopeless:
        lines.append(
            f"Hardly worth it, as the same text is sent to the same model: {_listed(hopeless)}. "
            f"To leave them out: --config retry={','.join(sorted(set(asked) - {'data_error'})) or 'timeout'}"
        )
    return lines


def _reason(message: str) -> str:
    """Why the text itself fails; empty where that is not said."""
    return next((name for words, name in _OF_THE_TEXT if words in message), "")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
