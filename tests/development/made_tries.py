"""Configurations with answers about one development sample, made from tables at random."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.codebook.result_columns import columns_beside
from narrative_runs.codebook.variables import Codebook
from narrative_runs.development.configuration import Answered, Configuration, Sample
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.params import check
from narrative_runs.results import RESULT_COLUMNS, Result
from narrative_runs.source.shards import Narrative
from tests.coded_tables import CODEBOOK, Labels, case


def configuration(name: str, codebook: Codebook | None = CODEBOOK, **run: Any) -> Configuration:
    """A configuration of this name; without a codebook one of the usual question. run: values of this section."""
    tree: dict[str, Any] = {
        "experiment": {"name": name},
        "model": {"name": f"model of {name}", "api_url": "http://localhost:1/v1"},
        "prompt": {"system_prompt": f"Decide, says {name}.", "user_template": "Narrative: <<TEXT>> <<CODEBOOK>>"},
        "data": {"file": "data/cases.xlsx"},
        "run": {"seed": 1, **run},
    }
    if codebook is None:
        tree["prompt"]["user_template"] = "Narrative: <<TEXT>>"
    else:
        tree["codebook"] = codebook.model_dump(mode="json")
    return Configuration(name, Path(f"{name}.yaml"), check(tree, f"{name}.yaml"))


def results_of(table: pd.DataFrame, codebook: Codebook | None = CODEBOOK) -> list[Result]:
    """The rows of a table as results."""
    beside = [column.name for column in columns_beside(codebook)] if codebook is not None else []
    names = [*RESULT_COLUMNS, *beside]
    whole = table.reindex(columns=names).astype(object)
    rows = whole.where(whole.notna(), None).to_dict("records")
    return [
        Result(**{name: row[name] for name in RESULT_COLUMNS}, coded={name: row[name] for name in beside})
        for row in rows
    ]


def narratives_of(table: pd.DataFrame) -> list[Narrative]:
    """The narratives of a table."""
    return [
        Narrative(
            each.row_num,
            each.incident_id,
            each.narrative_type,
            each.narrative_text,
            each.manual_flag_ind,
            each.manual_flag,
            each.source_row,
        )
        for each in results_of(table, None)
    ]


def sample_of(table: pd.DataFrame, n_in_workbook: int = 1_000, weights: Sequence[float] | None = None) -> Sample:
    """A sample of these narratives, drawn by the label of the first variable."""
    stratum = ["" if pd.isna(label) else str(label) for label in table["manual_flag_ind"]]
    return Sample(narratives_of(table), stratum, weights or [1.0] * len(table), n_in_workbook)


def tries(
    n_incidents: int, seeds: Sequence[int], codebook: Codebook | None = CODEBOOK
) -> tuple[Sample, list[Answered], list[pd.DataFrame], Labels]:
    """Answers of several configurations about the same narratives, with labels that all of them have; the narratives
    stand in another order than that of the workbook. Also the tables, in the order of the sample."""
    first, labels = case(n_incidents, seeds[0])
    random = np.random.default_rng(seeds[0])
    order = random.permutation(len(first))
    tables = []
    for seed in seeds:
        table = first if seed == seeds[0] else _answered_anew(first, seed)
        tables.append(table.iloc[order].reset_index(drop=True))
    labels = {name: VariableLabels(_plain(each.narrative.iloc[order])) for name, each in labels.items()}
    given: Labels = {} if codebook is None else labels
    answered = [
        Answered(configuration(f"prompt_{number}", codebook), results_of(table, codebook), given)
        for number, table in enumerate(tables)
    ]
    return sample_of(tables[0]), answered, tables, labels


def _plain(labels: pd.Series) -> pd.Series:
    """Labels as they are read of a workbook, None where there is none."""
    plain = [bool(label) if isinstance(label, np.bool_) else label for label in labels.astype(object)]
    return pd.Series([None if label is pd.NA else label for label in plain], dtype=object)


def _answered_anew(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same narratives and labels with other answers, some of them as they were."""
    other, _ = case(table["incident_id"].nunique(), seed)
    random = np.random.default_rng(seed)
    asked = ["row_num", "incident_id", "narrative_type", "narrative_text", "manual_flag_ind", "manual_flag"]
    rows = random.integers(0, len(other), len(table))
    anew = other.iloc[rows].reset_index(drop=True)
    anew[asked] = table[asked]
    is_kept = random.random(len(table)) < 0.6
    return pd.concat([table[is_kept], anew[~is_kept]]).sort_index()
