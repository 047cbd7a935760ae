"""The measures of a codebook's variables that may be published: small counts are masked, with all that would reveal
them.

The rules are simpler than those of `findings.suppression`, and mask more: a table is shown whole or not at all. These
are the values of a variable, its labels, its incidents, all of its narrative types, and all groups of a column; so
nobody computes a masked part from a sum and its other parts. The variables in `only_if` reveal how often it
was not asked: where they are masked, so is the variable. Where the table of a category's labels and answers is masked,
the accuracy may be shown, but nothing else that follows from it. How many answers are errors or unclear, over all
narratives, those of a type, or incidents, tells of the run, and is shown; of groups it is masked as all else is. The
lowest and the highest number are each somebody's, and are never shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from narrative_runs.codebook.variables import Codebook, Variable

MASKED = "masked"

_CELLS = ("tp", "fp", "fn", "tn")
_ANSWERS = ("n_answered", "n_unclear", "n_not_asked")
_DETECTIONS = ("detection_rate", "detection_rate_if_errors_negative", "detection_rate_if_errors_positive")
# They tell of the run, or of the codebook.
_ALWAYS_SHOWN = ("n_errors", "n_unclear", "n_unasked", "n_incomplete", "tolerance")
# What keeps an incident out of the rates.
_OF_FEW_INCIDENTS = ("n_partly_labelled", "n_inconsistent", "n_labels_differing", "n_differing")
# What follows from the table of labels and answers, which the parts of a variable do not have.
_OF_TABLES = (
    "confusion",
    "by_value",
    "kappa",
    "weighted_kappa",
    "alpha",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "jaccard",
)
_OF_CALIBRATION = ("n", "brier", "roc_auc", "average_precision")

Scope = dict[str, Any]


def masked_variables(
    variables: Mapping[str, Scope], shown: Mapping[str, Any], codebook: Codebook, below: int
) -> dict[str, Scope]:
    """`variables` of metrics.json as they may be published: MASKED replaces each masked count, rate or table, and the
    curves of calibration are left out.

    In: shown: the other metrics, as they may be published; below: the limit, above 0.
    """
    masks: dict[str, _Masks] = {}
    for name in codebook.conditions_first:
        variable = codebook.variables[name]
        masks[name] = _masks(variable, variables[name], shown, name == codebook.first_binary, below)
        if any(masks[condition].answers for condition in variable.only_if):
            masks[name] = _all_masked(variables[name])
    return {name: _shown(deepcopy(of_variable), masks[name], below) for name, of_variable in variables.items()}


@dataclass(frozen=True)
class _Masks:
    """Which tables of a variable are masked; groups: of which columns."""

    answers: bool
    labels: bool
    tables: bool
    incidents: bool
    types: bool
    groups: frozenset[str]


def _all_masked(of_variable: Scope) -> _Masks:
    return _Masks(True, True, True, True, True, frozenset(of_variable.get("groups", {})))


def _masks(variable: Variable, of_variable: Scope, shown: Mapping[str, Any], is_first: bool, below: int) -> _Masks:
    """The tables to mask; is_first: whether the metrics that are shown are of this variable too."""
    narrative, incident = of_variable["narrative"], of_variable["incident"]
    values = list(_values(of_variable))
    asked = [of_variable["n_answered"], *([of_variable["n_not_asked"]] if variable.only_if else [])]
    if _is_any_small([*values, *asked], below) or (is_first and _is_masked(shown["overall"], "detection_rate")):
        return _all_masked(of_variable)
    hides_labels = hides_tables = False
    if narrative is not None and narrative["n_labelled"]:
        hides_tables = _is_any_small(_of_the_unlabelled(narrative, values), below)
        hides_labels = (
            _is_any_small(_of_labels(narrative), below)
            or (hides_tables and "confusion" not in narrative)
            or (is_first and _is_masked(shown["overall"], "tp"))
        )
    tables = [_table(level) for level in (narrative, incident) if level is not None]
    hides_tables |= any(_is_any_small(table, below) for table in tables)
    hides_tables |= len(tables) == 2 and _are_apart_by_few(tables[0], tables[1], below)
    hides_incidents = incident is not None and (
        hides_labels
        or _is_any_small(_counts(variable, incident), below)
        or any(0 < incident.get(name, 0) < below for name in _OF_FEW_INCIDENTS)
        or _are_apart_by_few(_counts(variable, narrative), _counts(variable, incident), below)
        or (
            is_first
            and (
                _is_masked(shown["incident"], "detection_rate", "tp")
                or _are_apart_by_few(_cells(incident), _cells(shown["incident"]), below)
            )
        )
    )
    types = list((of_variable["by_type"] or {}).values())
    hides_types = hides_labels or any(_is_any_small(_counts(variable, part), below) for part in types if _occurs(part))
    if is_first:
        hides_types |= _is_masked_in_any(shown["by_type"].values())
    masked_columns = {
        column
        for column, groups in of_variable.get("groups", {}).items()
        if hides_labels
        or _hides_groups(variable, groups.values(), below)
        or any(_is_masked(group, "n_total") for group in shown["groups"][column].values())
        or (is_first and _is_masked_in_any(shown["groups"][column].values()))
    }
    return _Masks(False, hides_labels, hides_tables, hides_incidents, hides_types, frozenset(masked_columns))


def _hides_groups(variable: Variable, groups: Iterable[Scope], below: int) -> bool:
    groups = list(groups)
    narratives = [group["narrative"] or {"n_errors": group["errors"]["n"]} for group in groups]
    of_run = [[part.get(count, 0) for part in narratives] for count in ("n_errors", "n_unclear")]
    return any(any(counts) and min(counts) < below for counts in of_run) or any(
        _is_any_small(_counts(variable, part), below)
        or _are_apart_by_few(_counts(variable, part), _counts(variable, group["incident"]), below)
        or _is_any_small(_counts(variable, group["incident"]), below)
        for group in groups
        if (part := group["narrative"]) is not None
    )


def _values(of_variable: Scope) -> Iterator[int]:
    """How often each value was given, and was not; of passages and texts, how many are empty, unless none is."""
    distribution, n = of_variable["distribution"], of_variable["n_answered"]
    for count in distribution.get("counts", {}).values():
        yield from (count, n - count)
    if of_variable["type"] in ("multi", "quote", "text") and 0 < (n_empty := distribution["n_empty"]) < n:
        yield from (n_empty, n - n_empty)
    if strangers := of_variable.get("n_with_passages_not_in_text"):
        yield strangers


def _counts(variable: Variable, scope: Scope | None) -> list[int]:
    """The counts of narratives or incidents that a scope shows or reveals, in an order of its own."""
    if scope is None:
        return []
    detected = _part(scope.get("detection_rate"), scope["n_answered"])
    asked = [scope["n_not_asked"]] if variable.only_if else []
    labels = _of_labels(scope) if scope["n_labelled"] else []
    return [scope["n_answered"], *detected, *asked, *labels]


def _of_labels(scope: Scope) -> list[int]:
    """The counts that reveal how answers and labels agree."""
    counts = [scope["n"]]
    counts += [count for name in ("n_labelled_unclear", "n_not_asked_by_model") if (count := scope[name])]
    for cells in (scope, *scope.get("by_value", {}).values()):
        counts += [cells[cell] for cell in _CELLS if cell in cells]
    for name in ("accuracy", "within_tolerance"):
        counts += _part(scope.get(name), scope["n"])
    return [*counts, *_part(scope.get("in_text"), scope.get("n_passages", 0))]


def _table(scope: Scope) -> list[int]:
    """The cells of the table of labels and answers, of a variable that has one."""
    return [count for row in scope.get("confusion", {}).get("counts", ()) for count in row] if scope["n"] else []


def _cells(scope: Mapping[str, Any]) -> list[int]:
    return [scope[cell] for cell in _CELLS]


def _of_the_unlabelled(scope: Scope, values: list[int]) -> list[int]:
    """How often each value was given to those without a label, where there are any and the labels would tell."""
    if scope["n"] == scope["n_answered"]:
        return []
    if "confusion" in scope:
        answered = [sum(column) for column in zip(*scope["confusion"]["counts"], strict=True)]
    elif "tp" in scope:
        answered = [scope["tp"] + scope["fp"], scope["tn"] + scope["fn"]]
    else:
        answered = [each["tp"] + each["fp"] for each in scope.get("by_value", {}).values()]
    # Each value is followed by how often it was not given.
    return [count - labelled for count, labelled in zip(values[::2], answered, strict=False)]


def _part(rate: Mapping[str, float] | None, n: int) -> list[int]:
    """How many are in the part that a rate is of, and how many are not."""
    if rate is None:
        return []
    part = round(rate["value"] * n)
    return [part, n - part]


def _is_any_small(counts: Iterable[int], below: int) -> bool:
    return any(count < below for count in counts)


def _are_apart_by_few(first: list[int], other: list[int], below: int) -> bool:
    """Whether counts of the same incidents differ by a small count: that many have two narratives alike."""
    return any(0 < abs(one - two) < below for one, two in zip(first, other, strict=False))


def _occurs(scope: Scope) -> bool:
    return any(scope[name] for name in (*_ANSWERS, "n_errors"))


def _is_masked(scope: Mapping[str, Any], *names: str) -> bool:
    return any(isinstance(scope[name], str) for name in names)


def _is_masked_in_any(scopes: Iterable[Mapping[str, Any]]) -> bool:
    return any(MASKED in (*scope.values(), *scope.get("incident", {}).values()) for scope in scopes)


def _shown(measures: Scope, masks: _Masks, below: int) -> Scope:
    """The measures of one variable, with MASKED instead of what may not be shown."""
    if masks.answers:
        _mask(measures, [*_ANSWERS, "n_with_passages_not_in_text", "distribution"])
    elif measures["type"] == "number":
        _mask(measures["distribution"], ["min", "max"])
    if (narrative := measures["narrative"]) is not None:
        answers = [*_ANSWERS, *_DETECTIONS] if masks.answers else []
        labels = [name for name in narrative if name not in (*_ALWAYS_SHOWN, *_ANSWERS, *_DETECTIONS)]
        _mask(narrative, [*answers, *(labels if masks.labels else [])])
        if masks.tables and "confusion" in narrative:
            _mask(narrative, _OF_TABLES)
    if measures["incident"] is not None and masks.incidents:
        _mask(measures["incident"], [name for name in measures["incident"] if name not in _ALWAYS_SHOWN])
    elif measures["incident"] is not None and masks.tables and "confusion" in measures["incident"]:
        _mask(measures["incident"], _OF_TABLES)
    parts = list((measures["by_type"] or {}).values())
    if masks.types and parts:
        measures["by_type"] = MASKED
    for column, groups in measures.get("groups", {}).items():
        if column in masks.groups:
            measures["groups"][column] = MASKED
        else:
            parts += [part for group in groups.values() for part in (group["narrative"], group["incident"])]
    for part in filter(None, parts):
        if "tp" not in part:
            _mask(part, _OF_TABLES)
    measures["calibration"] = None if masks.labels else without_curves(measures["calibration"], below)
    return measures


def _mask(scope: Scope, names: Iterable[str]) -> None:
    scope.update({name: MASKED for name in names if name in scope})


def without_curves(calibration: Scope | None, below: int) -> Scope | None:
    """Of each kind of probability only the areas and the Brier score: the points of a curve reveal counts; None where
    it has few narratives."""
    if calibration is None:
        return None
    return {
        kind: {name: fit[name] for name in _OF_CALIBRATION} if fit and fit["n"] >= below else None
        for kind, fit in calibration.items()
    }
