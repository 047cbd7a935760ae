"""Estimates as they may be published: small counts are masked, and what would reveal them.

A level is shown whole or not at all, and so are all groups of a column, so that nobody computes a masked part from a
sum and its other parts. What the metrics mask of a variable is masked here too. How many are errors, or were not asked
about, tells of the run, and is shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from narrative_runs.estimates.estimators import RANDOM
from narrative_runs.estimating.reading import masked_reading
from narrative_runs.estimating.units import LEVELS
from narrative_runs.findings.estimates_file import INCIDENT, NARRATIVE, PREVALENCE, by_value
from narrative_runs.findings.suppression import MASKED

_SHOWN = ("n", "n_errors", "n_unasked", "design", "estimator", "by")

Scope = dict[str, Any]


def masked_estimates(
    variables: Mapping[str, Scope], shown: Mapping[str, Any], first_binary: str | None, below: int
) -> dict[str, Scope]:
    """`variables` of estimates.json as they may be published.

    In: shown: the metrics as they may be published; first_binary: the variable that they measure outside of their
    `variables`; below: the limit, 0 masks nothing.
    """
    if not below:
        return dict(variables)
    return {
        name: _masked(of_variable, _shown_of(name, shown, first_binary), below)
        for name, of_variable in variables.items()
    }


def _masked(of_variable: Scope, measured: Mapping[str, list[Mapping[str, Any]]], below: int) -> Scope:
    kind, scopes = of_variable["type"], {level: of_variable[level] for level in LEVELS}
    counts = {level: list(_counts(kind, scope)) for level, scope in scopes.items()}
    hidden = {
        level
        for level in LEVELS
        if _has_small(counts[level], below) or any(MASKED in scope.values() for scope in measured[level])
    }
    if not hidden and _are_apart_by_few(counts[INCIDENT], counts[NARRATIVE], below):
        hidden = {NARRATIVE}
    reading = of_variable["reading"]
    of_coders = None if reading is None else masked_reading(reading, bool(hidden), below)
    return {
        **of_variable,
        "reading": of_coders,
        **{level: _shown(kind, scopes[level], level in hidden, below) for level in LEVELS},
    }


def _shown(kind: str, scope: Scope, is_hidden: bool, below: int) -> Scope:
    if is_hidden:
        content = {name: value if name in _SHOWN else MASKED for name, value in scope.items()}
        return content | ({"by": dict.fromkeys(scope["by"], MASKED)} if "by" in scope else {})
    if "by" not in scope:
        return scope
    by = scope["by"].items()
    shown = {column: MASKED if _hides(kind, groups, scope, below) else groups for column, groups in by}
    return {**scope, "by": shown}


def _hides(kind: str, groups: Mapping[str, Scope], whole: Scope, below: int) -> bool:
    """Whether a column of groups is masked: a group has a small count, or few are in no group."""
    sizes = [_sizes(group) for group in groups.values()]
    rest = [total - sum(of_groups) for total, of_groups in zip(_sizes(whole), zip(*sizes, strict=True), strict=True)]
    return any(_has_small(_counts(kind, group), below) for group in groups.values()) or any(
        0 < count < below for counts in (rest, *sizes) for count in counts
    )


def _sizes(scope: Scope) -> list[int]:
    return [scope[name] for name in ("n", "n_answered", "n_reviewed", "n_errors", "n_unasked", "n_without_a_value")]


def _counts(kind: str, scope: Scope) -> Iterator[int]:
    """The counts that a scope shows or tells; of what does not occur at all there is nothing to hide."""
    yield scope["n_answered"]
    yield from (count for name in ("n_reviewed", "n_without_a_value") if (count := scope[name]))
    for rates in by_value(kind, scope.get(PREVALENCE, {})).values():
        if rates:
            yield from _part(rates["naive"], scope["n_answered"])
            if scope["design"] == RANDOM:
                yield from _part(rates["labelled"], scope["n_reviewed"])


def _part(rate: Mapping[str, float] | None, n: int) -> list[int]:
    """How many are in the part that a rate is of, and how many are not."""
    if rate is None:
        return []
    part = round(rate["value"] * n)
    return [part, n - part]


def _are_apart_by_few(incident: list[int], narrative: list[int], below: int) -> bool:
    """Whether counts of incidents and of narratives differ by a small count: so many have two narratives alike."""
    return any(0 < abs(one - two) < below for one, two in zip(incident, narrative, strict=False))


def _has_small(counts: Iterable[int], below: int) -> bool:
    return any(count < below for count in counts)


def _shown_of(name: str, shown: Mapping[str, Any], first_binary: str | None) -> dict[str, list[Mapping[str, Any]]]:
    """What the metrics show of a variable at each level."""
    scopes: dict[str, list[Mapping[str, Any]]] = {level: [] for level in LEVELS}
    if name == first_binary:
        scopes = {INCIDENT: [shown["incident"]], NARRATIVE: [shown["overall"]]}
    for level in LEVELS:
        if of_variable := shown.get("variables", {}).get(name, {}).get(level):
            scopes[level].append(of_variable)
    return scopes
