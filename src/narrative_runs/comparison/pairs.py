"""The same narratives in two experiments: which answers changed, and which of the two is right more often.

A narrative is the same where incident id, narrative type and text are. Only narratives that both answered without
without error are compared, and of these only those count as labelled that have one and the same label in both. Where
the workbook labels incidents alone, incidents are compared as well: one is the same where all its narratives are in
both, and it is detected where any of them is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.data_columns import USUAL_TYPES
from narrative_runs.findings.confusion import kappa
from narrative_runs.findings.intervals import Rate, bootstrap, resample
from narrative_runs.findings.mcnemar import mcnemar
from narrative_runs.findings.significance import holm

COLUMNS = ("incident_id", "narrative_type", "narrative_text", "manual_flag_ind", "detected", "error_occurred")
KEY = ("incident_id", "narrative_type")
OVERALL, INCIDENT = "overall", "incident"
_FATES = ("only_first", "only_other", "other_text", "error")


class Test(Protocol):
    """A dataclass of one test, with `p_holm` as well."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def p_value(self) -> float | None:
        """Of this test alone; None where there is nothing to test."""
        ...


AnyTest = TypeVar("AnyTest", bound=Test)


@dataclass(frozen=True, slots=True)
class PairTest:
    """Two experiments on the same narratives, of all types or of one (`scope`), or on the same incidents; counts of
    narratives, or of incidents where the scope is `incident`.

    n_only_first, n_only_other: in one of the two alone; n_other_text: in both, with another text; n_error: the same
    text, but an error in one or both. n_compared: all other, counted by which of the two detected. n_other_label: those
    of them whose label is not the same in both; n_labelled: those with one label, counted by which of the two is right.
    p_value: McNemar's test over incidents; None without a labelled narrative. p_holm: adjusted for all that are shown.
    """

    scope: str
    n_only_first: int
    n_only_other: int
    n_other_text: int
    n_error: int
    n_compared: int
    both_detected: int
    only_first_detected: int
    only_other_detected: int
    neither_detected: int
    kappa: Rate
    n_other_label: int
    n_labelled: int
    both_right: int
    only_first_right: int
    only_other_right: int
    both_wrong: int
    p_value: float | None
    p_holm: float | None = None


def joined(first: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The narratives of two experiments, one row each, by their key.

    In: two tables with COLUMNS. Out: `incident_id`, `narrative_type`; `fate` (only_first, only_other, other_text, error
    or compared); of compared ones `detected_first` and `detected_other` (bool; else False); `label_first` and
    `label_other` (0, 1 or missing).
    """
    both = matched(first[list(COLUMNS)], other[list(COLUMNS)])
    answered = pd.Series(True, index=both.index)
    for side in ("first", "other"):
        is_error = both[f"error_occurred_{side}"].astype("boolean").fillna(True).astype(bool)
        answered &= both[f"detected_{side}"].notna() & ~is_error
    both["fate"] = np.select(
        [both["side"] == "left_only", both["side"] == "right_only", ~both["has_same_text"], ~answered],
        ["only_first", "only_other", "other_text", "error"],
        "compared",
    )
    is_compared = both["fate"] == "compared"
    for side in ("first", "other"):
        both[f"detected_{side}"] = both[f"detected_{side}"].fillna(False).astype(bool) & is_compared
        both[f"label_{side}"] = both[f"manual_flag_ind_{side}"]
    return both[[*KEY, "fate", "detected_first", "detected_other", "label_first", "label_other"]]


def joined_incidents(
    first: pd.DataFrame,
    other: pd.DataFrame,
    unasked: tuple[Collection[str], Collection[str]] = ((), ()),
) -> pd.DataFrame | None:
    """The incidents of two experiments in the same form, one row each, by their ids; None unless in both of them
    incidents have labels and no narrative has one.

    In: two tables with COLUMNS and `manual_flag`; of each the incidents with a narrative that the limit left out, which
    count as errors, as do those with an error in any narrative.
    """
    if not (_has_labels_of_incidents_alone(first) and _has_labels_of_incidents_alone(other)):
        return None
    pair = joined(first, other)
    by_incident = pair["incident_id"]
    has = {fate: pair["fate"].eq(fate).groupby(by_incident) for fate in _FATES}
    is_in_one = [has[fate].all() for fate in ("only_first", "only_other")]
    is_other = has["only_first"].any() | has["only_other"].any() | has["other_text"].any()
    is_error = has["error"].any() | is_other.index.isin([*unasked[0], *unasked[1]])
    fate = np.select([*is_in_one, is_other, is_error], _FATES, "compared")
    incidents = pd.DataFrame({"fate": fate}, index=is_other.index)
    for side, table in (("first", first), ("other", other)):
        is_detected = pair[f"detected_{side}"].groupby(by_incident).any()
        incidents[f"detected_{side}"] = is_detected & (incidents["fate"] == "compared")
        incidents[f"label_{side}"] = table.groupby("incident_id")["manual_flag"].max().reindex(incidents.index)
    return incidents.reset_index()


def _has_labels_of_incidents_alone(table: pd.DataFrame) -> bool:
    return bool(table["manual_flag_ind"].isna().all() and table["manual_flag"].notna().any())


def matched(first: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The narratives of two experiments, one row each, in the order of their keys.

    In: two tables with the key, `narrative_text` and any other columns. Out: these, with `_first` and `_other` at the
    end of their names; `side` (left_only, right_only or both), and `has_same_text`.
    """
    both = first.merge(other, on=list(KEY), how="outer", suffixes=("_first", "_other"), indicator="side", sort=True)
    both["has_same_text"] = both["narrative_text_first"].eq(both["narrative_text_other"]).fillna(False).astype(bool)
    return both


def pair_tests(
    pair: pd.DataFrame, seed: int, types: Sequence[str] = USUAL_TYPES, incidents: pd.DataFrame | None = None
) -> list[PairTest]:
    """The tests of a joined pair: over all narratives, over those of each type, and over incidents where these are
    given.

    types: the narrative types that both experiments have; the seed is that of the bootstrap of kappa; incidents: what
    `joined_incidents` gives.
    """
    return [
        _test(pair, OVERALL, seed),
        *(_test(pair[pair["narrative_type"] == kind], kind, seed) for kind in types),
        *([] if incidents is None else [_test(incidents, INCIDENT, seed)]),
    ]


def adjusted(tests: Sequence[Sequence[AnyTest]]) -> list[list[AnyTest]]:
    """The tests of all pairs, with `p_holm`: adjusted for the number of all tests, since a reader sees them all."""
    adjusted_values = iter(holm([test.p_value for of_pair in tests for test in of_pair]))
    return [[replace(test, p_holm=next(adjusted_values)) for test in of_pair] for of_pair in tests]


def changed(pair: pd.DataFrame) -> pd.DataFrame:
    """The narratives of a joined pair whose detection changed, without texts."""
    is_changed = (pair["fate"] == "compared") & (pair["detected_first"] != pair["detected_other"])
    return pair.loc[is_changed].drop(columns="fate").reset_index(drop=True)


def _test(pair: pd.DataFrame, scope: str, seed: int) -> PairTest:
    fates = pair["fate"].value_counts()
    compared = pair[pair["fate"] == "compared"]
    first, other = (compared[f"detected_{side}"].to_numpy(bool) for side in ("first", "other"))
    detections = _crossed(first, other)
    labels = compared["label_first"].astype("Int64"), compared["label_other"].astype("Int64")
    is_other_label = (labels[0].isna() != labels[1].isna()) | labels[0].ne(labels[1]).fillna(False).astype(bool)
    is_labelled = (labels[0].notna() & ~is_other_label).to_numpy(bool)
    positive = labels[0].eq(1).fillna(False).to_numpy(bool)
    both, only_first, only_other, neither = (int(number) for number in detections.sum(axis=0))
    # Kappa has no side that is right: the first stands in the place of the detection, the other in that of the label.
    per_incident = pd.DataFrame(detections).groupby(compared["incident_id"].to_numpy()).sum()
    of_incidents = per_incident.to_numpy(np.int64).reshape(-1, 4)
    is_right = _crossed((first == positive)[is_labelled], (other == positive)[is_labelled])
    gains = pd.Series(is_right[:, 1] - is_right[:, 2]).groupby(compared["incident_id"].to_numpy()[is_labelled]).sum()
    both_right, only_first_right, only_other_right, both_wrong = (int(number) for number in is_right.sum(axis=0))
    return PairTest(
        scope=scope,
        n_only_first=int(fates.get("only_first", 0)),
        n_only_other=int(fates.get("only_other", 0)),
        n_other_text=int(fates.get("other_text", 0)),
        n_error=int(fates.get("error", 0)),
        n_compared=len(compared),
        both_detected=both,
        only_first_detected=only_first,
        only_other_detected=only_other,
        neither_detected=neither,
        kappa=bootstrap(kappa, of_incidents, resample(of_incidents, seed)),
        n_other_label=int(is_other_label.sum()),
        n_labelled=int(is_labelled.sum()),
        both_right=both_right,
        only_first_right=only_first_right,
        only_other_right=only_other_right,
        both_wrong=both_wrong,
        p_value=mcnemar(gains.to_numpy(np.int64)) if is_labelled.any() else None,
    )


def _crossed(first: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From two bool arrays an array of shape (rows, 4): both, only the first, only the other, neither; 0 or 1."""
    return np.column_stack([first & other, first & ~other, ~first & other, ~first & ~other]).astype(np.int64)
