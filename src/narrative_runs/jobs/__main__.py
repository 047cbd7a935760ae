"""Jobs without the price of their imports: one process imports what all jobs need, and forks one for each.

A run of 16 shards starts 20 jobs, and each of them would import for half a second to a second and a half. The process
that Snakemake starts for a job hands its work over and waits; when it is killed, it takes its fork with it. Where this
process is not available, as on another host, a job does its own imports.

`python -m narrative_runs.jobs DESCRIPTOR PID`: started by the coordinator, which has this PID, and gone with it; it
listens at this socket, so that a job which comes before it is ready waits for it.
"""

import importlib
import json
import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer
from typing import Any

from narrative_runs.signals import leave_to_the_main_process

# What the jobs import, in the order in which they come; libraries apart, as a job waits while one is imported.
MODULES = (
    "narrative_runs.commands.jobs",
    "narrative_runs.commands.people",
    "narrative_runs.coordination.client",
    "narrative_runs.jobs.source",
    "narrative_runs.jobs.classify",
    "narrative_runs.jobs.retry_errors",
    "pandas",
    "scipy.stats",
    "sklearn.metrics",
    "openpyxl",
    "narrative_runs.jobs.record",
    "matplotlib.font_manager",
    "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "pyarrow.dataset",
    "narrative_runs.jobs.report",
)
_OTHER_MODULES = {"restore_record": "record", "prints": "report"}
LOOK_EVERY_S = 0.05


class Server(ForkingMixIn, UnixStreamServer):
    """Imports what jobs need, a module at a time while nobody waits, and forks for each job that comes."""

    max_children = 200

    def __init__(self, listening: socket.socket, parent: int) -> None:
        """listening: the socket, where jobs may wait already; parent: who started this process, and may be gone."""
        super().__init__(listening.getsockname(), Job, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self._parent = parent
        self._modules = list(MODULES)
        self.words: list[str] = []

    def service_actions(self) -> None:
        """Called repeatedly while this process serves."""
        super().service_actions()
        if os.getppid() != self._parent:
            # Its forks end by themselves, and who waits for one that was not begun is told by the closed socket.
            os._exit(0)
        if self._modules:
            importlib.import_module(self._modules.pop(0))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Fork for a job, once what it needs is imported: else it would be imported in the fork, and here again."""
        with request.makefile() as sent:
            line = sent.readline()
        if not line:
            # Who connected was killed before it said which job.
            self.shutdown_request(request)
            return
        self.words = json.loads(line)
        name = _OTHER_MODULES.get(self.words[0], self.words[0])
        importlib.import_module(f"narrative_runs.jobs.{name}")
        super().process_request(request, client_address)


class Job(StreamRequestHandler):
    """One job, in a fork of its own."""

    server: Server

    def handle(self) -> None:
        """Do the job, send its exit code, and end."""
        # Else who waits for a job that was not begun would wait for this one too, once the process is gone.
        self.server.socket.close()
        threading.Thread(target=self._end_with_who_asked, daemon=True).start()
        code = 1
        try:
            code = _done(self.server.words)
            self.wfile.write(f"{code}\n".encode())
        finally:
            # Whatever the terminal that is gone, or who asked, made of the last words.
            os._exit(code)

    def _end_with_who_asked(self) -> None:
        self.rfile.read(1)
        # Nothing is half done by this: files appear whole, and the record's transactions roll back.
        os._exit(1)


def _done(words: list[str]) -> int:
    """Do a job as the command line would; returns its exit code."""
    from narrative_runs.__main__ import run

    try:
        run(words)
        return 0
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        with suppress(OSError):
            print(ended.code or "", file=sys.stderr, flush=True)
        return int(ended.code is not None)
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
        return 1


def main() -> None:
    """Serve, until the coordinator is gone."""
    leave_to_the_main_process()
    descriptor, parent = map(int, sys.argv[1:])
    with Server(socket.socket(fileno=descriptor), parent) as server:
        server.serve_forever(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
