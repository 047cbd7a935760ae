"""May the model stand in for a coder? The alternative annotator test.

Calderon, Reichart and Dror, The Alternative Annotator Test for LLM-as-a-Judge, ACL 2025. Each coder is left out in
turn; where the model agrees with the others at least as often, less a margin, it could have taken that coder's part. It
passes where it could for at least half of the coders, at a false discovery rate of 5% (Benjamini and Yekutieli, Annals
of Statistics 29, 2001).

The narratives of one incident are not independent: an incident is one observation, the mean over its narratives.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from narrative_runs.codebook.variables import Multi, Number, Ordinal, Variable

FEWEST_CODERS, FEWEST_INCIDENTS = 3, 30
FALSE_DISCOVERY_RATE = 0.05
# What the authors take for experts, whose time the model saves.
MARGIN = 0.2

ByNarrative = Mapping[tuple[str, str], Mapping[str, Any]]


class StandIn(NamedTuple):
    """The test's result. why_not: why there is none, in words, empty where there is one; n_coders: those with enough
    incidents; winning_rate: the share of them whose part the model could take; advantage: how often it agrees with the
    others at least as well as the coder who is left out, the mean over coders."""

    why_not: str
    n_coders: int = 0
    winning_rate: float = 0.0
    advantage: float = 0.0

    @property
    def passes(self) -> bool:
        """Whether the model may stand in."""
        return not self.why_not and self.winning_rate >= 0.5


def stand_in(
    variable: Variable,
    values: ByNarrative,
    predicted: Mapping[tuple[str, str], Any],
    margin: float = MARGIN,
    fewest_incidents: int = FEWEST_INCIDENTS,
) -> StandIn:
    """Test whether the model may stand in for a coder.

    In: by incident and type the value of each coder, and the model's; None where it gave none, which agrees with
    nobody. A narrative that the model was not asked about has none at all, and is left out.
    """
    shared = {key: of for key, of in values.items() if len(of) > 1 and key in predicted}
    coders = sorted({coder for of in values.values() for coder in of})
    if len(coders) < FEWEST_CODERS:
        return StandIn(
            f"it takes {FEWEST_CODERS} coders or more, and there {'is' if len(coders) == 1 else 'are'} {len(coders)}"
        )
    p_values, advantages = [], []
    for coder in coders:
        model, human = _is_as_good(variable, coder, shared, predicted)
        if len(model) >= fewest_incidents:
            p_values.append(_p_value(human - model, margin))
            advantages.append(float(model.mean()))
    if len(p_values) < FEWEST_CODERS:
        return StandIn(
            f"it takes {FEWEST_CODERS} coders who each share {fewest_incidents} incidents with another, and there are "
            f"{len(p_values)}"
        )
    n_won = _n_rejected(p_values)
    return StandIn("", len(p_values), n_won / len(p_values), float(np.mean(advantages)))


def _is_as_good(
    variable: Variable, coder: str, shared: ByNarrative, predicted: Mapping[tuple[str, str], Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each incident that a coder shares with others, how often the model agrees with these at least as well as the
    coder does, and how often the coder does at least as well as the model."""
    by_incident: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (incident, kind), of in sorted(shared.items()):
        others = [value for other, value in of.items() if other != coder]
        if coder in of and others:
            human = _alignment(variable, of[coder], others)
            model = _alignment(variable, predicted[incident, kind], others)
            by_incident[incident].append((float(model >= human), float(human >= model)))
    means = np.array([np.mean(pairs, axis=0) for pairs in by_incident.values()]).reshape(-1, 2)
    return means[:, 0], means[:, 1]


def _alignment(variable: Variable, value: Any, others: Sequence[Any]) -> float:
    """How well a value agrees with those of others: the share that is the same; of numbers and ordinal values the root
    mean squared distance, below 0."""
    if not isinstance(variable, Number | Ordinal):
        return float(np.mean([value == other for other in others]))
    numbers = [_number(variable, each) for each in (value, *others)]
    if numbers[0] is None or None in numbers:
        return 0.0 if all(value == other for other in others) else -np.inf
    return -float(np.sqrt(np.mean([(numbers[0] - other) ** 2 for other in numbers[1:] if other is not None])))


def _number(variable: Variable, value: Any) -> float | None:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    names = variable.value_names
    return float(names.index(value)) if value in names and not isinstance(variable, Multi) else None


def _p_value(differences: NDArray[np.float64], margin: float) -> float:
    if np.ptp(differences) == 0:
        return 0.0 if differences[0] < margin else 1.0
    return float(ttest_1samp(differences, margin, alternative="less").pvalue)


def _n_rejected(p_values: Sequence[float]) -> int:
    """How many of the hypotheses are rejected: Benjamini and Yekutieli, under any dependence."""
    n = len(p_values)
    steps = np.arange(1, n + 1)
    limits = steps / n * FALSE_DISCOVERY_RATE / (1 / steps).sum()
    is_below = np.sort(p_values) <= limits
    return int(steps[is_below].max()) if is_below.any() else 0
