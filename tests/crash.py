"""Random kills: `make crash-test SEED=1 KILLS=200`.

Starts the real workflow again and again, kills the main process, its group, a job or the coordinator at a random
moment, and starts the plain command anew, until so many kills are done; then lets it finish. What must hold is checked
after each kill and at the end; the figures are printed.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.fake_server import answer_to
from tests.project import Fake, Project, cases, fake_server, processes_in

NARRATIVES = 240
SLOTS = 4
VICTIMS = ("main", "group", "job", "coordinator")
ORPHANS_MAY_LIVE_S = 2.0


@dataclass
class Tally:
    """What was seen."""

    kills: Counter[str] = field(default_factory=Counter)
    experiments: int = 0
    orphans: int = 0
    wrong_rows: int = 0
    asked_again: int = 0
    lost_in_flight: int = 0
    narratives: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether all held."""
        return not (self.orphans or self.wrong_rows or self.asked_again)

    def __str__(self) -> str:
        told = {
            "kills": f"{self.kills.total()} ({', '.join(f'{count} {name}' for name, count in self.kills.items())})",
            "experiments finished after them": self.experiments,
            "narratives": self.narratives,
            "rows missing, doubled or with another's answer": self.wrong_rows,
            "answers asked for again although they were kept": self.asked_again,
            "answers that were on their way at a kill": self.lost_in_flight,
            f"processes alive {ORPHANS_MAY_LIVE_S:g} s after a kill": self.orphans,
        }
        return "\n".join(f"{name:50} {value}" for name, value in told.items())


def crash(kills: int, seed: int, folder: Path) -> Tally:
    """Kill so many times, and see what holds."""
    chance = random.Random(seed)
    tally = Tally()
    while tally.kills.total() < kills:
        home = folder / f"experiment-{tally.experiments}"
        home.mkdir()
        project = Project(home)
        project.write_workbook(cases(NARRATIVES // 2))
        with fake_server(latency_s=0.05) as fake:
            project.write_params(fake.url, run={"max_in_flight": SLOTS})
            _kill_until_done(project, kills, chance, tally)
            _check(project, fake, tally)
        tally.experiments += 1
    return tally


def _kill_until_done(project: Project, kills: int, chance: random.Random, tally: Tally) -> None:
    while tally.kills.total() < kills:
        main = _start(project)
        try:
            main.wait(timeout=chance.uniform(0.2, 6.0))
        except subprocess.TimeoutExpired:
            victim = chance.choice(VICTIMS)
            if _kill(main, victim, chance):
                tally.kills[victim] += 1
                print(f"{tally.kills.total():4} {victim}", file=sys.stderr, flush=True)
            main.wait(timeout=60)
            time.sleep(ORPHANS_MAY_LIVE_S)
            tally.orphans += len(processes_in(project.folder))
        else:
            if main.returncode == 0:
                return
    if (code := _start(project).wait(timeout=300)) != 0:
        output = (project.folder / "output.txt").read_text().splitlines()[-40:]
        raise SystemExit("\n".join([*output, f"the last run ended with exit code {code}"]))


def _start(project: Project) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        project.command("snakemake", "--cores", "4"),
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=(project.folder / "output.txt").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _kill(main: subprocess.Popen[bytes], victim: str, chance: random.Random) -> bool:
    """Kill the victim; False when there is none at this moment, so that the main process is stopped instead."""
    try:
        children = psutil.Process(main.pid).children(recursive=True)
        if victim == "group":
            os.killpg(main.pid, signal.SIGKILL)
        elif victim == "main":
            main.kill()
        else:
            word = "narrative_runs.coordination" if victim == "coordinator" else "narrative_runs"
            chosen = [child for child in children if word in child.cmdline()]
            if not chosen:
                main.kill()
                return False
            chance.choice(chosen).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def _check(project: Project, fake: Fake, tally: Tally) -> None:
    rows = project.query("SELECT incident_id, narrative_type, narrative_text, rationale FROM narrative_results")
    right = {row[:2] for row in rows if row[3] == answer_to(f"Narrative: {row[2]}")["rationale"]}
    tally.wrong_rows += abs(NARRATIVES - len(right)) + len(rows) - len(right)
    kept = len(project.journal_entries())
    tally.asked_again += kept - NARRATIVES
    tally.lost_in_flight += sum(fake.calls()["answered"].values()) - kept
    tally.narratives += NARRATIVES
    if project.query("SELECT status FROM experiments") != [("completed",)]:
        tally.wrong_rows += 1


def main() -> None:
    """Run from the command line; exit code 1 when something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = crash(arguments.kills, arguments.seed, Path(folder).resolve())
    print(tally)
    sys.exit(not tally.is_clean)


if __name__ == "__main__":
    main()
