"""Whether anything grows in a long run: `python -m benchmarks.hour`.

An hour at about 50 answers a second. Every minute the memory and the open files of the main process, the coordinator
and the process that forks the jobs are looked at, and what lies beside the record (a journal of SQLite that grows). The
peaks of the first ten minutes are compared with those of the last ten.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from tests.project import Project, fake_server

from benchmarks import workbook

A_SECOND, SLOTS = 50, 10
KINDS = {"narrative_runs.coordination": "coordinator", "narrative_runs.jobs": "jobs"}
# What is kept of a narrative without its text: its key, its fingerprint, its labels.
MEMORY_MAY_GROW_BY = 1.1


def main() -> None:
    """Run it, and print a row a minute."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hour", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, fake_server(latency_s=SLOTS / A_SECOND) as fake:
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(A_SECOND * 60 * (minutes + 1)))
        project.write_params(fake.url, run={"max_in_flight": SLOTS}, shards={"count": 16})
        rows = _watched(project, minutes)
        done = project.query("SELECT n_narratives_processed FROM experiments")[0][0]
    tenth = max(1, len(rows) // 6)
    is_flat = True
    for name in rows[0]:
        # Their peaks: while one shard ends and the next is begun both of their journals are open, for minutes.
        first, last = max(row[name] for row in rows[:tenth]), max(row[name] for row in rows[-tenth:])
        grows = last > first * (MEMORY_MAY_GROW_BY if name.endswith("MB") else 1) + (name == "beside the record, KB")
        is_flat = is_flat and not grows
        print(f"{name:34} first {first:8.1f}   last {last:8.1f}   {'GROWS' if grows else 'flat'}")
    print(f"narratives answered                {done:,} in {minutes} minutes, {done / minutes / 60:.1f} a second")
    sys.exit(not is_flat)


def _watched(project: Project, minutes: int) -> list[dict[str, float]]:
    rows = []
    with project.started("snakemake", "--cores", "4") as main_process:
        began = time.monotonic()
        for minute in range(1, minutes + 1):
            time.sleep(max(0.0, began + 60 * minute - time.monotonic()))
            rows.append(_look(psutil.Process(main_process.pid), project.folder / "results"))
            print(minute, {name: round(value, 1) for name, value in rows[-1].items()}, flush=True)
        main_process.terminate()
        try:
            main_process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            main_process.kill()
    return rows


def _look(main_process: psutil.Process, results: Path) -> dict[str, float]:
    """Memory in MB and open files by process, and KB beside the record."""
    found = {"main": main_process}
    for child in main_process.children(recursive=True):
        words = child.cmdline()
        for word, name in KINDS.items():
            # The forks of the jobs' process come after it.
            if word in words:
                found.setdefault(name, child)
    row = {f"{name}, MB": process.memory_info().rss / 1e6 for name, process in found.items()}
    row |= {f"{name}, open files": float(process.num_fds()) for name, process in found.items()}
    beside = sum(path.stat().st_size for path in results.glob("experiments.db-*"))
    return {**row, "beside the record, KB": beside / 1000}


if __name__ == "__main__":
    main()
