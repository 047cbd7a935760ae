"""Steering experiments from another terminal."""

import socket

from narrative_runs.errors import ExperimentError
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.record import state
from narrative_runs.session import lock
from narrative_runs.session.gate_server import CANCELLED


def cancel(which: str) -> str:
    """Cancel an experiment, whether it runs or not; returns what was done, in words.

    which: its slug or its id; empty for the one that runs, else for the one that was started last.

    Raises:
        ExperimentError: there is no such experiment, or it is completed.
    """
    known = chosen(which)
    row, folder = known.row, known.folder.path
    if lock.is_running(folder):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(lock.session_of(folder))
                connection.sendall(b"cancel\n")
                connection.recv(100)
        except OSError:
            raise ExperimentError(f"{row['slug']} is just starting or ending. Try again.") from None
        return f"{row['slug']}: cancelled. Requests in flight may end, for up to 30 s."
    if row["status"] == "completed":
        raise ExperimentError(f"{row['slug']} is completed; there is nothing to cancel.")
    state.stop(row["experiment_id"], "cancelled", CANCELLED)
    return f"{row['slug']}: cancelled. It was not running."
