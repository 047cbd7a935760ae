"""How soon a resumed run asks again: `python -m benchmarks.resume`.

35,000 narratives on a server that answers at once; the whole group is killed half-way, and the plain command is started
again. Printed are the seconds until its first request, and how many narratives were asked twice.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from tests.project import Fake, Project, fake_server, wait_until

from benchmarks import workbook

GOAL_S = 12.0
SLOTS = 32


def main() -> None:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    narratives = parser.parse_args().narratives
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, fake_server() as fake:
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(narratives))
        project.write_params(fake.url, run={"max_in_flight": SLOTS}, shards={"count": 16})
        before = _killed_after(narratives // 2, project, fake)
        began = time.monotonic()
        with project.started("snakemake", "--cores", "4") as resumed:
            wait_until(lambda: _requests(fake) > before, timeout=120, every=0.02)
            seconds = time.monotonic() - began
            resumed.communicate(timeout=600)
        twice = sum(times - 1 for times in fake.calls()["asked"].values())
        rows = project.query("SELECT count(*) FROM narrative_results WHERE NOT error_occurred")[0][0]
    print(f"asked before the kill                  {before:,} of {narratives:,}")
    print(f"start of the command to first request  {seconds:.1f} s (goal: under {GOAL_S:.0f} s)")
    print(f"asked twice (in flight at the kill)    {twice} (at most {SLOTS})")
    print(f"rows at the end                        {rows:,}")
    sys.exit(resumed.returncode or seconds > GOAL_S or twice > SLOTS or rows != narratives)


def _killed_after(answers: int, project: Project, fake: Fake) -> int:
    main_process = subprocess.Popen(
        project.command("snakemake", "--cores", "4"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: _requests(fake) >= answers, timeout=300)
    os.killpg(main_process.pid, signal.SIGKILL)
    main_process.wait()
    time.sleep(2)
    return _requests(fake)


def _requests(fake: Fake) -> int:
    return int(httpx.get(f"{fake.origin}/pace", trust_env=False).json()["requests"])


if __name__ == "__main__":
    main()
