"""What a run costs around the asking: `python -m benchmarks.around`.

20 narratives on a server that answers at once, and beside them a workflow of the same shape whose jobs do nothing, so
that what Snakemake itself takes can be set against it. Each is run several times, in turn; the medians are shown.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx
from tests.project import Project, fake_server

from benchmarks import workbook

NARRATIVES, SHARDS = 20, 16
GOAL_S = 2.0
EMPTY = """
shards = [f"{number:02}" for number in range(1, 17)]
rule all:
    input: "report"
rule source:
    output: expand("narratives/{shard}", shard=shards), "began"
    shell: "date +%s.%N > began; touch {output}"
rule classify:
    input: "narratives/{shard}"
    output: "shards/{shard}"
    shell: "touch {output}"
rule retry_errors:
    input: expand("shards/{shard}", shard=shards)
    output: "retries"
    shell: "touch {output}"
rule record:
    input: expand("shards/{shard}", shard=shards), "retries"
    output: "record"
    shell: "touch {output}"
rule report:
    input: "record"
    output: "report"
    shell: "touch {output}"
"""


def main() -> None:
    """Run both in turn, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.around", description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    pairs = [(_ours(), _empty()) for _ in range(times)]
    before = median(ours[0] - empty[0] for ours, empty in pairs)
    after = median(ours[1] - empty[1] for ours, empty in pairs)
    rows = (
        ("start to first request", [ours[0] for ours, _ in pairs]),
        ("the same of an empty run, to its first job", [empty[0] for _, empty in pairs]),
        ("last answer to end", [ours[1] for ours, _ in pairs]),
        ("the same of an empty run, from its first job", [empty[1] for _, empty in pairs]),
    )
    for name, seconds in rows:
        print(f"{name:46} {median(seconds):5.2f} s   ({min(seconds):.2f} to {max(seconds):.2f})")
    print(f"{'before the first request, beside it':46} {before:5.2f} s   (goal: at most {GOAL_S:g} s)")
    print(f"{'after the last answer, beside it':46} {after:5.2f} s   (goal: at most {GOAL_S:g} s)")
    sys.exit(before > GOAL_S or after > GOAL_S)


def _ours() -> tuple[float, float]:
    """Seconds from the start to the first request, and from the last reply to the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, fake_server(models=[workbook.MODEL]) as fake:
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(NARRATIVES))
        project.write_params(fake.url, model={"name": workbook.MODEL}, shards={"count": SHARDS})
        began = time.monotonic()
        if (ended := project.snakemake()).returncode:
            sys.exit(ended.stdout)
        now = time.monotonic()
        pace = httpx.get(f"{fake.origin}/pace", trust_env=False).json()
        return pace["first_at"] - began, now - pace["last_at"]


def _empty() -> tuple[float, float]:
    """Seconds from the start to the first job, and from there to the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        (Path(folder) / "Snakefile").write_text(EMPTY, encoding="utf-8")
        snakemake = [sys.executable, "-m", "snakemake", "--cores", "4", "--quiet", "all"]
        began = time.time()
        subprocess.run(snakemake, cwd=folder, check=True, capture_output=True)
        first_job = float((Path(folder) / "began").read_text())
        return first_job - began, time.time() - first_job


if __name__ == "__main__":
    main()
