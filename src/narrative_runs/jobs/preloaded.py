"""Hands a job over to the process on this host with the imports that jobs need: see `narrative_runs.jobs.__main__`."""

import json
import os
import socket

from narrative_runs.job_environment import JOBS_VARIABLE
from narrative_runs.signals import leave_to_the_main_process

NAMES = ("source", "classify", "retry_errors", "record", "restore_record", "report")


def hand_over(words: list[str]) -> int | None:
    """Let the process that the environment names do a job; returns its exit code, or None where there is no such
    process.

    words: those of the command line, such as `classify 03-of-16`.
    """
    if not words or words[0] not in NAMES:
        return None
    leave_to_the_main_process()
    connection = begin(words)
    return None if connection is None else exit_code_of(connection)


def begin(words: list[str]) -> socket.socket | None:
    """Start a job there, without waiting for it; returns the connection to it, or None where there is no such process.

    words: those of the command line; while the connection is open the job runs.
    """
    path = os.environ.get(JOBS_VARIABLE)
    if not path:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
        connection.sendall(json.dumps(words).encode() + b"\n")
    except OSError:
        connection.close()
        return None
    return connection


def exit_code_of(connection: socket.socket) -> int:
    """Wait until a started job has ended; returns its exit code."""
    with connection:
        try:
            answer = connection.makefile().readline()
        except OSError:
            answer = ""
    # A fork that was killed answers nothing.
    return int(answer) if answer else 1
