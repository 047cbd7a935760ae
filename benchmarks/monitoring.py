"""What it costs to tell how a run goes: `python -m benchmarks.monitoring`.

2,000 narratives in a terminal, on a server that takes 0.2 s, 16 at once. The session's main thread serves the jobs;
all that is told (journals followed, record, logs, the block in the terminal) is done by its other threads. Their CPU
seconds, as the system counts them, are set against the wall time of the run.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from tests.project import Project, fake_server, wait_until
from tests.terminal import Window

from benchmarks import workbook

NARRATIVES, SLOTS, LATENCY_S = 2000, 16, 0.2
GOAL = 0.01
LOOK_EVERY_S = 0.1


def main() -> None:
    """Run it, and print the figures."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, fake_server(latency_s=LATENCY_S) as fake:
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(NARRATIVES))
        project.write_params(fake.url, run={"max_in_flight": SLOTS}, shards={"count": 16})
        wall_s, serving_s, telling_s = _measured(project)
        rows = project.query("SELECT count(*) FROM narrative_results WHERE NOT error_occurred")[0][0]
    share = telling_s / wall_s
    print(f"wall                                   {wall_s:.1f} s")
    print(f"CPU of the session, serving the jobs   {serving_s:.2f} s")
    print(f"CPU of the session, telling            {telling_s:.2f} s")
    print(f"telling to wall                        {share:.2%} (goal: under {GOAL:.0%})")
    print(f"rows at the end                        {rows:,}")
    sys.exit(share >= GOAL or rows != NARRATIVES)


def _measured(project: Project) -> tuple[float, float, float]:
    """Seconds of the run, and CPU seconds of the session's main thread and of its other threads."""
    terminal = Window(100)
    began = time.monotonic()
    main_process = subprocess.Popen(
        project.command("snakemake", "--cores", "4"),
        cwd=project.folder,
        env={**os.environ, "TERM": "xterm-256color"},
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
    )
    session: psutil.Process = wait_until(lambda: _session_of(main_process.pid))
    spent: dict[int, float] = {}
    while main_process.poll() is None:
        with suppress(psutil.Error):
            spent |= {thread.id: thread.user_time + thread.system_time for thread in session.threads()}
        time.sleep(LOOK_EVERY_S)
    wall_s = time.monotonic() - began
    terminal.close()
    serving_s = spent.pop(session.pid)
    return wall_s, serving_s, sum(spent.values())


def _session_of(pid: int) -> psutil.Process | None:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return next((child for child in children if "narrative_runs.coordination" in child.cmdline()), None)
    except psutil.Error:
        return None


if __name__ == "__main__":
    main()
