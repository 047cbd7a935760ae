"""What this release would change in a completed experiment: checked once and listed, without changing anything."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.derivation.aside import derived_aside, differing
from narrative_runs.derivation.changes import KEY, figure_changes, row_changes
from narrative_runs.derivation.difference import Difference
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.seal import seal, seal_of
from narrative_runs.findings.tables import write_csv
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder

_SHOWN = 3
_SHOWN_CHARACTERS = 30


def check(state: ExperimentState, params: Params, folder: ExperimentFolder) -> Difference | None:
    """Derive the findings aside, and write changes.csv where they differ; see `difference_of`."""
    with derived_aside(state, params, folder) as aside:
        files = differing(folder, aside)
        difference = _difference(folder, aside, files) if files else None
    if difference is None:
        folder.changes.unlink(missing_ok=True)
        if seal_of(folder) is None:
            # The first release kept no checksums; that its findings follow proves that nobody has altered them.
            seal(folder, state.release, code="")
    return difference


def _difference(folder: ExperimentFolder, aside: ExperimentFolder, files: list[str]) -> Difference:
    after = _results(aside)
    before = _results(folder) if folder.result_table.exists() else after
    rows = row_changes(before, after, folder.result_table.name)
    figures = pd.concat(
        [
            figure_changes(_figures(folder.metrics), _figures(aside.metrics), folder.metrics.name),
            figure_changes(_figures(folder.data_quality), _figures(aside.data_quality), folder.data_quality.name),
        ]
    )
    with written_whole(folder.changes) as draft:
        write_csv(pa.Table.from_pandas(pd.concat([rows, figures]), preserve_index=False), draft)
    shown = figures.iloc[_telling(figures).argsort(kind="stable")].head(_SHOWN)
    return Difference(
        files,
        rows=len(rows.drop_duplicates(KEY)),
        n_rows=len(before),
        figures=len(figures),
        examples=[
            f"{name} {_short(old)} to {_short(new)}"
            for name, old, new in zip(shown["name"], shown["before"], shown["after"], strict=True)
        ],
    )


def _telling(figures: pd.DataFrame) -> pd.Series:
    """The order in which changes are shown: a figure's own value before the bounds of its interval, new figures
    last."""
    is_bound = figures["name"].str.endswith((".low", ".high")).fillna(False)
    return is_bound.astype(int) + 2 * figures["before"].isna().astype(int)


def _short(figure: Any) -> str:
    """A figure as a person reads it."""
    if pd.isna(figure):
        return "nothing"
    try:
        return f"{float(figure):.3g}"
    except ValueError:
        return str(figure) if len(str(figure)) <= _SHOWN_CHARACTERS else f"{str(figure)[:_SHOWN_CHARACTERS]}..."


def _figures(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _results(folder: ExperimentFolder) -> pd.DataFrame:
    table: pd.DataFrame = pq.read_table(folder.result_table).to_pandas()
    return table
