"""Keys that occur more than once: true repeats, repeats with another label, and other texts under one key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from narrative_runs.source.quality import Repeat, Repeats

KEY = ["incident_id", "narrative_type"]
LABELS = ["manual_flag_ind", "manual_flag"]
_SHOWN = 5
_LISTED = 1_000
_LONGEST_PART = 40
_MOST_PARTS = 2
# What usually distinguishes incidents of one number, the likeliest first.
_PARTS = ("site", "year", "state", "county", "region", "agency", "date", "id")


@dataclass(frozen=True)
class Judged:
    """One row per key: the first, or the first of those whose text is the same.

    kept: the rows that become narratives; dropped: the others; repeats: what repeats, counted; conflicting: the rows
    of keys with several texts.
    """

    kept: pd.DataFrame
    dropped: pd.DataFrame
    repeats: Repeats
    conflicting: pd.DataFrame


def judge(narratives: pd.DataFrame, sheets: Sequence[str]) -> Judged:
    """Sort out repeats by their text and labels.

    narratives: with KEY, LABELS, `digest` (which distinguishes texts), `sheet` and `row`, none of them blank; sheets:
    the names to put before a row's number, none if there is one sheet. If the labels of a key differ, the kept row
    has none; a blank does not count as another label.
    """
    is_repeat = narratives.duplicated(KEY)
    kept, dropped = narratives[~is_repeat], narratives[is_repeat]
    if dropped.empty:
        return Judged(kept, dropped, Repeats(0, 0, 0, []), dropped)
    repeated = narratives[narratives.duplicated(KEY, keep=False)]
    keys = repeated.groupby(KEY, sort=False)
    n_texts, n_labels = keys["digest"].transform("nunique"), keys[LABELS].transform("nunique")
    conflicting = repeated[n_texts > 1]
    differs = (n_labels > 1).any(axis=1) & (n_texts == 1)
    first = kept.index.intersection(repeated.index)
    kept = kept.copy()
    for label in LABELS:
        # The first label that was given, where only one was.
        given = keys[label].transform("first").where(n_labels[label] <= 1)
        kept.loc[first, label] = given.loc[first]
    listed = [
        Repeat(str(incident_id), str(kind), row_names(rows, sheets), differs="label")
        for (incident_id, kind), rows in _by_key(repeated[differs])
    ]
    repeats = Repeats(
        same=len(dropped) - int((differs | (n_texts > 1))[dropped.index].sum()),
        other_label=len(listed),
        other_text=conflicting.groupby(KEY).ngroups,
        listed=listed[:_LISTED],
    )
    return Judged(kept, dropped, repeats, conflicting)


def conflict(conflicting: pd.DataFrame, sheets: Sequence[str], parts: Sequence[str], id_column: str) -> str:
    """What is wrong with keys that have several texts, and what to do, in words.

    parts: columns that make the key unique together with `id_column`, if there are any.
    """
    keys = [
        f"  {incident_id} {kind}: rows {', '.join(map(str, row_names(rows, sheets)))}"
        for (incident_id, kind), rows in _by_key(conflicting)
    ]
    more = [f"  and {len(keys) - _SHOWN} more"] if len(keys) > _SHOWN else []
    example = parts or ["SiteID", "IncidentYear"]
    return "\n".join(
        [
            f"has {len(keys)} keys (incident and narrative type) with more than one text:",
            *keys[:_SHOWN],
            *more,
            "If the same id is used again for other incidents, name the columns that together identify an incident "
            f"in the params{', such as' if not parts else ':'}",
            f"  data.id: [{', '.join([*example, id_column])}]",
            "Otherwise correct these rows.",
        ]
    )


def parts_that_tell_apart(
    conflicting: pd.DataFrame, other_cells: Callable[[int], Mapping[str, object]], names: Sequence[str]
) -> list[str]:
    """One or two other columns by which each key, extended, has one text; empty if there are no such columns.

    conflicting: rows of keys with several texts, with `digest` and `other`; other_cells: gives the other cells of a
    row by that number.
    """
    cells = [other_cells(number) for number in conflicting["other"]]
    usable = [name for name in names if all(name in row and len(str(row[name])) <= _LONGEST_PART for row in cells)]
    usable.sort(key=_likelihood)
    for count in range(1, _MOST_PARTS + 1):
        for parts in combinations(usable, count):
            extended = conflicting.assign(part=["/".join(str(row[name]) for name in parts) for row in cells])
            if (extended.groupby([*KEY, "part"])["digest"].nunique() == 1).all():
                return list(parts)
    return []


def row_names(rows: pd.DataFrame, sheets: Sequence[str]) -> list[int | str]:
    """The rows as a person would look them up: by number, after the name of their sheet if there are several."""
    numbered = zip(rows["sheet"], rows["row"], strict=True)
    return [f"{sheets[sheet]}!{row}" if len(sheets) > 1 else int(row) for sheet, row in numbered]


def _by_key(rows: pd.DataFrame) -> Iterable[tuple[Any, pd.DataFrame]]:
    return rows.groupby(KEY, sort=False)


def _likelihood(name: str) -> int:
    return next((index for index, part in enumerate(_PARTS) if part in name.lower()), len(_PARTS))
