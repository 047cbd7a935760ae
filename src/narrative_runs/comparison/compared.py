"""The comparison of finished experiments, before it is shown: each with the first one named."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import pandas as pd

from narrative_runs import finished
from narrative_runs.comparison import pairs
from narrative_runs.comparison.by_variable import ByVariable, by_variable
from narrative_runs.comparison.coded_experiment import columns
from narrative_runs.comparison.metrics_beside import MetricBeside, metrics_beside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import ParamApart, params_apart
from narrative_runs.comparison.variable_pairs import VariableTest
from narrative_runs.derivation.at_snapshot import read_at
from narrative_runs.errors import FindingsError
from narrative_runs.finished import Finished
from narrative_runs.params import bootstrap_seed
from narrative_runs.snapshots import divided
from narrative_runs.source.shards import unasked_incidents

LETTERS = ascii_uppercase


@dataclass(frozen=True)
class Compared:
    """The comparison of experiments.

    tests, changes: with each of the others, in their order: over all narratives and by type, over incidents where they
    alone have labels, and the narratives whose detection changed; of those with a pair, see `has_pair`. variables:
    measures beside each other, and pairs by the index of the other experiment. The p values are adjusted for the number
    of all tests.
    """

    experiments: Sequence[Finished]
    params: list[ParamApart]
    metrics: list[MetricBeside]
    tests: list[list[PairTest]]
    changes: list[pd.DataFrame]
    variables: ByVariable

    @property
    def has_detections(self) -> bool:
        """Whether any experiment has a variable of yes or no: without one, the columns that all have are empty."""
        return any(one.codebook.first_binary is not None for one in self.experiments)

    def has_pair(self, index: int) -> bool:
        """Whether the first experiment and the one with this index both have detections to compare."""
        return all(self.experiments[each].codebook.first_binary is not None for each in (0, index))


def read_named(named: Sequence[str]) -> list[Finished]:
    """The experiments with these slugs or ids, or their snapshots (`SLUG@NAME`), with what a comparison needs.

    Raises:
        FindingsError: one of them cannot be found or has no findings, one is named twice, or there are too few or many.
        ExperimentError, JournalError, SourceError: a snapshot cannot be derived.
    """
    experiments = [_read(which) for which in named]
    slugs = [one.label for one in experiments]
    if not len({*slugs}) == len(slugs) <= len(LETTERS) or len(slugs) == 1:
        raise FindingsError(f"Name two to {len(LETTERS)} different experiments; you named: {', '.join(slugs)}.")
    return experiments


def variables_compared(experiments: Sequence[Finished], variable: str = "") -> ByVariable:
    """The variables of the experiments compared; variable: the name of the only one to compare.

    Raises:
        FindingsError: none has such a variable.
    """
    return by_variable(experiments, _seed(experiments), variable)


def compared(experiments: Sequence[Finished], variables: ByVariable) -> Compared:
    """The comparison of the experiments; variables: the result of `variables_compared`."""
    first, seed = experiments[0], _seed(experiments)
    joined = [pairs.joined(first.results, other.results) for other in experiments[1:]]
    of_first = first.metrics["by_type"]
    types = [[kind for kind in of_first if kind in other.metrics["by_type"]] for other in experiments[1:]]
    incidents = [_joined_incidents(first, other) for other in experiments[1:]]
    tests, variables = adjusted(
        [
            pairs.pair_tests(pair, seed, of_both, of_incidents)
            for pair, of_both, of_incidents in zip(joined, types, incidents, strict=True)
        ],
        variables,
    )
    return Compared(
        experiments,
        params_apart([one.state for one in experiments]),
        metrics_beside([one.metrics for one in experiments]),
        tests,
        [pairs.changed(pair) for pair in joined],
        variables,
    )


def _joined_incidents(first: Finished, other: Finished) -> pd.DataFrame | None:
    """The incidents of both, where they alone have labels; None with a codebook, whose variables have tests of their
    own."""
    if not (first.codebook.fits_the_record and other.codebook.fits_the_record):
        return None
    unasked = [unasked_incidents(one.folder, one.results["row_num"]) for one in (first, other)]
    return pairs.joined_incidents(first.results, other.results, (unasked[0], unasked[1]))


def adjusted(tests: Sequence[Sequence[PairTest]], variables: ByVariable) -> tuple[list[list[PairTest]], ByVariable]:
    """All tests, each with its p value adjusted for the number of all of them."""
    shown: list[Sequence[PairTest | VariableTest]] = [*tests, *(pair.tests for pair in variables.pairs.values())]
    adjusted = pairs.adjusted(shown)
    with_holm = [[test for test in of_pair if isinstance(test, VariableTest)] for of_pair in adjusted[len(tests) :]]
    return (
        [[test for test in of_pair if isinstance(test, PairTest)] for of_pair in adjusted[: len(tests)]],
        variables._replace(
            pairs={
                index: pair._replace(tests=of_pair)
                for (index, pair), of_pair in zip(variables.pairs.items(), with_holm, strict=True)
            }
        ),
    )


def _seed(experiments: Sequence[Finished]) -> int:
    return bootstrap_seed(experiments[0].state.params["run"]["seed"])


def _read(named: str) -> Finished:
    which, snapshot = divided(named)
    if snapshot:
        return read_at(which, snapshot, columns, with_labels=True)
    return finished.read(which, columns, with_labels=True)
