"""How fast and how large a whole run is, from workbook to metrics.json: `python -m benchmarks.whole_run`.

Each scenario gets a fresh copy of the project, a server in a process of its own, and the real `snakemake --cores 4`.
Name scenarios to run only these; `--all` adds the large ones.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from tests.project import ROOT, Fake, Project, fake_server

from benchmarks import measured, workbook
from benchmarks.measured import Measured
from benchmarks.scenarios import SCENARIOS, Outcome, Scenario
from benchmarks.table import table_of

SHARDS = 16


def main() -> None:
    """Run the scenarios that were asked for, one after the other, and print a table of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=", ".join(each.name for each in SCENARIOS))
    parser.add_argument("--all", action="store_true", help="the large ones too: some minutes each")
    parser.add_argument("--keep", type=Path, help="keep the projects in this folder, which must not hold them yet")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {scenario.name for scenario in SCENARIOS}:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 110)
    for scenario in SCENARIOS:
        if scenario.name in arguments.names or (not arguments.names and (arguments.all or not scenario.big)):
            with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
                folder = (arguments.keep or Path(temporary)) / scenario.name
                folder.mkdir(parents=True)
                console.print(table_of(run(scenario, folder)))


def run(scenario: Scenario, folder: Path) -> Outcome:
    """Run one scenario in an empty folder; ends the process when the run does not succeed."""
    project = Project(folder)
    source = project.write_workbook(workbook.rows(scenario.narratives))
    with _server(scenario) as fake:
        project.write_params(
            fake.url,
            model={"name": workbook.MODEL},
            prompt={"system_prompt": workbook.SYSTEM_PROMPT, "user_template": workbook.USER_TEMPLATE},
            run={"max_in_flight": scenario.slots},
            shards={"count": SHARDS},
        )
        ours = measured.run(project.command("snakemake", "--cores", "4"), folder, project.environment)
        _must_succeed(ours)
        pace = _pace(fake)
    processed = project.read_json("results/cases/metrics.json")["n_processed"]
    if not processed == pace["requests"] == scenario.narratives:
        sys.exit(f"{scenario.name}: {processed} results and {pace['requests']} requests for {scenario.narratives}.")
    bare, bare_pace = _bare_loop(scenario, source, folder) if scenario.with_bare_loop else (None, None)
    return Outcome(scenario, ours, pace, bare, bare_pace)


def _bare_loop(scenario: Scenario, source: Path, folder: Path) -> tuple[Measured, dict[str, float]]:
    answers = folder / "bare_loop.jsonl"
    with _server(scenario) as fake:
        command = [sys.executable, "-m", "benchmarks.bare_loop", str(source), fake.url, str(scenario.slots)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        bare = measured.run([*command, str(answers)], folder, environment)
        _must_succeed(bare)
        return bare, _pace(fake)


@contextmanager
def _server(scenario: Scenario) -> Iterator[Fake]:
    with fake_server(latency_s=scenario.latency_s, sigma=scenario.sigma, models=[workbook.MODEL]) as fake:
        yield fake


def _pace(fake: Fake) -> dict[str, float]:
    told: dict[str, float] = httpx.get(f"{fake.origin}/pace", trust_env=False).json()
    return told


def _must_succeed(finished: Measured) -> None:
    if finished.exit_code != 0:
        sys.exit(f"{finished.output[-3000:]}\nThe command ended with exit code {finished.exit_code}.")


if __name__ == "__main__":
    main()
