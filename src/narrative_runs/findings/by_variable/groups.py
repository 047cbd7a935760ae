"""The findings of each variable in each group of the narratives: see `narrative_runs.source.groups`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.findings.by_group import group_of_incidents, trouble
from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.levels import Levels
from narrative_runs.findings.by_variable.units import Status
from narrative_runs.findings.few_labels import has_few_labels
from narrative_runs.findings.significance import holm
from narrative_runs.source.groups import BLANK

Groups = dict[str, dict[str, Any]]


def by_group(levels: Mapping[str, Levels], row_num: pd.Series, grouped: pd.DataFrame) -> dict[str, dict[str, Groups]]:
    """By variable, column and group, the groups in the order of their names.

    In: the levels of the variables; the `row_num` of each narrative of theirs; what `read_groups` gives, by `row_num`.
    Out: for each group `n_total`, its narratives; `narrative`, and `incident` for the incidents whose narratives are
    all in the group, with the measures of the type that count; `is_small` (what `has_few_labels` says of narratives,
    or of incidents where these alone have labels); and under `errors` what `trouble` gives, with `p_holm`, adjusted for
    all variables, columns and groups. Texts and quotes have what they have.
    """
    incident = pd.Series(next(iter(levels.values())).narratives.incident)
    masks: dict[str, dict[str, tuple[Mask, Mask]]] = {}
    for column in grouped.columns:
        group = grouped[column].reindex(row_num).fillna(BLANK).reset_index(drop=True)
        common = group_of_incidents(incident, group).sort_index()
        masks[column] = {
            str(name): ((group == name).to_numpy(bool), (common == name).fillna(False).to_numpy(bool))
            for name in sorted(group.unique())
        }
    measured = {
        name: {
            column: {group: _of_group(each, incident, *where) for group, where in groups.items()}
            for column, groups in masks.items()
        }
        for name, each in levels.items()
    }
    tests = [
        group["errors"] for columns in measured.values() for groups in columns.values() for group in groups.values()
    ]
    for test, adjusted in zip(tests, holm([test["p_value"] for test in tests]), strict=True):
        test["p_holm"] = adjusted
    return measured


def _of_group(levels: Levels, incident: pd.Series, is_inside: Mask, is_inside_incident: Mask) -> dict[str, Any]:
    narrative = levels.of_narratives(is_inside, is_brief=True)
    is_error = np.asarray(levels.narratives.status == Status.FAILED)
    incidents = levels.of_incidents(is_inside_incident, is_brief=True)
    is_labelled_by_incident = incidents is not None and not levels.narratives.label.is_given.any()
    measured = incidents if is_labelled_by_incident else narrative
    return {
        "n_total": int(is_inside.sum()),
        "is_small": measured is not None and has_few_labels(measured),
        "narrative": narrative,
        "incident": incidents,
        "errors": trouble(is_error, is_inside, incident, levels.seed),
    }
