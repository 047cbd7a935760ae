"""A model server for tests of how servers are started: `python -m tests.started_server.small_server PORT OPTIONS`.

OPTIONS is a JSON object. says: lines that it prints first; after: a file that has to be there before it listens;
loaded: a file that has to be there before /health is well; ends: the code with which it ends instead of listening;
status: what it answers to all; children: whether it starts processes: one that it waits for, and one that lost its
parent, both in sessions of their own; ignores: whether SIGTERM does nothing. It prints what it is asked.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OPTIONS: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}


class Handler(BaseHTTPRequestHandler):
    """Answers as the options say."""

    def do_GET(self) -> None:
        loads = "loaded" in OPTIONS and not Path(OPTIONS["loaded"]).exists()
        self._answer(503 if self.path == "/health" and loads else OPTIONS.get("status", 200))

    def do_POST(self) -> None:
        print(f"asked: {self.rfile.read(int(self.headers['Content-Length']))!r}", flush=True)
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    for line in OPTIONS.get("says", []):
        print(line.format(**os.environ), flush=True)
    if OPTIONS.get("ignores"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if OPTIONS.get("children"):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        # The shell ends at once.
        subprocess.run(["sh", "-c", "sleep 600 &"], start_new_session=True)
    if "ends" in OPTIONS:
        sys.exit(OPTIONS["ends"])
    while "after" in OPTIONS and not Path(OPTIONS["after"]).exists():
        time.sleep(0.02)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
