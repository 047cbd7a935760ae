"""What several model servers bring: `python -m benchmarks.servers`.

The same narratives: asked at one server of 16 slots, at four of 4, at three of 4, and at four of which one takes ten
times as long. Times are from the first request to the last reply.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.project import Project, fake_server

from benchmarks import workbook

LATENCY_S, SHARDS, SLOWER = 0.2, 8, 10
FOUR_MAY_TAKE, SLOW_MAY_TAKE = 1.05, 1.3


def main() -> None:
    """Run all, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__)
    parser.add_argument("--narratives", type=int, default=4_000)
    narratives = parser.parse_args().narratives
    one = _asked([LATENCY_S], 16, narratives)
    four = _asked([LATENCY_S] * 4, 4, narratives)
    three = _asked([LATENCY_S] * 3, 4, narratives)
    slow = _asked([LATENCY_S] * 3 + [SLOWER * LATENCY_S], 4, narratives)
    print(f"{narratives:,} narratives, {LATENCY_S:g} s each{'s':>16}{'ratio':>8}{'goal':>8}")
    print(f"{'one server of 16 slots':42}{one:8.1f}")
    print(f"{'four servers of 4':42}{four:8.1f}{four / one:8.2f}{FOUR_MAY_TAKE:8.2f}")
    print(f"{'three servers of 4':42}{three:8.1f}")
    print(f"{f'four of 4, one of them {SLOWER} times as slow':42}{slow:8.1f}{slow / three:8.2f}{SLOW_MAY_TAKE:8.2f}")
    sys.exit(four / one > FOUR_MAY_TAKE or slow / three > SLOW_MAY_TAKE)


def _asked(latencies: list[float], slots: int, narratives: int) -> float:
    """Seconds from the first request to the last reply, at servers that take so long for an answer."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, ExitStack() as running:
        fakes = [running.enter_context(fake_server(latency_s=each, models=[workbook.MODEL])) for each in latencies]
        project = Project(Path(folder))
        project.write_workbook(workbook.rows(narratives))
        urls = [fake.url for fake in fakes]
        model = {"name": workbook.MODEL, "api_url": urls if len(urls) > 1 else urls[0]}
        project.write_params("", model=model, run={"max_in_flight": slots}, shards={"count": SHARDS})
        ended = project.snakemake(timeout=900)
        assert ended.returncode == 0, ended.stdout
        paces = [httpx.get(f"{fake.origin}/pace", trust_env=False).json() for fake in fakes]
        return max(float(pace["last_at"]) for pace in paces) - min(float(pace["first_at"]) for pace in paces)


if __name__ == "__main__":
    main()
