"""Which incidents are drawn for review, and which coder reads which.

In proportion, a sample of 100 would hold no false negative at all where these are one in a thousand. So each stratum
gives as many incidents as any other, as long as it has them, and each has a weight, with which rates are estimated
without bias (Horvitz and Thompson, JASA 47, 1952).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from narrative_runs.errors import FindingsError

# Consonants alone make no word, no number and no date, so that no spreadsheet changes them.
_LETTERS = "bcdfghjklmnpqrstvwxz"
_LENGTH = 8


def allocate(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many incidents each stratum gives, `count` in all, or all there are: equal shares; what the small strata lack
    comes from the larger ones.

    With a higher count no stratum gives fewer.
    """
    drawn, left = dict.fromkeys(sizes, 0), count
    smallest_first = sorted(sizes, key=lambda name: sizes[name])
    for n_before, name in enumerate(smallest_first):
        drawn[name] = min(sizes[name], left // (len(smallest_first) - n_before))
        left -= drawn[name]
    return drawn


def drawn(strata: Mapping[str, Sequence[str]], count: int, seed: int) -> dict[str, list[str]]:
    """`count` incidents, or all there are: of each stratum those that were drawn, in random order.

    In: by stratum the ids of its incidents, in any order, which does not matter. The same seed draws the same ones;
    with a higher count these and more.

    Raises:
        FindingsError: there are fewer to draw than strata.
    """
    if count < len(strata):
        raise FindingsError(
            f"--review {count}: the incidents fall into {len(strata)} strata ({', '.join(strata)}), and each needs "
            f"one. Ask for {len(strata)} or more."
        )
    n_drawn = allocate({name: len(ids) for name, ids in strata.items()}, count)
    return {name: in_random_order(ids, seed)[: n_drawn[name]] for name, ids in strata.items()}


def dealt(sample: Mapping[str, Sequence[str]], coders: Sequence[str], overlap: int, seed: int) -> dict[str, list[str]]:
    """The incidents that each coder reads, in random order: `overlap` of them, or all there are, are the same for all,
    drawn by the strata as the sample is; of the others each is read by one.

    In: the sample, by stratum.
    """
    common = allocate({name: len(ids) for name, ids in sample.items()}, overlap) if len(coders) > 1 else {}
    read: dict[str, list[str]] = {coder: [] for coder in coders}
    turn = 0
    for name, ids in sample.items():
        # Another order than that of the draw: else a larger sample would have others in common.
        shuffled = in_random_order(ids, seed, "overlap")
        for index, incident in enumerate(shuffled):
            if index < common.get(name, 0):
                for each in read.values():
                    each.append(incident)
            else:
                read[coders[turn % len(coders)]].append(incident)
                turn += 1
    # The order of the draw would put the large strata first, of which it took the first ones alone.
    return {coder: in_random_order(ids, seed, coder or "the order of a sheet") for coder, ids in read.items()}


def in_random_order(ids: Iterable[str], seed: int, purpose: str = "") -> list[str]:
    """The ids in a random order that depends only on the seed: the same on any machine and with any version of any
    library."""
    return sorted(ids, key=lambda incident: hashlib.sha256(json.dumps([seed, purpose, incident]).encode()).hexdigest())


def letters(*parts: object) -> str:
    """An id of eight letters made from these parts, from which nobody can work them out."""
    number = int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:16], "big")
    chosen = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        chosen.append(_LETTERS[index])
    return "".join(chosen)
