import pandas as pd

from narrative_runs.derivation.changes import COLUMNS, PRESENT, figure_changes, row_changes


def table(**columns: list[object]) -> pd.DataFrame:
    """Results of the CME narratives of incidents 1, 2, ..."""
    count = len(next(iter(columns.values())))
    keys = {"incident_id": [str(number + 1) for number in range(count)], "narrative_type": ["cme"] * count}
    return pd.DataFrame({**keys, **columns})


def test_each_cell_that_differs_is_a_row() -> None:
    """Of two tables each cell that differs is told, with its narrative, its column and both values."""
    before = table(detected=[True, False, None], confidence=[0.5, None, None])
    after = table(detected=[True, True, None], confidence=[0.5, None, 0.85])
    changes = row_changes(before, after, "results.parquet")
    assert list(changes.columns) == COLUMNS
    told = changes.astype(object).where(changes.notna(), None).values.tolist()
    assert told == [
        ["results.parquet", "2", "cme", "detected", "False", "True"],
        ["results.parquet", "3", "cme", "confidence", None, "0.85"],
    ]


def test_narratives_of_one_table_alone_are_told() -> None:
    """A narrative that only one table has is told once, on its side; columns of one table alone are not compared."""
    changes = row_changes(table(detected=[True, True]), table(detected=[True], other=[1]), "f")
    assert changes[["incident_id", "before"]].values.tolist() == [["2", PRESENT]]
    assert changes[["name", "after"]].isna().all(axis=None)
    assert row_changes(table(a=[1]), table(a=[1, 2]), "f")["after"].tolist() == [PRESENT]


def test_figures_are_told_by_their_way() -> None:
    """Figures that differ, are new or are gone are told by the way to them; a null differs from one that is missing."""
    before = {"overall": {"tp": 1, "recall": {"value": 0.5}}, "bins": [1, 2], "gone": None}
    after = {"overall": {"tp": 1, "recall": {"value": 0.25}}, "bins": [1, 3], "new": None}
    changes = figure_changes(before, after, "metrics.json")
    told = changes.astype(object).where(changes.notna(), None)[["name", "before", "after"]].values.tolist()
    assert told == [
        ["overall.recall.value", "0.5", "0.25"],
        ["bins.2", "2", "3"],
        ["gone", "null", None],
        ["new", None, "null"],
    ]
