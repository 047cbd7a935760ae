"""`narrative-runs trace --outcome`: all narratives of an outcome, read one after another."""

import sys

from narrative_runs import one_result
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.record import result_rows


def walk(outcome: str, which: str) -> None:
    """Show the narratives of an outcome in row order: on a terminal one at a time, else all after each other.

    The record alone is read. Ctrl-C and Ctrl-D end it without a word. outcome: a value of `OUTCOMES`; which: slug or
    id of the experiment; empty for the one that was started last.

    Raises:
        ExperimentError: there is no such experiment.
        RecordError: the record cannot be read.
        BrokenPipeError: whoever reads the output has seen enough.
    """
    try:
        _walk(outcome, which)
    except KeyboardInterrupt:
        return


def _walk(outcome: str, which: str) -> None:
    experiment = chosen(which).row
    name = experiment["slug"] or experiment["experiment_name"]
    # The texts of all together may not fit into memory: each is read when it is shown.
    ids = result_rows.ids_with_outcome(experiment["experiment_id"], outcome)
    if not ids:
        _say(f"{name} has no {outcome}s.")
        return
    _say(f"{len(ids)} {outcome}{'' if len(ids) == 1 else 's'} in {name}.")
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    for number, result_id in enumerate(ids, 1):
        place = f"{number} of {len(ids)}"
        row = result_rows.with_id(result_id)
        # An experiment may be removed while it is read.
        if row is not None:
            _say("", *one_result.as_lines(row, one_result.terminal_width(), place))
        if asks and number < len(ids) and not _goes_on(place):
            return


def _goes_on(place: str) -> bool:
    try:
        return input(f"\n{place}. Enter: next, q: stop ").strip().lower() != "q"
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _say(*lines: str) -> None:
    # At once: a pipe that was closed is told here, and not when the program ends.
    print("\n".join(lines), flush=True)
