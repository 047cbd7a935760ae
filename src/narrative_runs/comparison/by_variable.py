"""Comparison by variable: measures beside each other, and each experiment with the first one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from narrative_runs.comparison.codebooks import IN_NEITHER, why_not_compared
from narrative_runs.comparison.coded_experiment import coded_experiment
from narrative_runs.comparison.variable_pairs import VariablePair, variable_pair
from narrative_runs.comparison.variables_beside import MeasureBeside, measured_variables, variables_beside
from narrative_runs.errors import FindingsError
from narrative_runs.finished import Finished

# By the index of the other experiment, and by variable.
Reasons = dict[int, dict[str, str | None]]


class ByVariable(NamedTuple):
    """The measures beside each other, and by the index of the other experiment its comparison with the first."""

    measures: list[MeasureBeside]
    pairs: Mapping[int, VariablePair]


def by_variable(experiments: Sequence[Finished], seed: int, name: str = "") -> ByVariable:
    """The experiments compared by variable with the first of them.

    In: experiments, read with the columns that `coded_experiment.columns` gives and with labels; the seed of bootstrap
    and sign flips; the name of the only variable to compare. Without one, pairs are compared that both have a
    codebook; where there is none, nothing is compared.

    Raises:
        FindingsError: no experiment has a variable of this name.
    """
    codebooks = [one.codebook for one in experiments]
    known = dict.fromkeys(variable for codebook in codebooks for variable in codebook.names)
    if name and name not in known:
        raise FindingsError(f"None of these experiments has the variable {name}. There are: {', '.join(known)}.")
    reasons: Reasons = {}
    for index, codebook in enumerate(codebooks[1:], start=1):
        if name:
            reasons[index] = {name: why_not_compared(codebooks[0], codebook).get(name, IN_NEITHER)}
        elif not (codebooks[0].fits_the_record or codebook.fits_the_record):
            reasons[index] = why_not_compared(codebooks[0], codebook)
    if not reasons:
        return ByVariable([], {})
    return ByVariable(_measures(experiments, reasons), _pairs(experiments, reasons, seed))


def _measures(experiments: Sequence[Finished], reasons: Reasons) -> list[MeasureBeside]:
    """The measures of the compared variables; of each experiment those that are the same variable there."""
    is_compared = {
        index: {name for name, reason in of_pair.items() if reason is None} for index, of_pair in reasons.items()
    }
    names = [name for name in experiments[0].codebook.names if any(name in each for each in is_compared.values())]
    is_compared[0] = {*names}
    measured = [
        {name: each for name, each in measured_variables(one.metrics).items() if name in is_compared.get(index, ())}
        for index, one in enumerate(experiments)
    ]
    return variables_beside(names, measured)


def _pairs(experiments: Sequence[Finished], reasons: Reasons, seed: int) -> dict[int, VariablePair]:
    codebook = experiments[0].codebook
    first = coded_experiment(experiments[0], codebook)
    return {
        index: variable_pair(first, coded_experiment(experiments[index], codebook), of_pair, seed)
        for index, of_pair in reasons.items()
    }
