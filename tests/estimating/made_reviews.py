"""Reviews of a variable, made from values incident by incident, with two narratives each."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from narrative_runs.codebook.variables import Binary, Variable
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.population import Population
from narrative_runs.reviews.reviewed import Reviewed

ERROR, UNASKED = "error", "unasked"


class Made:
    """An experiment of which `rows` says for each incident: its stratum, the model's value, people's value, whether
    people read it, and its label; both of its narratives have the same."""

    def __init__(
        self,
        rows: Sequence[tuple[str, Any, Any, bool, Any]],
        variable: Variable | None = None,
        n_open: int = 0,
        n_older: int = 0,
    ) -> None:
        self.variable = variable or Binary()
        ids = [f"{number:05}" for number in range(len(rows))]
        columns = ["stratum", "predicted", "truth", "is_reviewed", "label"]
        table = pd.DataFrame(rows, pd.Index(ids, name="incident_id"), columns, dtype=object)
        # A label stands in where nobody read.
        known = table["is_reviewed"].astype(bool)
        table["truth"] = table["truth"].where(known, table["label"])
        for column in ("predicted", "truth", "label"):
            table[column] = table[column].astype(object).where(table[column].notna(), None)
        table["is_reviewed"] = known
        narratives = table.loc[table.index.repeat(2)].reset_index()
        narratives.index = pd.RangeIndex(1, len(narratives) + 1, name="row_num")
        is_asked = (narratives["stratum"] != UNASKED).to_numpy()
        results = pd.DataFrame({"row_num": narratives.index[is_asked]})
        experiment = SimpleNamespace(results=results)
        population = Population(table[["stratum", "predicted", "label"]], narratives[["incident_id", "label"]])
        self.read = cast(ToReview, SimpleNamespace(experiment=experiment, name="detected", population=population))
        still_open = {(each, "cme"): {"ana": "yes", "ben": "no"} for each in ids[:n_open]}
        self.reviewed = Reviewed(
            self.variable, table.drop(columns="label"), narratives.drop(columns="label"), still_open, n_older
        )

    @property
    def population(self) -> Population:
        """All incidents, with their labels."""
        return self.read.population


def counts(**of_stratum: tuple[int, int, int]) -> list[tuple[str, Any, Any, bool, Any]]:
    """Incidents of a binary variable by stratum (its name with `_` for a blank): of each how many there are, how many
    of them people read, and how many of these they call positive."""
    rows: list[tuple[str, Any, Any, bool, Any]] = []
    for name, (size, n_read, n_positive) in of_stratum.items():
        stratum = name.replace("_", " ")
        is_yes = stratum in ("true positive", "false positive", "unlabelled: yes")
        predicted = None if stratum in (ERROR, UNASKED) else is_yes
        rows += [(stratum, predicted, number < n_positive, number < n_read, None) for number in range(size)]
    return rows
