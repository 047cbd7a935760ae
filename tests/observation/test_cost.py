import pytest

from narrative_runs.observation.cost import cost_of, cost_of_all
from narrative_runs.params import Run


def test_without_a_price_there_is_no_cost() -> None:
    """Nobody is told a cost of zero who has named no price."""
    assert cost_of(1_000_000, 1_000_000, Run()) is None


@pytest.mark.parametrize(
    ("prompt", "completion", "cost"),
    [(2.5, 10.0, 2.5 * 3 + 10.0 * 0.5), (2.5, None, 7.5), (None, 10.0, 5.0), (0, 0, 0)],
)
def test_prices_are_a_million_tokens(prompt: float | None, completion: float | None, cost: float) -> None:
    """Each kind of token has its price a million; one that has none costs nothing beside the other."""
    run = Run(price_per_million_prompt_tokens=prompt, price_per_million_completion_tokens=completion)
    assert cost_of(3_000_000, 500_000, run) == pytest.approx(cost)


def test_the_whole_costs_as_its_part() -> None:
    """What all will cost is told from what was done; before anything is done nobody can say."""
    assert cost_of_all(3.0, 150, 1000) == pytest.approx(20.0)
    assert cost_of_all(0.0, 0, 1000) is None and cost_of_all(3.0, 150, None) is None and cost_of_all(None, 1, 2) is None
