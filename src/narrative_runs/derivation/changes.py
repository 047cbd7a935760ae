"""What differs between two derivations of the same answers: rows of results, and figures."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

KEY = ["incident_id", "narrative_type"]
COLUMNS = ["file", *KEY, "name", "before", "after"]
PRESENT = "the narrative has a result"


def row_changes(before: pd.DataFrame, after: pd.DataFrame, file: str) -> pd.DataFrame:
    """One row for each cell that differs, with the columns of COLUMNS, all texts.

    In: two tables of results with the columns of KEY, one row a narrative; columns that only one of them has are not
    compared. Out: in the order of `before`; `name` is the column; a missing value is NA; of a narrative that
    only one table has, `name` is NA and the side that has it says so.
    """
    first, second = (table.set_index(KEY).astype("string") for table in (before, after))
    changes = [(file, *key, None, PRESENT, None) for key in first.index.difference(second.index, sort=False)]
    changes += [(file, *key, None, None, PRESENT) for key in second.index.difference(first.index, sort=False)]
    both = first.index.intersection(second.index, sort=False)
    for column in first.columns.intersection(second.columns, sort=False):
        old, new = first.loc[both, column], second.loc[both, column]
        differs = ~(old.eq(new).fillna(False) | (old.isna() & new.isna())).to_numpy(bool)
        changes += [
            (file, *key, column, *pair) for key, *pair in zip(both[differs], old[differs], new[differs], strict=True)
        ]
    return pd.DataFrame(changes, columns=COLUMNS, dtype="string")


def figure_changes(before: Any, after: Any, file: str) -> pd.DataFrame:
    """One row for each figure that differs, with the columns of COLUMNS, all texts.

    In: the contents of two JSON files. Out: in their order; `name` is the way to the figure, such as
    `overall.recall.value`; a figure that is not there is NA, one that is null is `null`.
    """
    first, second = dict(_figures(before)), dict(_figures(after))
    changes = [
        (file, None, None, name, *(_text(figures, name) for figures in (first, second)))
        for name in dict.fromkeys([*first, *second])
        if name not in first or name not in second or first[name] != second[name]
    ]
    return pd.DataFrame(changes, columns=COLUMNS, dtype="string")


def _figures(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        parts = value.items() if isinstance(value, dict) else enumerate(value, start=1)
        for key, part in parts:
            yield from _figures(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _text(figures: dict[str, Any], name: str) -> str | None:
    return json.dumps(figures[name], ensure_ascii=False) if name in figures else None
