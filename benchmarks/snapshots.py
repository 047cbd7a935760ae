"""What snapshots cost a run: `python -m benchmarks.snapshots`.

The same narratives, asked without a snapshot and with one every second, which a user would have every few hours. Times
are from the first request to the last reply.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import httpx
from tests.project import Project, fake_server

from benchmarks import workbook

LATENCY_S, SLOTS, SHARDS, MAY_TAKE = 0.1, 16, 8, 1.05


def main() -> None:
    """Run both, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshots", description=__doc__)
    parser.add_argument("--narratives", type=int, default=4_000)
    narratives = parser.parse_args().narratives
    without, _, _ = _asked(None, narratives)
    with_them, made, largest = _asked("1s", narratives)
    print(f"{narratives:,} narratives, {LATENCY_S:g} s each{'s':>16}{'ratio':>8}{'goal':>8}{'made':>8}{'largest':>10}")
    print(f"{'without snapshots':42}{without:8.1f}")
    ratio = with_them / without
    print(
        f"{'one every second, the last 8 kept':42}{with_them:8.1f}{ratio:8.2f}{MAY_TAKE:8.2f}{made:8}{largest:8.1f} kB"
    )
    sys.exit(ratio > MAY_TAKE)


def _asked(every: str | None, narratives: int) -> tuple[float, int, float]:
    """Seconds from the first request to the last reply; how many snapshots were made; kilobytes of the largest."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        fake_server(latency_s=LATENCY_S, models=[workbook.MODEL]) as fake,
    ):
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(narratives))
        run = {"max_in_flight": SLOTS, "snapshot_every": every}
        project.write_params(fake.url, model={"name": workbook.MODEL}, run=run, shards={"count": SHARDS})
        ended = project.snakemake(timeout=900)
        assert ended.returncode == 0, ended.stdout
        pace = httpx.get(f"{fake.origin}/pace", trust_env=False).json()
        kept = list((project.folder / "results/cases/snapshots").glob("*.json"))
        largest = max((path.stat().st_size for path in kept), default=0) / 1e3
        return float(pace["last_at"]) - float(pace["first_at"]), ended.stdout.count("Snapshot auto-"), largest


if __name__ == "__main__":
    main()
