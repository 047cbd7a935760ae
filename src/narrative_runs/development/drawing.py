"""Draws the narratives on which a prompt is developed: once, in an order that a larger sample only continues."""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

UNLABELLED = ""
# Of a hold-out sample: so much of each label stays unseen.
HELD_OUT_SHARE = 0.5


class Candidate(NamedTuple):
    """A narrative that may be drawn; label: of the first variable that has labels, UNLABELLED where it has none;
    is_of_incident: whether the labels are those of incidents, which are then drawn whole."""

    incident_id: str
    narrative_type: str
    label: str
    is_of_incident: bool = False


@dataclass(frozen=True)
class Drawn:
    """The indices of the narratives drawn, in their order, and the weight of each: how many narratives of the workbook
    with the same label it stands for."""

    indices: list[int]
    weights: list[float]


def draw(candidates: Sequence[Candidate], n: int, kept: Sequence[tuple[str, str]] = (), seed: int = 1) -> Drawn:
    """Draw `n` narratives, or as many as there are: labelled ones first, each label in turn. Where the labels are those
    of incidents, the other narratives of an incident are drawn with it, even if these are some more than `n`.

    kept: the keys (incident id, narrative type) of the narratives that an earlier, perhaps smaller sample had, in their
    order: they come first. Incidents are ordered by the SHA-256 of seed and incident id, so that a workbook with some
    rows more or less has nearly the same sample.
    """
    by_key = {(each.incident_id, each.narrative_type): index for index, each in enumerate(candidates)}
    first = [by_key[key] for key in kept if key in by_key]
    chosen = dict.fromkeys(first[:n])
    for index in _in_order(candidates, seed):
        if len(chosen) >= n:
            break
        chosen.setdefault(index)
    whole = {candidates[index].incident_id for index in chosen if candidates[index].is_of_incident}
    chosen |= dict.fromkeys(index for index, each in enumerate(candidates) if each.incident_id in whole)
    return Drawn(list(chosen), _weights(candidates, list(chosen)))


def most_with_hold_out(candidates: Sequence[Candidate], seed: int = 1) -> int:
    """How many narratives a sample can have that leaves at least half of the narratives of each label unseen.

    Whole incidents count as seen, because the narratives of an incident are about the same death.
    """
    total = Counter(each.label for each in candidates)
    of_incident: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in candidates:
        of_incident[each.incident_id][each.label] += 1
    seen: Counter[str] = Counter()
    seen_incidents: set[str] = set()
    order = list(_in_order(candidates, seed))
    for n, index in enumerate(order):
        incident = candidates[index].incident_id
        if incident not in seen_incidents:
            seen_incidents.add(incident)
            seen += of_incident[incident]
        if any(seen[label] > count * HELD_OUT_SHARE for label, count in total.items()):
            return n
    return len(order)


def _in_order(candidates: Sequence[Candidate], seed: int) -> Iterator[int]:
    """All indices: the labels in turn, as long as each lasts, then the unlabelled."""
    ranks = {each.incident_id: _rank(each.incident_id, seed) for each in candidates}
    by_rank = sorted(range(len(candidates)), key=lambda index: (ranks[candidates[index].incident_id], index))
    strata: defaultdict[str, deque[int]] = defaultdict(deque)
    for index in by_rank:
        strata[candidates[index].label].append(index)
    unlabelled = strata.pop(UNLABELLED, deque())
    # The last label in the alphabet first: of 0 and 1, and of no and yes, the positives.
    turns = [strata[label] for label in sorted(strata, reverse=True)]
    while turns := [stratum for stratum in turns if stratum]:
        for stratum in turns:
            yield stratum.popleft()
    yield from unlabelled


def _rank(incident_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{incident_id}".encode()).digest()


def _weights(candidates: Sequence[Candidate], chosen: Sequence[int]) -> list[float]:
    total = Counter(each.label for each in candidates)
    drawn = Counter(candidates[index].label for index in chosen)
    return [total[candidates[index].label] / drawn[candidates[index].label] for index in chosen]
