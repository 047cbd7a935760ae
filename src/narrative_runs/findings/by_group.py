"""The findings of each group of the narratives: see `narrative_runs.source.groups`."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.findings.columns import TROUBLES
from narrative_runs.findings.few_labels import has_few_labels
from narrative_runs.findings.intervals import difference, interval
from narrative_runs.findings.performance import per_incident, performance
from narrative_runs.findings.significance import holm
from narrative_runs.source.groups import BLANK

DRAWS = 9_999

Groups = dict[str, dict[str, Any]]


def by_group(narratives: pd.DataFrame, incidents: pd.DataFrame, grouped: pd.DataFrame, seed: int) -> dict[str, Groups]:
    """The findings by column and group, the groups in the order of their names.

    In: narratives by `row_num`, with `incident_id`, `answered`, `detected`, `label`, `error` and `refused`; what
    `by_incident` gives; what `read_groups` gives. Out: for each group what `performance` gives, with `n_total` and
    `is_small` (what `has_few_labels` says of narratives); `incident`, the same for the
    incidents whose narratives are all in the group; and under `errors` and `refusals` what `trouble` gives, with
    `p_holm`, adjusted for all that there are.
    """
    by_column: dict[str, Groups] = {}
    # Numbers are grouped many times faster than texts.
    codes, known = pd.factorize(narratives["incident_id"])
    narratives = narratives.assign(incident_id=codes)
    incidents = incidents.assign(incident_id=pd.Index(known).get_indexer(incidents["incident_id"]))
    for column in grouped.columns:
        group = grouped[column].reindex(narratives.index).fillna(BLANK)
        of_incidents = group_of_incidents(narratives["incident_id"], group)
        by_column[column] = {
            str(name): _group(
                narratives, (group == name).to_numpy(), incidents[incidents["incident_id"].isin(ids)], seed
            )
            for name, ids in sorted((name, set(of_incidents.index[of_incidents == name])) for name in group.unique())
        }
    tests = [each[trouble] for groups in by_column.values() for each in groups.values() for trouble in TROUBLES]
    for test, adjusted in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
        test["p_holm"] = adjusted
    return by_column


def trouble(is_hit: NDArray[np.bool_], is_inside: NDArray[np.bool_], incident: pd.Series, seed: int) -> dict[str, Any]:
    """How often narratives of a group are hit (by errors, say), and how often all others; the rates, their difference,
    and a p value, which is None where there are no others, or nobody is hit.

    In: for each narrative whether it is hit, whether it is in the group, and its incident.
    """
    rates = [
        interval(per_incident(incident[part], pd.Series(is_hit[part], index=incident.index[part])))
        for part in (is_inside, ~is_inside)
    ]
    return {
        "n": int(is_hit[is_inside].sum()),
        "rate": rates[0],
        "rate_of_others": rates[1],
        "difference": difference(*rates),
        "p_value": chance(is_hit, is_inside, incident, seed) if is_hit.any() and not is_inside.all() else None,
    }


def chance(is_hit: NDArray[np.bool_], is_inside: NDArray[np.bool_], incident: pd.Series, seed: int) -> float:
    """The p value of a permutation test over incidents: how likely so many, or so few, hits in the group are if it did
    not matter which incidents are in it.

    As many incidents of each number of narratives as the group has are drawn from all, DRAWS times, without
    replacement; the draws, and the group itself as one more, that are at least as far from the expected number count
    (Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010). 0 to 1.
    """
    # Of each incident first the narratives outside, then those inside.
    part = 2 * pd.factorize(incident)[0] + is_inside
    sizes, n_hit = np.bincount(part), np.bincount(part, weights=is_hit)
    is_inside_part = np.arange(len(sizes)) % 2 == 1
    draws = np.zeros(DRAWS)
    expected = 0.0
    random = np.random.default_rng(seed % 2**64)
    for size in np.unique(sizes[sizes > 0]):
        stratum = sizes == size
        hits, kinds = np.unique(n_hit[stratum], return_counts=True)
        drawn = int((stratum & is_inside_part).sum())
        draws += random.multivariate_hypergeometric(kinds, drawn, size=DRAWS) @ hits
        expected += drawn * float(n_hit[stratum].mean())
    observed = abs(float(is_hit[is_inside].sum()) - expected)
    return float((1 + (np.abs(draws - expected) >= observed - 1e-9).sum()) / (DRAWS + 1))


def _group(
    narratives: pd.DataFrame, is_inside: NDArray[np.bool_], incidents: pd.DataFrame, seed: int
) -> dict[str, Any]:
    inside = narratives[is_inside]
    measured = performance(inside[inside["answered"]], seed, int(inside["error"].sum()))
    complete = incidents[incidents["answered"]]
    n_with_error = int((~incidents["answered"] & ~incidents["is_unasked"]).sum())
    return {
        "n_total": len(inside),
        "is_small": has_few_labels(measured),
        **measured,
        "incident": performance(complete, seed, n_with_error),
        **{
            name: trouble(narratives[column].to_numpy(), is_inside, narratives["incident_id"], seed)
            for name, column in TROUBLES.items()
        },
    }


def group_of_incidents(incident: pd.Series, group: pd.Series) -> pd.Series:
    """The group of each incident, by its id; none if its narratives are in several groups."""
    grouped = group.groupby(incident)
    return grouped.first().where(grouped.nunique() == 1)
