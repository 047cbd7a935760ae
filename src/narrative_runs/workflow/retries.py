"""What is told before error rows are asked again: how many, of which kinds, and which are hardly worth it."""

from collections import Counter
from collections.abc import Sequence

from narrative_runs.asking.failures import is_of_the_text
from narrative_runs.record import database


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
        reason
        for row in rows
        if row["category"] in asked and (reason := is_of_the_text(row["error_message"] or "")) is not None
    )
    if hopeless:
        lines.append(
            f"Hardly worth it, as the same text is sent to the same model: {_listed(hopeless)}. "
            f"To leave them out: --config retry={','.join(sorted(set(asked) - {'data_error'})) or 'timeout'}"
        )
    return lines


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))
