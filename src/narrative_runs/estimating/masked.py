"""Estimates as they may be published: small counts are masked, with all that would reveal them.

A level is shown whole or not at all, and so are all groups of a column, so that nobody computes a masked part from a
sum and its other parts. Whatever the metrics mask of a variable is masked here too. The numbers of errors, and of those
not asked about, describe the run, and are shown.

The total is not shown without its parts either: it is their weighted sum, of few whole numbers, so that anyone who
knows the sizes of the strata could compute the masked one. MASKED_BECAUSE says which kinds of counts are small.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from narrative_runs.estimates.estimators import RANDOM
from narrative_runs.estimating.reading import masked_reading
from narrative_runs.estimating.units import LEVELS
from narrative_runs.findings.estimates_file import INCIDENT, NARRATIVE, PREVALENCE, by_value
from narrative_runs.findings.suppression import MASKED

_SHOWN = ("n", "n_errors", "n_unasked", "design", "estimator", "by")

MASKED_BECAUSE = "masked_because"
REVIEWED_COUNTS = "reviewed"
_ANSWERED, _BY_ANSWER, _LABELLED = "answered", "by the model's answer", "labelled"
_BY_OUTCOME = "by outcome (true and false positives and negatives, or right and wrong)"
_OTHERS = "other counts that the metrics mask"
_NAMES = {
    "n_answered": _ANSWERED,
    "n_reviewed": REVIEWED_COUNTS,
    "n_without_a_value": "without a value",
    "detection_rate": _BY_ANSWER,
    "n": _LABELLED,
    "n_labelled": _LABELLED,
    **dict.fromkeys(("tp", "fp", "fn", "tn", "confusion", "by_value"), _BY_OUTCOME),
}
_APART = "the difference between incidents and narratives"

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


def masked_notes(name: str, of_variable: Scope, below: int, command: str) -> Iterator[str]:
    """What the user is shown of each masked level of a variable: which kinds of counts are small, and what can be done.

    In: the variable, as it may be published; the limit; the command that makes its estimates.
    """
    for level in LEVELS:
        if kinds := of_variable[level].get(MASKED_BECAUSE):
            reviews = " More reviews make the reviewed ones larger." if REVIEWED_COUNTS in kinds else ""
            yield (
                f"{name}: nothing is shown of {level}s. A count below report.suppress_below ({below}), or one that "
                f"would reveal such a count, is among these: {', '.join(kinds)}. The total would reveal its parts, so "
                f"it is masked too.{reviews} If your data agreement allows a lower limit, lower report.suppress_below "
                f"in the params file and start the run again, which asks the model nothing; then: `{command}`"
            )


def _masked(of_variable: Scope, measured: Mapping[str, list[Mapping[str, Any]]], below: int) -> Scope:
    kind, scopes = of_variable["type"], {level: of_variable[level] for level in LEVELS}
    counts = {level: list(_named_counts(kind, scope)) for level, scope in scopes.items()}
    hidden = {
        level: kinds
        for level in LEVELS
        if (kinds := [*_small_kinds(counts[level], below), *_kinds_in_metrics(measured[level])])
    }
    if not hidden and _are_apart_by_few(counts[INCIDENT], counts[NARRATIVE], below):
        hidden = {NARRATIVE: [_APART]}
    reading = of_variable["reading"]
    of_coders = None if reading is None else masked_reading(reading, bool(hidden), below)
    return {
        **of_variable,
        "reading": of_coders,
        **{level: _shown(kind, scopes[level], hidden.get(level, []), below) for level in LEVELS},
    }


def _shown(kind: str, scope: Scope, because: Sequence[str], below: int) -> Scope:
    """A level as it may be published; because: the kinds of counts that mask it."""
    if because:
        content = {name: value if name in _SHOWN else MASKED for name, value in scope.items()}
        content[MASKED_BECAUSE] = list(dict.fromkeys(because))
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
    return any(any(_small_kinds(_named_counts(kind, group), below)) for group in groups.values()) or any(
        0 < count < below for counts in (rest, *sizes) for count in counts
    )


def _sizes(scope: Scope) -> list[int]:
    return [scope[name] for name in ("n", "n_answered", "n_reviewed", "n_errors", "n_unasked", "n_without_a_value")]


def _named_counts(kind: str, scope: Scope) -> Iterator[tuple[str, int]]:
    """The counts that a scope shows or reveals, each behind what it counts; what does not occur need not be
    hidden."""
    yield _ANSWERED, scope["n_answered"]
    yield from ((_NAMES[name], count) for name in ("n_reviewed", "n_without_a_value") if (count := scope[name]))
    for rates in by_value(kind, scope.get(PREVALENCE, {})).values():
        if rates:
            yield from ((_BY_ANSWER, count) for count in _part(rates["naive"], scope["n_answered"]))
            if scope["design"] == RANDOM:
                yield from ((REVIEWED_COUNTS, count) for count in _part(rates["labelled"], scope["n_reviewed"]))


def _part(rate: Mapping[str, float] | None, n: int) -> list[int]:
    """How many are in the part that a rate is of, and how many are not."""
    if rate is None:
        return []
    part = round(rate["value"] * n)
    return [part, n - part]


def _small_kinds(counts: Iterable[tuple[str, int]], below: int) -> Iterator[str]:
    return (kind for kind, count in counts if count < below)


def _kinds_in_metrics(measured: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The kinds of counts that the metrics mask; those that have no name of their own are named where no other is."""
    for scope in measured:
        masked = [name for name, value in scope.items() if value == MASKED]
        named = [_NAMES[name] for name in masked if name in _NAMES]
        yield from named or ([_OTHERS] if masked else [])


def _are_apart_by_few(incident: list[tuple[str, int]], narrative: list[tuple[str, int]], below: int) -> bool:
    """Whether counts of incidents and of narratives differ by a small count: so many have two narratives alike."""
    return any(0 < abs(one - two) < below for (_, one), (_, two) in zip(incident, narrative, strict=False))


def _shown_of(name: str, shown: Mapping[str, Any], first_binary: str | None) -> dict[str, list[Mapping[str, Any]]]:
    """The measures of a variable that the metrics show at each level."""
    scopes: dict[str, list[Mapping[str, Any]]] = {level: [] for level in LEVELS}
    if name == first_binary:
        scopes = {INCIDENT: [shown["incident"]], NARRATIVE: [shown["overall"]]}
    for level in LEVELS:
        if of_variable := shown.get("variables", {}).get(name, {}).get(level):
            scopes[level].append(of_variable)
    return scopes
