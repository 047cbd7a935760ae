"""Time and memory of merge, metrics and report: `python -m benchmarks.findings`.

A finished experiment of 35,000 narratives is built from its shards, without a server; then the work of the jobs
`record` and `report` is done, each in a process of its own, as in a run.
"""

import argparse
import os
import sys
import tempfile

from benchmarks import finished

GOAL_S = 20.0
GOAL_MB = 500.0


def main() -> None:
    """Build the experiment, do the work of both jobs, and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings", description=__doc__)
    parser.add_argument("--narratives", type=int, default=35_000)
    parser.add_argument("--job", choices=finished.JOBS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        finished.work(arguments.job, finished.context())
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.chdir(folder)
        finished.build(finished.context(), arguments.narratives, finished.result_at_random)
        together_s, highest_mb = finished.measure("benchmarks.findings")
    print(f"together   {together_s:5.1f} s (goal: under {GOAL_S:.0f} s), {highest_mb:.0f} MB (under {GOAL_MB:.0f} MB)")
    sys.exit(together_s > GOAL_S or highest_mb > GOAL_MB)


if __name__ == "__main__":
    main()
