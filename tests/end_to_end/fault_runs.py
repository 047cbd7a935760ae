"""Whole runs of a small workbook against a server with named faults, and what has to hold over each of them."""

import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fake_server import answer_to
from tests.project import BIN, Fake, Project, cases

# Within this a mistake is told. The start of a run may take as long again: where the machine is busy with other things,
# so many times what Snakemake takes there to say its version.
TOLD_WITHIN_S = 10.0
START_S = 8.0
START_IN_VERSIONS = 8
MAX_ATTEMPTS = 5
NARRATIVES = 40
ERRORS = "SELECT incident_id, error_category FROM narrative_results WHERE error_occurred"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and its seconds."""

    code: int
    said: str
    seconds: float


def run(project: Project, fake: Fake, *words: str, max_attempts: int = MAX_ATTEMPTS) -> Ended:
    """Run `snakemake --cores 4`, or another command, to its end, which is no traceback and asks no more than it may."""
    began = time.monotonic()
    with within_bound(fake, max_attempts):
        result = project.run(*(words or ("snakemake", "--cores", "4")))
    assert "Traceback" not in result.stdout, result.stdout
    return Ended(result.returncode, result.stdout, time.monotonic() - began)


@contextmanager
def within_bound(fake: Fake, max_attempts: int = MAX_ATTEMPTS) -> Iterator[None]:
    """No narrative gets more than `max_attempts` + 2 requests without an answer meanwhile."""
    before = Counter(fake.calls()["unanswered"])
    yield
    requests = Counter(fake.calls()["unanswered"]) - before
    assert all(count <= max_attempts + 2 for count in requests.values()), requests.most_common(3)


def evidence(fake: Fake) -> int:
    """The number of evidence requests so far."""
    return sum(fake.calls()["evidence"].values())


def with_cases(project: Project, fake: Fake, narratives: int = NARRATIVES, **changes: Any) -> None:
    """Write a workbook of so many narratives, and params for the fake server; `changes` are laid over them."""
    project.write_workbook(cases(narratives // 2))
    describe(project, fake.url, **changes)


def describe(project: Project, url: str, **changes: Any) -> None:
    """Write params for a server at `url`."""
    project.write_params(url, **{"shards": {"count": 2}, **changes})


def with_a_narrative_for_each(
    project: Project, fake: Fake, faults: Collection[str], sound: int = 0, **changes: Any
) -> None:
    """A workbook with a narrative for each of these faults, named after it, and some that are answered soundly."""
    names = [*faults, *(f"sound {number}" for number in range(sound))]
    project.write_workbook([[name, f"Text with {name}.", "", "", "", ""] for name in names])
    describe(project, fake.url, **changes)
    fake.behave(faults=[{"fault": name, "narrative": f"with {name}."} for name in faults])


def errors(project: Project) -> dict[str, str]:
    """The category of each error row, by its incident."""
    return dict(project.query(ERRORS))


def assert_answered(project: Project, narratives: int = NARRATIVES) -> None:
    """Every narrative has one row, with the answer to its own text."""
    rows = project.query("SELECT narrative_text, rationale, error_message FROM narrative_results")
    wrong = [row for row in rows if row[1] != answer_to(f"Narrative: {row[0]}")["rationale"]]
    assert not wrong and len(rows) == narratives, (wrong[:3], len(rows))
    assert project.status() == "completed"


def assert_told_at_once(ended: Ended, *words: str) -> None:
    """The command failed within ten seconds of its start, with these words."""
    assert ended.code == 1, ended.said
    for word in words:
        assert word in ended.said, ended.said
    assert_within(ended, TOLD_WITHIN_S)


def assert_within(ended: Ended, seconds: float) -> None:
    """The command took no longer than this after its start."""
    assert ended.seconds < seconds + START_S or ended.seconds < seconds + START_IN_VERSIONS * version_s(), ended.said


def version_s() -> float:
    """What Snakemake takes, here and now, to say its version."""
    began = time.monotonic()
    subprocess.run([BIN / "snakemake", "--version"], check=True, capture_output=True)
    return time.monotonic() - began
