"""Masked metrics, and an adversary who knows how they are made and tries to compute what is masked."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from tests.result_tables import table_at_random, table_of

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.suppression import MASKED, Part, masked_metrics, masked_quality, part_of, protect

BELOW = 5
GROUPS = ("F", "M", "other")
# A narrative that is not there, one with an error, or (detected, label).
STATES: tuple[Any, ...] = (None, "error", *product((False, True), (0, 1, None)))
RATES = {
    "detection_rate": (("detected",), ("n_answered",)),
    "labelled_rate": (("tp", "fn"), ("n",)),
    "accuracy": (("tp", "tn"), ("n",)),
    "precision": (("tp",), ("tp", "fp")),
    "recall": (("tp",), ("tp", "fn")),
    "specificity": (("tn",), ("tn", "fp")),
    "f1": (("tp", "tp"), ("tp", "tp", "fp", "fn")),
    "detection_rate_if_errors_negative": (("detected",), ("n_answered", "n_errors")),
    "detection_rate_if_errors_positive": (("detected", "n_errors"), ("n_answered", "n_errors")),
}
COUNTS = ("n", "n_answered", "n_errors", "tp", "fp", "fn", "tn")


class Incident(NamedTuple):
    """One kind of incident: its group, and the states of its two narratives."""

    group: str
    cme: Any
    le: Any


KINDS = [Incident(*kind) for kind in product(GROUPS, STATES, STATES) if kind[1:] != (None, None)]


def measured(numbers: NDArray[np.int64]) -> dict[str, Any]:
    """The metrics of so many incidents of each kind."""
    narratives, sexes = [], []
    for place, kind in enumerate(incident for incident, n in zip(KINDS, numbers, strict=True) for _ in range(n)):
        for narrative_type, state in (("cme", kind.cme), ("le", kind.le)):
            if state is None:
                continue
            detected, label = (None, 1) if state == "error" else state
            narratives.append(
                {
                    "incident_id": str(place),
                    "narrative_type": narrative_type,
                    "manual_flag_ind": label,
                    "detected": detected,
                }
            )
            sexes.append(kind.group)
    grouped = pd.DataFrame({"Sex": sexes}, index=range(1, len(sexes) + 1))
    return measure(table_of(*narratives), "id", seed=1, grouped=grouped)


def scopes(metrics: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All parts of the metrics by name."""
    yield "overall", metrics["overall"]
    yield "incident", metrics["incident"]
    yield from metrics["by_type"].items()
    for name, group in metrics["groups"]["Sex"].items():
        yield name, group
        yield f"{name} incident", group["incident"]


def counts_of(metrics: dict[str, Any]) -> dict[str, int]:
    """Every count by name, those too that a rate tells."""
    found = {"n_total": metrics["n_total"], "n_labelled": metrics["n_labelled"]}
    for name, scope in scopes(metrics):
        found |= {f"{name}.{count}": scope[count] for count in COUNTS}
        rate = scope["detection_rate"]
        found[f"{name}.detected"] = 0 if rate is None else round(rate["value"] * scope["n_answered"])
    for name, group in metrics["groups"]["Sex"].items():
        found |= {f"{name}.n_total": group["n_total"]}
    found |= {f"agreement.{name}": value for name, value in metrics["agreement"].items() if isinstance(value, int)}
    found |= {f"completeness.{name}": value for name, value in metrics["completeness"].items()}
    found["incident.n_partly_labelled"] = metrics["incident"]["n_partly_labelled"]
    for which in ("labelled", "unlabelled"):
        selected = metrics["labels"] or {f"n_{which}": 0, f"detected_{which}": None}
        rate = selected[f"detected_{which}"]
        found[f"labels.{which}"] = 0 if rate is None else round(rate["value"] * selected[f"n_{which}"])
    return found


@cache
def of_each_kind() -> dict[str, NDArray[np.float64]]:
    """By the name of each count, what one incident of each kind adds to it."""
    found: dict[str, NDArray[np.float64]] = {}
    for place in range(len(KINDS)):
        one = np.zeros(len(KINDS), dtype=np.int64)
        one[place] = 1
        for name, count in counts_of(measured(one)).items():
            found.setdefault(name, np.zeros(len(KINDS)))[place] = count
    # Of one incident nothing is unlabelled beside labelled ones: what is not among all others.
    found["labels.labelled"] = found["overall.tp"] + found["overall.fp"]
    found["labels.unlabelled"] = found["overall.detected"] - found["labels.labelled"]
    return found


def told(metrics: dict[str, Any]) -> list[tuple[NDArray[np.float64], float]]:
    """What masked metrics tell, as equations: so many of each kind, times these numbers, is that."""
    add = of_each_kind()
    found: list[tuple[NDArray[np.float64], float]] = []

    def tell(name: str, value: Any) -> None:
        if value != MASKED:
            found.append((add[name], float(value)))

    for name in ("n_total", "n_labelled"):
        tell(name, metrics[name])
    for name, scope in scopes(metrics):
        for count in COUNTS:
            tell(f"{name}.{count}", scope[count])
        for rate, (part, whole) in RATES.items():
            value = scope[rate]["value"] if isinstance(scope[rate], dict) else scope[rate]
            if value in (None, MASKED):
                continue
            parts, wholes = (sum(add[f"{name}.{count}"] for count in counts) for counts in (part, whole))
            found.append((parts - value * wholes, 0.0))
    for name, group in metrics["groups"]["Sex"].items():
        tell(f"{name}.n_total", group["n_total"])
        tell(f"{name}.n_errors", group["errors"]["n"])
    for table in ("agreement", "completeness"):
        for name, value in metrics[table].items():
            if isinstance(value, int | str):
                tell(f"{table}.{name}", value)
    tell("incident.n_partly_labelled", metrics["incident"]["n_partly_labelled"])
    selected = metrics["labels"]
    if selected is not None and selected["n_labelled"] != MASKED:
        for which in ("labelled", "unlabelled"):
            tell(f"labels.{which}", round(selected[f"detected_{which}"]["value"] * selected[f"n_{which}"]))
    return found


def furthest(wanted: NDArray[np.float64], known: list[tuple[NDArray[np.float64], float]]) -> tuple[float, float]:
    """The least and the most that a count can be, given what is known, for any numbers of incidents of each kind."""
    matrix, values = np.array([row for row, _ in known]), np.array([value for _, value in known])
    constraint = LinearConstraint(matrix, values - 1e-6, values + 1e-6)
    most = Bounds(np.zeros(len(KINDS)), np.full(len(KINDS), 1e4))
    ends = []
    for sign in (1, -1):
        solved = milp(
            sign * wanted,
            constraints=constraint,
            bounds=most,
            integrality=np.ones(len(KINDS)),
            options={"time_limit": 5},
        )
        assert solved.x is not None, solved.message
        ends.append(float(wanted @ np.round(solved.x)))
    return ends[0], ends[1]


def experiment(seed: int) -> NDArray[np.int64]:
    """Numbers of incidents of each kind: most kinds are rare, some frequent, and in some experiments whole classes of
    them do not occur."""
    rng = np.random.default_rng(seed)
    numbers = rng.poisson(rng.gamma(0.3, 6, len(KINDS)))
    states = [(kind.cme, kind.le) for kind in KINDS]
    kept = (
        [True for _ in states],
        [le is None for _, le in states],
        [None not in pair and "error" not in pair for pair in states],
        [all(state in (None, "error") or state[1] is not None for state in pair) for pair in states],
    )[seed % 4]
    return np.where(kept, numbers, 0)


def numbers_of(*, cme: dict[Any, int], le: dict[Any, int] | None = None) -> NDArray[np.int64]:
    """An experiment with so many incidents of each state of the first narrative, or of both, in two groups."""
    wanted = {(state, None) if le is None else state: count for state, count in cme.items()}
    half = {pair: (count // 2, count - count // 2, 0) for pair, count in wanted.items()}
    return np.array([half.get((kind.cme, kind.le), (0, 0, 0))[GROUPS.index(kind.group)] for kind in KINDS])


YES, NO = (True, None), (False, None)
MANY = {(detected, label): 60 for detected in (True, False) for label in (0, 1)}
# What random experiments hardly meet: few detections among the unlabelled, few incidents in which both agree.
RARE = {
    "few unlabelled detections": numbers_of(cme=MANY | {YES: 2, NO: 80}),
    "few unlabelled detections in two narratives": numbers_of(
        cme={(state, state): count for state, count in (MANY | {YES: 1, NO: 80}).items()}, le={}
    ),
    "few agreements": numbers_of(cme={(YES, YES): 2, (YES, NO): 50, (NO, YES): 60, (NO, NO): 100}, le={}),
    "few agreements, all labelled": numbers_of(
        cme={
            ((True, 1), (True, 1)): 2,
            ((True, 1), (False, 1)): 50,
            ((False, 0), (True, 0)): 60,
            ((False, 0), (False, 0)): 100,
            ((False, 1), (False, 1)): 40,
        },
        le={},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("which", [*range(12), 57, *RARE])
def test_nobody_computes_what_is_masked(which: int | str) -> None:
    """Whatever is solved for all sums, rates and tables that are shown, no small count is left with one value, and none
    is shown."""
    numbers = RARE[which] if isinstance(which, str) else experiment(which)
    metrics = measured(numbers)
    published = masked_metrics(metrics, BELOW)
    known, add, truth = told(published), of_each_kind(), counts_of(metrics)
    assert all(abs(row @ numbers - value) < 1e-6 for row, value in known)
    secrets = 0
    for name, scope in scopes(published):
        for count in ("n", "n_answered", "tp", "fp", "fn", "tn", "detected"):
            is_no_secret = truth[f"{name}.n"] == 0 and count != "n_answered"
            is_no_type = name == "le" and truth["le.n_answered"] + truth["le.n_errors"] == 0
            if truth[f"{name}.{count}"] >= BELOW or is_no_secret or is_no_type:
                continue
            shown = scope["detection_rate" if count == "detected" else count]
            assert shown == MASKED, (name, count)
            least, most = furthest(add[f"{name}.{count}"], known)
            assert least < most, (name, count, least)
            secrets += 1
    for name in (f"{group}.n_errors" for group in GROUPS):
        if 0 < truth.get(name, 0) < BELOW:
            least, most = furthest(add[name], known)
            assert least < most, name
            secrets += 1
    for name, value in published["agreement"].items():
        if value == MASKED and f"agreement.{name}" in truth and truth[f"agreement.{name}"] < BELOW:
            least, most = furthest(add[f"agreement.{name}"], known)
            assert least < most, name
            secrets += 1
    if published["labels"] is not None and MASKED in published["labels"].values():
        least, most = furthest(add["labels.unlabelled"], known)
        assert least < most
        secrets += 1
    assert secrets


@pytest.mark.slow
def test_large_counts_stay_as_they_are() -> None:
    """Where nothing is small nothing is masked, and with a limit of 0 all is as it was; curves go with any limit."""
    results = table_at_random(4_000, seed=3)
    grouped = pd.DataFrame({"Sex": np.where(results["incident_id"].astype("int64") % 2, "F", "M")})
    grouped.index = pd.Index(results["row_num"])
    metrics = measure(results, "id", seed=1, grouped=grouped)
    assert masked_metrics(metrics, 0) == metrics
    published = masked_metrics(metrics, BELOW)
    assert MASKED not in str({name: value for name, value in published.items() if name != "groups"})
    assert published["overall"] == metrics["overall"]
    assert set(published["calibration"]["confidence"]) == {"n", "brier", "roc_auc", "average_precision"}


def test_errors_that_do_not_occur_are_no_secret() -> None:
    """Without an error, every group shows that it has none; with one, no group does."""
    numbers = numbers_of(cme=MANY)
    published = masked_metrics(measured(numbers), BELOW)
    assert [group["errors"]["n"] for group in published["groups"]["Sex"].values()] == [0, 0]
    with_error = numbers_of(cme=MANY | {"error": 1})
    published = masked_metrics(measured(with_error), BELOW)
    assert [group["errors"]["n"] for group in published["groups"]["Sex"].values()] == [MASKED, MASKED]


def test_one_small_part_of_a_known_sum_takes_another_with_it() -> None:
    """The smallest other part is masked too, and further ones until those that are masked are no small count
    together."""
    whole = Part({"answered": (100,)})
    parts = [part_of(size, 0, (0, 0, 0, 0)) for size in (1, 2, 40, 57)]
    for part in parts:
        part.counts = {"answered": part.counts["answered"], "errors": (0,)}
        part.mask_small(BELOW)
    assert protect(whole, parts, BELOW)
    assert ["answered" in part.masked for part in parts] == [True, True, True, False]
    assert not protect(whole, parts, BELOW)


def test_small_numbers_of_labels_are_masked_in_what_is_told_of_the_workbook() -> None:
    """Positive labels of the workbook are masked where they, or negative ones, are few, or would tell masked ones."""
    quality = {
        "labelled": {"total": 100, "cme": 60, "le": 40},
        "positive": {"total": 20, "cme": 18, "le": 2},
        "labelled_incidents": {"total": 50, "positive": 47},
    }
    shown = {"overall": {"tp": 12}}
    found = masked_quality(quality, BELOW, shown)
    assert found["labelled"] == quality["labelled"]
    assert set(found["positive"].values()) == set(found["labelled_incidents"].values()) == {MASKED}
    assert masked_quality(quality, 0, shown) == quality
    assert masked_quality(quality, 2, shown) == quality
    assert set(masked_quality(quality, 2, {"overall": {"tp": MASKED}})["positive"].values()) == {MASKED}


def test_nothing_is_published_of_what_was_seen() -> None:
    """With a limit the published metrics say only that narratives had been seen: a difference of two tables would
    reveal small counts; without one all of it stands there."""
    results = table_at_random(300, seed=1)
    metrics = measure(results, "id", 1, seen=dict.fromkeys(list(results["incident_id"])[:20], 1))
    published = masked_metrics(metrics, BELOW)
    assert published["unseen"] == MASKED
    assert published.keys() - {"unseen"} == masked_metrics(measure(results, "id", 1), BELOW).keys()
    assert masked_metrics(metrics, 0) == metrics
