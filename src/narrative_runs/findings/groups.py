"""The findings by group: what `report.groups` asks for, over columns of the workbook such as Sex or IncidentYear."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from narrative_runs.errors import FindingsError
from narrative_runs.findings.intervals import difference, interval
from narrative_runs.findings.performance import per_incident, performance
from narrative_runs.findings.significance import holm

BLANK = "(blank)"
MOST_GROUPS = 100
FEWEST_LABELLED = 30
FEWEST_POSITIVE = 10
DRAWS = 9_999
# What may hit one group more than others, by the column of the narratives that says so.
TROUBLES = {"errors": "error", "refusals": "refused"}

Groups = dict[str, dict[str, Any]]


def column_of(name: str, there: Sequence[str]) -> str:
    """The column of the results that a name of `report.groups` means: itself, whatever its case, or with the prefix
    that the workbook's column has where its name is one of ours.

    Raises:
        FindingsError: there is none.
    """
    for wanted in (name, f"workbook_{name}"):
        if found := [column for column in there if column.casefold() == wanted.casefold()]:
            return wanted if wanted in found else found[0]
    raise FindingsError(
        f"report.groups names {name}, and the workbook has no such column. "
        + (f"There are: {', '.join(there)}." if there else "It has none besides those of its layout.")
    )


def read_groups(other_columns: Path, names: Sequence[str]) -> pd.DataFrame:
    """The group of each narrative in each column: texts, by `row_num`, a column for each of the names, called as in the
    results.

    In: the file of the workbook's other columns, as `OtherColumns.write` makes it. Logicals are written as in
    results.csv; where a cell is blank, the group is BLANK.

    Raises:
        FindingsError: there is no such column, or it has more than MOST_GROUPS groups.
    """
    there = [name for name in pq.read_schema(other_columns).names if name != "row_num"]
    columns = list(dict.fromkeys(column_of(name, there) for name in names))
    table = pq.read_table(other_columns, columns=["row_num", *columns])
    texts = {column: list(map(_text, table[column].to_pylist())) for column in columns}
    grouped = pd.DataFrame(texts, index=table["row_num"].to_pylist(), dtype="string")
    for name in columns:
        if (count := grouped[name].nunique()) > MOST_GROUPS:
            raise FindingsError(
                f"report.groups names {name}, which has {count:,} different values; {MOST_GROUPS} groups are the most. "
                "Give the workbook a column of fewer, such as of age groups or regions."
            )
    return grouped


def by_group(narratives: pd.DataFrame, incidents: pd.DataFrame, grouped: pd.DataFrame, seed: int) -> dict[str, Groups]:
    """The findings by column and group, the groups in the order of their names.

    In: narratives by `row_num`, with `incident_id`, `answered`, `detected`, `label`, `error` and `refused`; what
    `by_incident` gives; what `read_groups` gives. Out: for each group what `performance` gives, with `n_total` and
    `is_small` (fewer than FEWEST_LABELLED labelled, or FEWEST_POSITIVE of them positive); `incident`, the same for the
    incidents whose narratives are all in the group; and under `errors` and `refusals` what `trouble` gives, with
    `p_holm`, adjusted for all that there are.
    """
    found: dict[str, Groups] = {}
    # Numbers are grouped many times faster than texts.
    codes, known = pd.factorize(narratives["incident_id"])
    narratives = narratives.assign(incident_id=codes)
    incidents = incidents.assign(incident_id=pd.Index(known).get_indexer(incidents["incident_id"]))
    for column in grouped.columns:
        group = grouped[column].reindex(narratives.index).fillna(BLANK)
        of_incidents = _common(narratives["incident_id"], group)
        found[column] = {
            str(name): _group(
                narratives, (group == name).to_numpy(), incidents[incidents["incident_id"].isin(ids)], seed
            )
            for name, ids in sorted((name, set(of_incidents.index[of_incidents == name])) for name in group.unique())
        }
    tests = [each[trouble] for groups in found.values() for each in groups.values() for trouble in TROUBLES]
    for test, adjusted in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
        test["p_holm"] = adjusted
    return found


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
    units = pd.DataFrame({"incident": incident.to_numpy(), "inside": is_inside, "hits": is_hit})
    counts = units.groupby(["incident", "inside"])["hits"].agg(["sum", "size"]).reset_index("inside")
    draws = np.zeros(DRAWS)
    expected = 0.0
    random = np.random.default_rng(seed % 2**64)
    for _, stratum in counts.groupby("size"):
        hits, kinds = np.unique(stratum["sum"].to_numpy(), return_counts=True)
        drawn = int(stratum["inside"].sum())
        draws += random.multivariate_hypergeometric(kinds, drawn, size=DRAWS) @ hits
        expected += drawn * float(stratum["sum"].mean())
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
        "is_small": measured["n"] < FEWEST_LABELLED or measured["tp"] + measured["fn"] < FEWEST_POSITIVE,
        **measured,
        "incident": performance(complete, seed, n_with_error),
        **{
            name: trouble(narratives[column].to_numpy(), is_inside, narratives["incident_id"], seed)
            for name, column in TROUBLES.items()
        },
    }


def _common(incident: pd.Series, group: pd.Series) -> pd.Series:
    """The group of each incident, by its id; of one whose narratives are in several, none."""
    grouped = group.groupby(incident)
    return grouped.first().where(grouped.nunique() == 1)


def _text(value: Any) -> str:
    if value is None:
        return BLANK
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or BLANK
