"""A finished experiment whose incidents are dealt to coders: some are errors, some were not asked about."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from narrative_runs import __main__ as command_line
from narrative_runs.jobs.record import merge
from narrative_runs.jobs.source import read_source
from narrative_runs.run_context import RunContext
from narrative_runs.source.shards import iterate_all
from tests import small_experiment
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, Listener, entry_of, error_of, keep, params_of, write_workbook

N_ERRORS = 4


def write_experiment(incidents: int = 40, asked: int | None = None) -> RunContext:
    """Write it into the working folder, with two narratives an incident; asked: how many of these the model was asked
    about, all when left out."""
    run: dict[str, Any] = {} if asked is None else {"max_narratives": asked}
    params = params_of(shards=1, **run)
    context = context_of(params, source_md5=write_workbook(incidents))
    read_source(context, Listener(context))
    narratives = list(iterate_all(FOLDER, 1, asked))
    failed = {each.row_num for each in narratives[1 : 1 + 3 * N_ERRORS : 3]}
    entries = [error_of(each, params) if each.row_num in failed else entry_of(each, params) for each in narratives]
    keep(context, "1-of-1", entries)
    small_experiment.write_shards_of_results(context)
    merge(context)
    return context


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run `narrative-runs` with these words."""
    monkeypatch.setattr(sys, "argv", ["narrative-runs", *words])
    command_line.main()


def fill(path: Path, judge: Callable[[pd.Series], Any], output: Path | None = None, rows: slice = slice(None)) -> Path:
    """Fill in a sheet as Excel would save it; judge: gives the verdict on a row; rows: those that are kept of it."""
    target = output or path
    is_csv = path.suffix == ".csv"
    sheet = pd.read_csv(path, dtype=object) if is_csv else pd.read_excel(path, dtype=object, engine="openpyxl")
    sheet = sheet.iloc[rows].copy()
    sheet["reviewer_verdict"] = [judge(row) for _, row in sheet.iterrows()]
    if target.suffix == ".csv":
        sheet.to_csv(target, index=False)
    else:
        sheet.to_excel(target, index=False, sheet_name="review", engine="openpyxl")
    return target
