"""Populations for the tests of estimates."""

import numpy as np
from numpy.typing import NDArray

from narrative_runs.estimates.population import Codes, Numbers, Population


def population_of_counts(
    reviewed: tuple[int, int, int, int], unreviewed: tuple[int, int], errors: tuple[int, int, int] = (0, 0, 0)
) -> Population:
    """Incidents by their numbers: of the reviewed tp, fp, fn and tn; of the unreviewed those with yes and with no; of
    errors the true, the untrue and the unreviewed."""
    tp, fp, fn, tn = reviewed
    kinds = [(1, 1), (1, 0), (0, 1), (0, 0), (1, np.nan), (0, np.nan), (np.nan, 1), (np.nan, 0), (np.nan, np.nan)]
    predicted, truth = np.repeat(np.array(kinds, dtype=float), (tp, fp, fn, tn, *unreviewed, *errors), axis=0).T
    return of_arrays(predicted, truth)


def of_arrays(
    predicted: Numbers,
    truth: Numbers,
    incident: Codes | None = None,
    stratum: NDArray[np.str_] | NDArray[np.object_] | None = None,
    is_number: bool = False,
) -> Population:
    """A population of one stratum and single units, unless these are given."""
    n = len(predicted)
    return Population(
        incident=np.arange(n) if incident is None else incident.astype(np.int64),
        predicted=predicted,
        truth=truth,
        stratum=np.full(n, "all", dtype=object) if stratum is None else stratum.astype(object),
        is_number=is_number,
    )
