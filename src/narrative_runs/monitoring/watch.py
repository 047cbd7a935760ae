"""`narrative-runs watch`: a run as its own terminal shows it, until it ends."""

import sys
import time

from narrative_runs.monitoring.experiments import COMPLETED, RUNNING, chosen
from narrative_runs.monitoring.status import status_of
from narrative_runs.session.progress import Beat, line
from narrative_runs.session.screen import Screen

EVERY_S = 1.0


def watch(which: str) -> bool:
    """Show an experiment until its run ends or Ctrl-C is pressed; returns whether it is completed, or may still be.

    which: its slug or its id; empty for the one that runs.

    Raises:
        ExperimentError: there is no such experiment.
        RecordError: the record cannot be read.
    """
    status = status_of(chosen(which))
    experiment_id = status.known.row["experiment_id"]
    screen, beat = Screen(sys.stdout), Beat(-Beat.SECONDS)
    try:
        while status.known.state == RUNNING:
            screen.show(status.standing)
            is_due = beat.is_due(time.monotonic(), status.standing.n_narratives_processed)
            if is_due and not screen.is_terminal:
                screen.say(line(status.standing))
            time.sleep(EVERY_S)
            status = status_of(chosen(experiment_id))
    except KeyboardInterrupt:
        return True
    finally:
        screen.close()
    for text in status.lines():
        print(text)
    return status.known.state == COMPLETED
