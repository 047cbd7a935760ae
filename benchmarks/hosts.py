"""What it costs to ask from two hosts instead of one: `python -m benchmarks.hosts`, as root.

The same narratives with the same 16 slots: asked by one host, and by jobs on two nodes of a Slurm that is brought up
for this, each of which has half of the shards. The model server takes the same time for both, so that all else is ours.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster import cluster
from tests.cluster.cluster import Cluster, ClusterProject
from tests.project import Fake

from benchmarks import workbook

SLOTS, LATENCY_S, SHARDS = 16, 0.2, 4
GOAL = 1.1
LOCAL = ("snakemake", "--cores", "4")
ON_NODES = (
    *("snakemake", "--profile", "profiles/slurm", "--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "3"),
    *("--default-resources", "runtime=60", "mem_mb=500", "cpus_per_task=2"),
)


def main() -> None:
    """Run both, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosts", description=__doc__)
    parser.add_argument("--narratives", type=int, default=4_000)
    narratives = parser.parse_args().narratives
    cluster.install()
    cluster.EXECUTORS.install()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        hosts = Cluster(Path(folder))
        try:
            hosts.start()
            one = _run(hosts, "one", LOCAL, narratives)
            two = _run(hosts, "two", ON_NODES, narratives)
        finally:
            hosts.stop()
    ideal = narratives * LATENCY_S / SLOTS
    print(f"{'':34}{'one host':>10}{'two nodes':>11}{'ratio':>8}")
    for name, here, there in zip(("first request to last reply, s", "the whole run, s"), one, two, strict=True):
        print(f"{name:34}{here:10.1f}{there:11.1f}{there / here:8.2f}")
    print(f"ideal {ideal:.1f} s; goal: asking on two nodes takes at most {GOAL} times as long")
    sys.exit(two[0] / one[0] > GOAL)


def _run(hosts: Cluster, name: str, command: tuple[str, ...], narratives: int) -> tuple[float, float]:
    """Seconds from the first request to the last reply, and of the whole run."""
    with hosts.model_server(latency_s=LATENCY_S, models=[workbook.MODEL]) as fake:
        project = ClusterProject(hosts, name)
        project.write_workbook(workbook.rows(narratives))
        project.write_params(
            fake.url, model={"name": workbook.MODEL}, run={"max_in_flight": SLOTS}, shards={"count": SHARDS}
        )
        paths = (project.environment.get("PYTHONPATH"), str(cluster.EXECUTOR_PACKAGES))
        project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        began = time.monotonic()
        ended = project.run(*command, timeout=900)
        seconds = time.monotonic() - began
        if ended.returncode:
            sys.exit(ended.stdout)
        return _asking(fake), seconds


def _asking(fake: Fake) -> float:
    pace = fake.calls()
    return float(pace["last_at"]) - float(pace["first_at"])


if __name__ == "__main__":
    main()
