"""Masked measures of variables, and an adversary who knows the rules and tries to compute what is masked."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from tests.coded_tables import CODEBOOK, case
from tests.result_tables import table_of

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.metrics import measure
from narrative_runs.findings.suppression import MASKED, masked_metrics

BELOW = 5
GROUPS = ("F", "M")
WEAPONS = Codebook.model_validate({"variables": {"weapon": {"type": "category", "values": ["gun", "rope"]}}})
THREATS = Codebook.model_validate(
    {
        "variables": {
            "violence": {"type": "binary"},
            "weapon": {"type": "category", "values": ["gun", "rope"], "only_if": {"violence": "yes"}},
        }
    }
)
# A narrative that is not there, one with an error, an unclear one, or (answer, label).
WEAPON_STATES: tuple[Any, ...] = (None, "error", "unclear", *product(("gun", "rope"), ("gun", "rope", None)))
# Or an answer to both, or to the first alone.
THREAT_STATES: tuple[Any, ...] = (None, "error", "no", "gun", "rope", "unclear")
CASES = {"weapons": (WEAPONS, WEAPON_STATES), "threats": (THREATS, THREAT_STATES)}
# They tell of the run, or of the workbook.
NO_SECRETS = ("n_errors", "n_unclear", "n_incomplete", "n_unasked")
Kinds = tuple[tuple[str, Any, Any], ...]


@cache
def kinds_of(which: str) -> Kinds:
    """The kinds of incidents: the group, and the states of both narratives."""
    _, states = CASES[which]
    return tuple(kind for kind in product(GROUPS, states, states) if kind[1:] != (None, None))


def measured(which: str, numbers: NDArray[np.int64]) -> dict[str, Any]:
    """The metrics of so many incidents of each kind."""
    codebook, _ = CASES[which]
    narratives, states, sexes = [], [], []
    incidents = (kind for kind, n in zip(kinds_of(which), numbers, strict=True) for _ in range(n))
    for place, (group, *both) in enumerate(incidents):
        for narrative_type, state in zip(("cme", "le"), both, strict=True):
            if state is not None:
                key = {"incident_id": str(place), "narrative_type": narrative_type, "manual_flag_ind": None}
                detected = None if which == "weapons" or state == "error" else state != "no"
                narratives.append({**key, "detected": detected})
                states.append(state)
                sexes.append(group)
    table = table_of(*narratives)
    error, nothing = "error: no answer", [None] * len(states)
    if which == "weapons":
        table["weapon"] = [state[0] if isinstance(state, tuple) else None for state in states]
        table["weapon_missing"] = [{"error": error, "unclear": "unclear"}.get(str(state)) for state in states]
        given = [state[1] if isinstance(state, tuple) else None for state in states]
        labels = {"weapon": VariableLabels(pd.Series(given, index=table.index, dtype=object))}
    else:
        table["violence"] = table["detected"]
        table["violence_missing"] = [error if state == "error" else None for state in states]
        table["weapon"] = [state if state in ("gun", "rope") else None for state in states]
        why = {"error": error, "no": "not asked", "unclear": "unclear"}
        table["weapon_missing"] = [why.get(state) for state in states]
        labels = {"weapon": VariableLabels(pd.Series(nothing, index=table.index, dtype=object))}
    table = table.astype({name: "string" for name in table if str(name).endswith("_missing")})
    grouped = pd.DataFrame({"Sex": sexes}, index=table["row_num"].tolist(), dtype="string")
    return measure(table, "id", seed=1, grouped=grouped, codebook=codebook, labels=labels)


def counts_of(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Every count of the metrics by its path."""
    if isinstance(value, Mapping):
        if "value" not in value:
            for name, each in value.items():
                yield from counts_of(each, f"{path}.{name}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from counts_of(each, f"{path}.{place}")
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value


def rates_of(value: Any, path: str = "") -> Iterator[tuple[str, float, list[str], list[str]]]:
    """Every rate that tells a count: its path, its value, and the paths of the counts in its part and its whole."""
    if not isinstance(value, Mapping):
        return
    for name, each in value.items():
        here = f"{path}.{name}"
        if name == "accuracy" and isinstance(each, Mapping):
            table = f"{path}.confusion.counts"
            if isinstance(value.get("confusion"), Mapping | str):
                yield here, each["value"], [f"{table}.0.0", f"{table}.1.1"], [f"{path}.n"]
        elif name == "rate" and isinstance(each, Mapping):
            yield here, each["value"], [f"{path}.n"], [f"{path.removesuffix('.errors')}.n_total"]
        else:
            yield from rates_of(each, here)


@cache
def of_each_kind(which: str) -> dict[str, NDArray[np.float64]]:
    """By the path of each count, what one incident of each kind adds to it."""
    kinds = kinds_of(which)
    found: dict[str, NDArray[np.float64]] = {}
    for place in range(len(kinds)):
        one = np.zeros(len(kinds), dtype=np.int64)
        one[place] = 1
        for path, count in counts_of(measured(which, one)):
            found.setdefault(path, np.zeros(len(kinds)))[place] = count
    return found


def furthest(wanted: NDArray[np.float64], known: list[tuple[NDArray[np.float64], float]]) -> tuple[float, float]:
    """The least and the most that a count can be, given what is known, for any numbers of incidents of each kind."""
    matrix, values = np.array([row for row, _ in known]), np.array([value for _, value in known])
    ends = []
    for sign in (1, -1):
        solved = milp(
            sign * wanted,
            constraints=LinearConstraint(matrix, values - 1e-6, values + 1e-6),
            bounds=Bounds(np.zeros(len(wanted)), np.full(len(wanted), 1e4)),
            integrality=np.ones(len(wanted)),
            options={"time_limit": 5},
        )
        assert solved.x is not None, solved.message
        ends.append(float(wanted @ np.round(solved.x)))
    return ends[0], ends[1]


def experiment(which: str, seed: int) -> NDArray[np.int64]:
    """Numbers of incidents of each kind: frequent ones, and those in which a state or two, or a state in one group, is
    rare; in some experiments incidents have one narrative."""
    rng, kinds = np.random.default_rng(seed), kinds_of(which)
    states = CASES[which][1]
    usual = rng.poisson(rng.gamma(2, (1, 4, 12, 30)[seed % 4], len(kinds)))
    rare = [states[place] for place in rng.choice(np.arange(1, len(states)), 1 + seed % 2, replace=False)]
    is_in = [group == "F" or seed % 3 > 0 for group, *_ in kinds]
    is_rare = [any(state in rare for state in both) for _, *both in kinds] & np.array(is_in)
    is_there = np.array([seed % 4 != 3 or le is None for _, _, le in kinds])
    chances = (is_rare & is_there).astype(float)
    return np.asarray(np.where(is_rare, rng.multinomial(3, chances / chances.sum()), usual) * is_there)


def with_few(which: str, rare: Any, count: int) -> NDArray[np.int64]:
    """Many of each state in single narratives, and `count` of the rare one in the first group."""
    return np.array(
        [
            0 if le is not None or cme is None else (count if group == "F" else 0) if cme == rare else 40
            for group, cme, le in kinds_of(which)
        ]
    )


@pytest.mark.parametrize(
    "which",
    [
        ("weapons", 5),
        ("threats", 3),
        ("weapons", ("gun", "rope")),
        ("threats", "rope"),
        *(
            pytest.param(which, marks=pytest.mark.long)
            for which in (*product(CASES, (1,)), ("weapons", 3), ("threats", 5), ("weapons", 7), ("threats", 2))
        ),
    ],
)
@pytest.mark.slow
def test_nobody_computes_what_is_masked(which: tuple[str, Any]) -> None:
    """Whatever is solved for all sums, rates and tables that are shown, no small count is left with one value, and none
    is shown."""
    name, how = which
    numbers = experiment(name, how) if isinstance(how, int) else with_few(name, how, 2)
    metrics = measured(name, numbers)
    published = masked_metrics(metrics, BELOW, CASES[name][0])
    add, truth, shown = of_each_kind(name), dict(counts_of(metrics)), dict(counts_of(published))
    known = [(add[path], float(count)) for path, count in shown.items() if path in add]
    known += [
        (np.sum([add[each] for each in part], axis=0) - value * np.sum([add[each] for each in whole], axis=0), 0.0)
        for _, value, part, whole in rates_of(published["variables"], ".variables")
    ]
    assert all(abs(row @ numbers - value) < 1e-6 for row, value in known)
    secrets = 0
    for path, count in truth.items():
        is_of_group = ".groups." in path
        is_no_secret = path.endswith(NO_SECRETS) and not is_of_group
        if not path.startswith(".variables.") or not 0 < count < BELOW or is_no_secret:
            continue
        assert path not in shown, path
        least, most = furthest(add[path], known)
        assert least < most, (path, least)
        secrets += 1
    assert secrets


@pytest.mark.slow
def test_what_is_large_is_shown() -> None:
    """Where no count is small, the tables stay as they are, but for the lowest and the highest number, curves, and what
    follows from tables that are not shown of the parts."""
    table, labels = case(4_000, 3)
    grouped = pd.DataFrame({"Sex": np.where(table["incident_id"].astype(int) % 2, "F", "M")})
    grouped.index = pd.Index(table["row_num"])
    metrics = measure(table, "id", 1, codebook=CODEBOOK, labels=labels, grouped=grouped)
    published, whole = masked_metrics(metrics, BELOW, CODEBOOK)["variables"], metrics["variables"]
    assert masked_metrics(metrics, 0, CODEBOOK) == metrics
    for name in ("detected", "weapon", "persons", "evidence"):
        assert published[name]["distribution"] == whole[name]["distribution"]
        assert published[name]["narrative"] == whole[name]["narrative"]
        assert published[name]["groups"]["Sex"]["F"]["n_total"] == whole[name]["groups"]["Sex"]["F"]["n_total"]
    assert published["age"]["distribution"] == whole["age"]["distribution"] | {"min": MASKED, "max": MASKED}
    assert published["weapon"]["by_type"]["cme"]["kappa"] == MASKED
    assert set(published["detected"]["calibration"]["confidence"]) == {"n", "brier", "roc_auc", "average_precision"}


def test_what_depends_on_a_masked_variable_is_masked() -> None:
    """Two narratives without violence are the two for which the weapon was not asked: neither is shown."""
    numbers = with_few("threats", "no", 2)
    published = masked_metrics(measured("threats", numbers), BELOW, THREATS)["variables"]
    assert published["violence"]["distribution"] == MASKED
    assert published["weapon"]["distribution"] == published["weapon"]["n_not_asked"] == MASKED
