"""`narrative-runs trace --outcome`: all narratives of an outcome, read one after another."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from narrative_runs import one_result
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import result_rows

# Of a result, by its `result_id`, the variable that alone is shown, if not all are.
Alone = Callable[[int], one_result.OneVariable | None]


def walk(outcome: str, which: str) -> None:
    """Show the narratives of an outcome in row order: on a terminal one at a time, else all after each other.

    The record alone is read, unless the workbook labels incidents alone: then the narratives are those of the incidents
    with this outcome. Ctrl-C and Ctrl-D end it without a word. outcome: a value of `OUTCOMES`; which: slug or id of the
    experiment; empty for the one that was started last.

    Raises:
        ExperimentError: there is no such experiment, or its folder is not whole.
        RecordError: the record cannot be read.
        BrokenPipeError: whoever reads the output has seen enough.
    """
    try:
        experiment = chosen(which).row
        name = experiment["slug"] or experiment["experiment_name"]
        # The texts of all together may not fit into memory: each is read when it is shown.
        ids = result_rows.ids_with_outcome(experiment["experiment_id"], outcome)
        if ids:
            _say(f"{len(ids)} {outcome}{'' if len(ids) == 1 else 's'} in {name}.")
            _show_each(ids)
        elif (ids_by_incident := _ids_by_incident(experiment, outcome)) is not None:
            _show_incidents(name, outcome, ids_by_incident)
        else:
            _say(f"{name} has no {outcome}s.")
    except KeyboardInterrupt:
        return


def walk_variable(variable: str, outcome: str, which: str) -> None:
    """The same for an outcome of one variable of the codebook, of which alone the answer is shown.

    outcome: as it is typed, a key of `outcomes_to_choose`. The record and what was read of the workbook are read.

    Raises:
        ExperimentError, RecordError, BrokenPipeError: as `walk`; or the experiment's folder is not whole.
        FindingsError: there is no such variable, or it has no such outcome.
    """
    # Imported here: what knows no variable needs no tables.
    from narrative_runs import variable_outcomes

    try:
        experiment = chosen(which).row
        name = experiment["slug"] or experiment["experiment_name"]
        alone: Alone = _nothing_alone
        codebook = variable_outcomes.codebook_of(experiment)
        word = variable_outcomes.outcome_typed(variable, variable_outcomes.variable_in(codebook, variable), outcome)
        if codebook.fits_the_record:
            ids = result_rows.ids_with_outcome(experiment["experiment_id"], word)
            if not ids and (ids_by_incident := _ids_by_incident(experiment, word)) is not None:
                _show_incidents(name, word, ids_by_incident)
                return
        else:
            recorded = variable_outcomes.recorded_outcomes(experiment, codebook, variable)
            ids, alone = recorded.ids_with(word), recorded.of
        count = f"{len(ids) or 'no'} narrative{'' if len(ids) == 1 else 's'}"
        _say(f"{name} has {count} with this outcome of {variable}: {word}.")
        _show_each(ids, alone)
    except KeyboardInterrupt:
        return


def _nothing_alone(_: int) -> None:
    return None


def _ids_by_incident(experiment: Mapping[str, Any], outcome: str) -> dict[str, list[int]] | None:
    """The narratives of the incidents with this outcome, in row order; None unless the labels are those of incidents
    alone, and the experiment's folder is here."""
    is_here = bool(experiment["slug"]) and ExperimentFolder(experiment["slug"]).incidents.exists()
    if not is_here or not result_rows.has_labels_of_incidents_alone(experiment["experiment_id"]):
        return None
    # Imported here: what knows no incidents needs no tables.
    from narrative_runs import variable_outcomes

    codebook = variable_outcomes.codebook_of(experiment)
    if outcome not in variable_outcomes.CELLS.values() or codebook.first_binary is None:
        return None
    if codebook.fits_the_record:
        outcomes = variable_outcomes.recorded_incident_outcomes(experiment)
        ids = {int(result_id) for result_id in outcomes.index[outcomes == outcome]}
    else:
        recorded = variable_outcomes.recorded_outcomes(experiment, codebook, codebook.first_binary)
        ids = set(recorded.ids_with(outcome))
    by_incident: dict[str, list[int]] = {}
    for row in result_rows.of_experiment(experiment["experiment_id"], ["result_id", "incident_id"]):
        if row["result_id"] in ids:
            by_incident.setdefault(row["incident_id"], []).append(row["result_id"])
    return by_incident


def _show_incidents(name: str, outcome: str, ids_by_incident: Mapping[str, Sequence[int]]) -> None:
    ids = [result_id for ids in ids_by_incident.values() for result_id in ids]
    n = len(ids_by_incident)
    narratives = f": {len(ids)} narrative{'' if len(ids) == 1 else 's'}" if ids else ""
    _say(
        f"{n or 'No'} incident{'' if n == 1 else 's'} in {name} with this outcome, {outcome}{narratives}. "
        "The workbook labels incidents, and no narrative."
    )
    _show_each(ids, of_incident=outcome)


def _show_each(ids: Sequence[int], alone: Alone = _nothing_alone, of_incident: str = "") -> None:
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    for number, result_id in enumerate(ids, 1):
        position = f"{number} of {len(ids)}"
        row = result_rows.with_id(result_id)
        # An experiment may be removed while it is read.
        if row is not None:
            if of_incident:
                row |= {"has_label_of_incident": True, "outcome": f"{of_incident} (of the incident)"}
            _say("", *one_result.as_lines(row, one_result.terminal_width(), position, alone(result_id)))
        if asks and number < len(ids) and not _goes_on(position):
            return


def _goes_on(position: str) -> bool:
    try:
        return input(f"\n{position}. Enter for the next, q to stop ").strip().lower() != "q"
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _say(*lines: str) -> None:
    # At once: a pipe that was closed is told here, and not when the program ends.
    print("\n".join(lines), flush=True)
