from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from narrative_runs.codebook.variables import Binary, Category, Number, Variable
from narrative_runs.reviews.stand_in import stand_in

CATEGORY = Category(values={"a": "", "b": "", "c": ""})
ByNarrative = dict[tuple[str, str], dict[str, Any]]


def annotated(
    seed: int, values: Sequence[Any], noise: Sequence[float], n: int = 120
) -> tuple[ByNarrative, dict[Any, Any]]:
    """Values of several coders and of the model, whose share of noise is the last."""
    random, n = np.random.default_rng(seed), 120
    gold = random.choice(values, n)
    drawn = [np.where(random.random(n) < share, random.choice(values, n), gold) for share in (noise[-1], *noise[:-1])]
    model, coders = drawn[0], drawn[1:]
    has = [random.random(n) < 0.8 for _ in coders]
    ids = [(f"{number:04}", "cme") for number in range(n)]
    by_narrative = {
        key: {f"c{at}": coder[row].item() for at, coder in enumerate(coders) if has[at][row]}
        for row, key in enumerate(ids)
    }
    return by_narrative, {key: model[row].item() for row, key in enumerate(ids)}


@pytest.mark.parametrize(
    ("variable", "seed", "values", "noise", "winning_rate", "advantage"),
    [
        (Binary(), 1, ["yes", "no"], [0.2, 0.3, 0.2, 0.3, 0.1], 1.0, 0.9739967856446597),
        (
            Category(values={"a": "", "b": "", "c": ""}),
            2,
            ["a", "b", "c"],
            [0.1, 0.3, 0.5, 0.2, 0.4],
            0.25,
            0.7979859825592037,
        ),
        (Number(), 3, [1.0, 2.0, 3.0, 4.0], [0.2, 0.3, 0.4, 0.5], 1.0, 0.8049763703158915),
        (Binary(), 4, ["yes", "no"], [0.1, 0.1, 0.1, 0.9], 0.0, 0.6355665734384269),
    ],
)
def test_the_authors_program_says_the_same(
    variable: Variable, seed: int, values: list[Any], noise: list[float], winning_rate: float, advantage: float
) -> None:
    """With one narrative an incident, both numbers are those of the program that the authors published (`alt_test` of
    nitaytech/AltTest, with these data)."""
    found = stand_in(variable, *annotated(seed, values, noise))
    assert found.why_not == "" and found.n_coders == len(noise) - 1
    assert found.winning_rate == pytest.approx(winning_rate, abs=1e-12)
    assert found.advantage == pytest.approx(advantage, abs=1e-12)
    assert found.passes == (winning_rate >= 0.5)


def test_two_coders_give_no_verdict() -> None:
    """With fewer than three coders, or too few incidents that they share, the reason is told and nothing else."""
    values, predicted = annotated(1, ["yes", "no"], [0.2, 0.3, 0.2, 0.1])
    two = {key: {coder: value for coder, value in of.items() if coder != "c2"} for key, of in values.items()}
    found = stand_in(Binary(), two, predicted)
    assert found.why_not == "it takes 3 coders or more, and there are 2" and not found.passes
    few = dict(list(values.items())[:25])
    assert "30 incidents with another, and there are 0" in stand_in(Binary(), few, predicted).why_not


def test_an_error_of_the_model_agrees_with_nobody() -> None:
    """A model that gave no value is no coder, however well it does elsewhere."""
    values, predicted = annotated(1, ["yes", "no"], [0.2, 0.3, 0.2, 0.3, 0.0])
    nothing: dict[Any, Any] = dict.fromkeys(predicted)
    assert stand_in(Binary(), values, predicted).passes and not stand_in(Binary(), values, nothing).passes


def test_narratives_of_one_incident_count_as_one() -> None:
    """An incident that is there twice over, in two narratives, adds nothing."""
    values, predicted = annotated(2, ["yes", "no"], [0.1, 0.3, 0.4, 0.3])
    twice = {(incident, kind): of for (incident, _), of in values.items() for kind in ("cme", "le")}
    both = {(incident, kind): value for (incident, _), value in predicted.items() for kind in ("cme", "le")}
    assert stand_in(Binary(), twice, both) == stand_in(Binary(), values, predicted)
