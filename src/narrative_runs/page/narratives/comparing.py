"""Outcomes of a variable, narrative by narrative and incident by incident, for the search index.

They are computed when somebody first asks for them. The tables of a large experiment take more memory than the page
should use: a separate process computes those.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, NarrativeRunsError
from narrative_runs.permissions import as_results_are
from narrative_runs.record import experiment_rows, search_index
from narrative_runs.record.search_index import Kind, SearchIndex

Compared = tuple[int, Kind, str]
# Up to so many narratives are compared in this process.
_MOST_HERE = 20_000
_ONE_AT_A_TIME = threading.Lock()


def bring_compared(index: SearchIndex, row: dict[str, Any], variable: str) -> None:
    """Bring the outcomes of a variable into the index, as the record has them now.

    row: the experiment's row in the record; variable: of its codebook; empty for what is compared of incidents by the
    record's own columns.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        RecordError: the record cannot be read, or the index cannot be written.
    """
    with _ONE_AT_A_TIME:
        state = search_index.state_of(row["experiment_id"])
        if search_index.has_compared(index, row["experiment_id"], variable, state):
            return
        if index.is_in_memory or (row["n_narratives_processed"] or 0) <= _MOST_HERE:
            _compare(index, row, variable, state)
            return
        command = [sys.executable, "-m", __name__, row["experiment_id"], variable, state]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise ExperimentError(done.stderr.strip() or "What is compared with labels could not be computed.")


def _compare(index: SearchIndex, row: dict[str, Any], variable: str, state: str) -> None:
    # Imported here: it needs tables, which the page's own process does without.
    from narrative_runs import variable_outcomes

    compared = _of_variable(row, variable_outcomes.codebook_of(row), variable) if variable else _of_incidents(row)
    search_index.put_compared(index, row["experiment_id"], variable, compared, state)


def _of_variable(row: dict[str, Any], codebook: Codebook, variable: str) -> Iterator[Compared]:
    from narrative_runs import variable_outcomes

    recorded = variable_outcomes.recorded_outcomes(row, codebook, variable)
    for result_id, outcome, is_not_in_text in zip(
        recorded.table.index, recorded.table["outcome"], recorded.table["is_not_in_text"], strict=True
    ):
        yield int(result_id), Kind.COMPARED_OUTCOME, outcome
        if is_not_in_text:
            yield int(result_id), Kind.COMPARED_OUTCOME, variable_outcomes.NOT_IN_TEXT
    of_narratives, of_incidents = variable_outcomes.recorded_units(row, codebook, variable)
    for table, column, kind in (
        (of_narratives, "label", Kind.LABEL),
        (of_incidents, "outcome", Kind.INCIDENT_OUTCOME),
        (of_incidents, "value", Kind.INCIDENT_VALUE),
        (of_incidents, "label", Kind.INCIDENT_LABEL),
    ):
        if column in table:
            given = table[column].dropna()
            yield from ((result_id, kind, value) for result_id, value in zip(given.index.tolist(), given, strict=True))


def _of_incidents(row: dict[str, Any]) -> Iterator[Compared]:
    """The outcome of each narrative's incident, by the record's own columns."""
    from narrative_runs.variable_outcomes import recorded_incident_outcomes

    outcomes = recorded_incident_outcomes(row)
    ids = outcomes.index.tolist()
    return ((result_id, Kind.INCIDENT_OUTCOME, outcome) for result_id, outcome in zip(ids, outcomes, strict=True))


if __name__ == "__main__":
    as_results_are()
    try:
        (its_row,) = experiment_rows.with_slug_or_id(sys.argv[1])[:1]
        _compare(SearchIndex(), its_row, *sys.argv[2:4])
    except NarrativeRunsError as problem:
        sys.exit(str(problem))
