"""Random sequences of what people do to one experiment; after each step no result is lost and no id is changed."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.fake_server import answer_to
from tests.project import AT_LONGEST_S, Fake, Project, cases, fake_server, wait_until

pytestmark = pytest.mark.end_to_end

NARRATIVES = 24
BAD = "LE text of case 3."


class Experiment(RuleBasedStateMachine):
    """One experiment of 24 narratives, with a server that answers one of them badly until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="stateful-")
        self._serving = fake_server()
        self._fake: Fake = self._serving.__enter__()
        self._project = Project(Path(self._folder.name))
        self._ids: dict[tuple[str, str], int] = {}
        self._answered: set[tuple[str, str]] = set()
        self._kills = 0

    def teardown(self) -> None:
        """End the server, and remove the project."""
        self._serving.__exit__(None, None, None)
        self._folder.cleanup()

    @initialize()
    def begin(self) -> None:
        """A workbook, params and a server."""
        self._project.write_workbook(cases(NARRATIVES // 2))
        self._project.write_params(self._fake.url)
        self._behave()

    def _behave(self, latency_s: float = 0.0, is_bad: bool = True) -> None:
        faults = [{"fault": "thinking without an end", "narrative": BAD}] if is_bad else []
        self._fake.behave(latency_s=latency_s, faults=faults)

    def _limit(self, limit: int | None) -> tuple[str, ...]:
        return () if limit is None else ("--config", f"run={{max_narratives: {limit}}}")

    @rule(limit=st.sampled_from([None, 5, 11, 18]))
    def run_to_the_end(self, limit: int | None) -> None:
        """A pilot, the full run, a raised or a lowered limit."""
        ended = self._project.snakemake(*self._limit(limit))
        assert ended.returncode == 0, ended.stdout
        assert len(self._rows()) >= (limit or NARRATIVES)

    @rule(limit=st.sampled_from([None, 11]), number=st.sampled_from([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP]))
    def kill(self, limit: int | None, number: signal.Signals) -> None:
        """A run that is ended half-way."""
        self._behave(latency_s=0.3)
        before = self._fake.asked
        with self._project.started("snakemake", "--cores", "4", *self._limit(limit)) as main:
            wait_until(lambda: self._fake.asked >= before + 4 or main.poll() is not None)
            if main.poll() is None:
                self._kills += number == signal.SIGKILL
                os.killpg(main.pid, number)
            main.wait(timeout=AT_LONGEST_S)
        self._behave()
        wait_until(lambda: self._fake.calls()["in_flight"] == 0)

    @precondition(lambda self: self._ids)
    @rule(is_bad=st.booleans())
    def retry(self, is_bad: bool) -> None:
        """Errors asked again, of a server that is well again or not."""
        self._behave(is_bad=is_bad)
        ended = self._project.run("snakemake", "--forcerun", "retry_errors")
        self._behave()
        assert ended.returncode == 0, ended.stdout

    @precondition(lambda self: self._ids)
    @rule()
    def cancel(self) -> None:
        """Marked as cancelled, or refused where it is completed."""
        self._project.run("narrative-runs", "cancel", "cases")

    def _rows(self) -> dict[tuple[str, str], tuple[int, bool, str]]:
        if not (self._project.folder / "results/experiments.db").exists():
            return {}
        rows = self._project.query(
            "SELECT incident_id, narrative_type, result_id, error_occurred, narrative_text, rationale "
            "FROM narrative_results"
        )
        for _, _, _, is_error, text, rationale in rows:
            assert is_error or rationale == answer_to(f"Narrative: {text}")["rationale"]
        return {(row[0], row[1]): (row[2], not row[3], row[4]) for row in rows}

    @invariant()
    def nothing_is_lost_and_no_id_changes(self) -> None:
        """Every result that was there is there, under its id, and what was answered is not asked again."""
        found = self._rows()
        assert self._ids.items() <= {key: result_id for key, (result_id, _, _) in found.items()}.items()
        answered = {key for key, (_, is_answered, _) in found.items() if is_answered}
        assert self._answered <= answered
        self._ids = {key: result_id for key, (result_id, _, _) in found.items()}
        self._answered = answered
        # What was in flight when a run was killed with -9 may have been answered for nobody.
        twice = sum(times - 1 for text, times in self._fake.calls()["answered"].items() if BAD not in text)
        assert twice <= 4 * self._kills


@pytest.mark.long
def test_whatever_is_done_no_result_is_lost_and_no_id_changes() -> None:
    """Pilot, full run, retry, cancel, lower and raise, and kills, in any order."""
    examples = int(os.environ.get("STATEFUL_EXAMPLES", "2"))
    run_state_machine_as_test(
        Experiment,
        settings=settings(
            max_examples=examples,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
