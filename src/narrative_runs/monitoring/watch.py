"""`narrative-runs watch`: a run as its own terminal shows it, until it ends."""

import sys
import time

from narrative_runs.monitoring.experiments import COMPLETED, RUNNING, chosen
from narrative_runs.monitoring.status import status_of
from narrative_runs.observation.progress import Interval, line
from narrative_runs.observation.terminal import Terminal

EVERY_S = 1.0


def watch(which: str) -> bool:
    """Show an experiment until its run ends or Ctrl-C is pressed; returns whether it is completed, or may still become
    so.

    which: its slug or its id; empty for the one that runs.

    Raises:
        ExperimentError: there is no such experiment.
        RecordError: the record cannot be read.
    """
    status = status_of(chosen(which))
    experiment_id = status.known.row["experiment_id"]
    terminal, interval = Terminal(sys.stdout), Interval(-Interval.SECONDS)
    try:
        while status.known.state == RUNNING:
            terminal.show(status.status)
            is_due = interval.is_due(time.monotonic(), status.status.n_narratives_processed)
            if is_due and not terminal.is_terminal:
                terminal.say(line(status.status))
            time.sleep(EVERY_S)
            status = status_of(chosen(experiment_id))
    except KeyboardInterrupt:
        return True
    finally:
        terminal.close()
    for text in status.lines():
        print(text)
    return status.known.state == COMPLETED
