"""The cost of tokens, in the user's currency, where the params name prices."""

from narrative_runs.params import Run

A_MILLION = 1_000_000


def cost_of(prompt_tokens: int, completion_tokens: int, run: Run) -> float | None:
    """The cost of so many tokens; None where no price is set."""
    prompt, completion = run.price_per_million_prompt_tokens, run.price_per_million_completion_tokens
    if prompt is None and completion is None:
        return None
    return (prompt_tokens * (prompt or 0.0) + completion_tokens * (completion or 0.0)) / A_MILLION


def cost_of_all(cost: float | None, done: int, total: int | None) -> float | None:
    """The expected cost of all narratives, if those done so far cost this; None where nobody can say."""
    return None if cost is None or not done or total is None else cost * total / done
