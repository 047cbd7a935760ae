from itertools import combinations
from typing import Any, Literal

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Text, Variable
from narrative_runs.reviews.agreement import agreement

NAMES = ["low", "middle", "high"]
VALUES = dict.fromkeys(NAMES, "")
Level = Literal["nominal", "ordinal", "interval"]
CODERS = ["ana", "ben", "cleo"]


def reviewed_at_random(values: list[Any], seed: int, share: float = 0.7) -> dict[tuple[str, str], dict[str, Any]]:
    """Values of three coders who agree more often than not, of whom not all reviewed all."""
    random = np.random.default_rng(seed)
    found = {}
    for number in range(80):
        gold = random.integers(len(values))
        own = {
            coder: values[int(random.integers(len(values))) if random.random() < 0.4 else gold]
            for coder in CODERS
            if random.random() < share
        }
        found[f"{number // 2:04}", ("cme", "le")[number % 2]] = own
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("variable", "values", "level"),
    [
        (Binary(), [True, False], "nominal"),
        (Binary(), [True, False, "unclear"], "nominal"),
        (Category(values=VALUES), NAMES, "nominal"),
        (Ordinal(values=VALUES), NAMES, "ordinal"),
        (Multi(values=VALUES), [(), ("low",), ("low", "high")], "nominal"),
        (Number(), [20.0, 30.0, 31.0, 45.5], "interval"),
    ],
)
def test_alpha_and_kappa(variable: Variable, values: list[Any], level: Level, seed: int) -> None:
    """Alpha is that of the krippendorff package and kappa that of scikit-learn, each in its interval."""
    reviewed = reviewed_at_random(values, seed)
    found = agreement(variable, reviewed, seed=1)
    assert found is not None and found.alpha is not None
    codes = {value: at for at, value in enumerate(values)}
    as_number = [value if level == "interval" else codes[value] for value in values]
    units = [
        [np.nan if coder not in of else as_number[codes[of[coder]]] for of in reviewed.values()] for coder in CODERS
    ]
    expected = krippendorff.alpha(np.array(units, dtype=float), level_of_measurement=level)
    assert found.alpha["value"] == pytest.approx(expected, abs=1e-12)
    assert found.alpha["low"] < expected < found.alpha["high"]
    for pair, coders in zip(found.pairs, combinations(CODERS, 2), strict=True):
        both = [[codes[of[coder]] for coder in coders] for of in reviewed.values() if {*coders} <= of.keys()]
        assert pair.coders == coders and pair.n == len(both)
        if level == "interval":
            assert pair.kappa is None
            continue
        weights = "quadratic" if level == "ordinal" else None
        assert pair.kappa is not None and pair.same is not None
        assert pair.kappa["value"] == pytest.approx(cohen_kappa_score(*zip(*both, strict=True), weights=weights))
        assert pair.kappa["low"] < pair.kappa["value"] < pair.kappa["high"]
        assert pair.same["value"] == pytest.approx(np.mean([one == other for one, other in both]))


def test_values_in_an_order_leave_unclear_out() -> None:
    """What the text does not tell has no rank: it counts in the agreement on no ordinal value and no number."""
    reviewed = reviewed_at_random(NAMES, 1)
    key = next(key for key, of in reviewed.items() if len(of) == 3)
    without = {**reviewed, key: {coder: value for coder, value in reviewed[key].items() if coder != "ana"}}
    with_unclear = {**reviewed, key: {**reviewed[key], "ana": "unclear"}}
    variable = Ordinal(values=VALUES)
    assert agreement(variable, with_unclear, 1) == agreement(variable, without, 1)


def test_where_there_is_nothing_to_compare() -> None:
    """Texts have no agreement, and without a narrative that two coders reviewed there is none either."""
    assert agreement(Text(), {("1", "cme"): {"ana": "a", "ben": "b"}}, 1) is None
    found = agreement(Binary(), {("1", "cme"): {"ana": True}}, 1)
    assert found is not None and (found.n, found.alpha, found.pairs) == (0, None, [])


def test_coders_who_always_say_the_same_one_thing() -> None:
    """Where all verdicts are one value, agreement beyond chance is undefined."""
    found = agreement(Binary(), {(str(number), "cme"): {"ana": True, "ben": True} for number in range(9)}, 1)
    assert found is not None and found.alpha is None and found.pairs[0].kappa is None
