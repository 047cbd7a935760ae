"""The findings that may be published: small counts are masked, and whatever would reveal them.

A count below the limit of `report.suppress_below` is masked (primary suppression), and further ones are, so that nobody
computes it: from the sum of a table and its other parts, from a rate, or from counts of the same incidents (secondary
suppression; Hundepool and others, Statistical Disclosure Control, 2012, chapter 4). Both look alike. Numbers of errors
over all narratives, or those of a type, describe the run, and which narratives there are describes the workbook: they
are shown; errors of groups are masked as all else is.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.by_variable.suppression import MASKED as MASKED
from narrative_runs.findings.by_variable.suppression import masked_variables, without_curves

# What a part (all narratives, a type, a group) shows, each by counts that are masked together.
ANSWERED, DETECTIONS, LABELLED, LABELS, ERRORS, REFUSALS, UNCLEAR = (
    "answered",
    "detections",
    "labelled",
    "labels",
    "errors",
    "refusals",
    "unclear",
)
_OF_THE_RUN = (ERRORS, REFUSALS, UNCLEAR)
_CELLS = ("tp", "fp", "fn", "tn")
_OF_LABELS = (*_CELLS, "labelled_rate", "accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")
_IF_ERRORS = ("detection_rate_if_errors_negative", "detection_rate_if_errors_positive")
_SHOWN_AS = {
    ANSWERED: ("n_answered",),
    DETECTIONS: ("detection_rate", *_IF_ERRORS),
    LABELLED: ("n",),
    LABELS: _OF_LABELS,
    ERRORS: ("n_errors", *_IF_ERRORS),
    REFUSALS: (),
    UNCLEAR: (),
}


def counted(count: int | str) -> str:
    """A count as shown: with thousands separators, or the word masked."""
    return count if isinstance(count, str) else f"{count:,}"


@dataclass
class Part:
    """All narratives, or those of a type or group; counts: by facet, the counts that it shows; masked: the facets that
    are masked."""

    counts: dict[str, tuple[int, ...]]
    masked: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many were answered."""
        return self.counts[ANSWERED][0]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not any(self.counts[ANSWERED] + self.counts[ERRORS])

    @property
    def is_all_labelled(self) -> bool:
        """Whether every answer has a label, so that the labels reveal the detections."""
        return self.counts.get(LABELLED) == self.counts[ANSWERED]

    def mask(self, facet: str) -> None:
        """Mask a facet, and those of the part that would reveal it."""
        self.masked.add(facet)
        if facet == ANSWERED:
            self.masked |= {DETECTIONS, LABELLED, LABELS}
        if facet == LABELLED or (facet == DETECTIONS and self.is_all_labelled):
            self.masked.add(LABELS)

    def mask_small(self, below: int) -> None:
        """Mask the facets with a count below the limit; a type of narrative that does not occur is no secret."""
        if self.is_empty:
            return
        for facet, counts in self.counts.items():
            if any(count < below for count in counts):
                self.mask(facet)


def part_of(
    answered: int,
    detected: int,
    cells: Sequence[int],
    errors: int = 0,
    refusals: int | None = None,
    unclear: int | None = None,
) -> Part:
    """The counts of a part; without a label there are none of labels.

    cells: true positives, false positives, false negatives and true negatives; unclear: how many have no value, and no
    error either.
    """
    counts: dict[str, tuple[int, ...]] = {
        ANSWERED: (answered,),
        DETECTIONS: (detected, answered - detected),
        LABELLED: (sum(cells),),
        LABELS: tuple(cells),
        ERRORS: (errors,),
    }
    if not sum(cells):
        del counts[LABELS]
    if refusals is not None:
        counts[REFUSALS] = (refusals,)
    if unclear is not None:
        counts[UNCLEAR] = (unclear,)
    return Part(counts)


def protect(total: Part, parts: Sequence[Part], below: int) -> bool:
    """Mask more of the parts of a total, until none that is masked can be computed from the others; whether any was.

    With the total known, at least two parts are masked, and together they are no small count; with the total masked, at
    least one is.
    """
    any_more = False
    for facet in total.counts:
        having = [part for part in parts if facet in part.counts and not part.is_empty]
        while more := _next_to_mask(total, having, facet, below):
            more.mask(facet)
            any_more = True
    return any_more


def _next_to_mask(total: Part, parts: Sequence[Part], facet: str, below: int) -> Part | None:
    hidden = [part for part in parts if facet in part.masked]
    shown = sorted((part for part in parts if facet not in part.masked), key=lambda part: part.size)
    if not shown:
        return None
    if facet in total.masked:
        return None if hidden else shown[0]
    if not hidden:
        return None
    together = [sum(counts) for counts in zip(*(part.counts[facet] for part in hidden), strict=True)]
    return shown[0] if len(hidden) == 1 or any(count < below for count in together) else None


class _Masking:
    """The parts of one experiment's metrics, and the rules by which masking one of them masks others."""

    def __init__(self, metrics: dict[str, Any], below: int) -> None:
        self._below = below
        self.overall, self.incident = _measured(metrics["overall"]), _measured(metrics["incident"])
        self.types = {kind: _measured(scope) for kind, scope in metrics["by_type"].items()}
        self.groups = {
            column: {name: (_measured(group), _measured(group["incident"])) for name, group in groups.items()}
            for column, groups in metrics.get("groups", {}).items()
        }
        if not metrics["n_labelled"]:
            for part in self._parts():
                del part.counts[LABELLED]
        for groups in metrics.get("groups", {}).values():
            self.overall.counts[REFUSALS] = (sum(group["refusals"]["n"] for group in groups.values()),)
            self.overall.counts[UNCLEAR] = (sum(map(_unclear, groups.values())),)
        self.masks_agreement = any(count < below for count in _cases(metrics["agreement"]))
        self.masks_selection = metrics["labels"] is not None and any(
            count < below for count in _selected(metrics["labels"])
        )
        self._mask()

    def _mask(self) -> None:
        for part in self._parts():
            part.mask_small(self._below)
        for whole in (self.overall, self.incident, *self.types.values()):
            # They tell of the run.
            whole.masked -= {*_OF_THE_RUN}
        for facet in _OF_THE_RUN:
            if self.overall.counts.get(facet) == (0,):
                # Of what does not occur at all, every part is known.
                for part in self._parts():
                    part.masked.discard(facet)
        if self.masks_agreement:
            # Detections in narratives, less those in incidents, are those in both narratives.
            for part in (self.incident, *(part for groups in self.groups.values() for _, part in groups.values())):
                part.mask(DETECTIONS)
        if self.masks_selection and LABELS not in self.overall.masked:
            # All detections less those with a label are those without one.
            self.overall.mask(DETECTIONS)
        while any([*(protect(*family, self._below) for family in self._families()), *self._twins()]):
            pass

    def _parts(self) -> Iterator[Part]:
        yield from (self.overall, self.incident, *self.types.values())
        for groups in self.groups.values():
            for pair in groups.values():
                yield from pair

    def _families(self) -> Iterator[tuple[Part, list[Part]]]:
        yield self.overall, list(self.types.values())
        for groups in self.groups.values():
            yield self.overall, [part for part, _ in groups.values()]
            yield self.incident, [part for _, part in groups.values()]

    def _twins(self) -> Iterator[bool]:
        """Where every incident has one narrative, both are the same, and what is masked of one is of the other."""
        pairs = [(self.overall, self.incident), *(pair for groups in self.groups.values() for pair in groups.values())]
        for one, other in pairs:
            if one.size == other.size and one.masked != other.masked:
                both = (one.masked | other.masked) - {*_OF_THE_RUN}
                yield not both <= one.masked or not both <= other.masked
                one.masked |= both
                other.masked |= both


def masked_metrics(metrics: dict[str, Any], below: int, codebook: Codebook = DEFAULT) -> dict[str, Any]:
    """The content of metrics.json as it may be published: what is masked is MASKED, curves and thresholds are left out.

    For narratives that were seen before, only their existence is shown: the difference of two tables would reveal small
    counts. below: the limit; 0 masks nothing; codebook: what was asked.
    """
    if not below:
        return metrics
    masking, published = _Masking(metrics, below), deepcopy(metrics)
    _show(published["overall"], masking.overall)
    _show(published["incident"], masking.incident)
    for kind, part in masking.types.items():
        _show(published["by_type"][kind], part)
    for column, groups in masking.groups.items():
        for name, (part, incident) in groups.items():
            _show_group(published["groups"][column][name], part, incident)
    for name in ("n_partly_labelled", "n_inconsistent"):
        if 0 < published["incident"][name] < below:
            published["incident"][name] = MASKED
    if LABELLED in masking.overall.masked:
        published["n_labelled"] = MASKED
    if published["labels"] is not None and (masking.masks_selection or {DETECTIONS, LABELS} & masking.overall.masked):
        _mask(published["labels"], [name for name in published["labels"] if name != "differ"])
    if masking.masks_agreement:
        _mask(published["agreement"], _but_small_n(published["agreement"], below))
    hides_labels = LABELS in masking.overall.masked
    published["calibration"] = None if hides_labels else without_curves(published["calibration"], below)
    if "variables" in metrics:
        published["variables"] = masked_variables(metrics["variables"], published, codebook, below)
    if "unseen" in metrics:
        published["unseen"] = MASKED
    return published


def masked_quality(quality: dict[str, Any], below: int, metrics: dict[str, Any]) -> dict[str, Any]:
    """The content of data_quality.json as it may be published; metrics: those that are masked already."""
    if not below:
        return quality
    published = deepcopy(quality)
    labelled, positive = published["labelled"], published["positive"]
    is_small = any(labelled[name] and min(positive[name], labelled[name] - positive[name]) < below for name in labelled)
    is_labelled_by_few = any(0 < count < below for count in labelled.values())
    if is_small or metrics["overall"]["tp"] == MASKED:
        _mask(positive, list(positive))
    if is_labelled_by_few:
        _mask(labelled, list(labelled))
    incidents = published.get("labelled_incidents")
    if incidents and min(incidents["positive"], incidents["total"] - incidents["positive"]) < below:
        _mask(incidents, list(incidents))
    return published


def _measured(scope: dict[str, Any]) -> Part:
    """The counts of what `performance` gives."""
    rate = scope["detection_rate"]
    detected = 0 if rate is None else round(rate["value"] * scope["n_answered"])
    refusals, unclear = (scope["refusals"]["n"], _unclear(scope)) if "refusals" in scope else (None, None)
    cells = [scope[cell] for cell in _CELLS]
    return part_of(scope["n_answered"], detected, cells, scope["n_errors"], refusals, unclear)


def _unclear(group: dict[str, Any]) -> int:
    return int(group["n_total"] - group["n_answered"] - group["n_errors"])


def _show(scope: dict[str, Any], part: Part) -> None:
    """Mask in a scope the facets that its part masks."""
    for facet in part.masked:
        _mask(scope, _SHOWN_AS[facet])


def _show_group(group: dict[str, Any], part: Part, incident: Part) -> None:
    _show(group, part)
    _show(group["incident"], incident)
    if {ANSWERED, ERRORS, UNCLEAR} & part.masked:
        group["n_total"] = MASKED
    for facet in (ERRORS, REFUSALS):
        if {facet, ANSWERED, UNCLEAR} & part.masked:
            _mask(group[facet], list(group[facet]))


def _mask(values: dict[str, Any], names: Sequence[str]) -> None:
    values.update(dict.fromkeys(names, MASKED))


def _cases(agreement: dict[str, Any] | None) -> list[int]:
    """The four cells of an agreement; none where there is nothing to agree."""
    if agreement is None or not agreement["n"]:
        return []
    return [value for name, value in agreement.items() if isinstance(value, int) and name != "n"]


def _but_small_n(table: dict[str, Any], below: int) -> list[str]:
    return [name for name, value in table.items() if name != "n" or value < below]


def _selected(labels: dict[str, Any]) -> Iterator[int]:
    """Detected and not detected, with a label and without."""
    for which in ("labelled", "unlabelled"):
        n, rate = labels[f"n_{which}"], labels[f"detected_{which}"]
        detected = round(rate["value"] * n)
        yield from (detected, n - detected)
