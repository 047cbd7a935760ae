"""What errors have in common after a retry of some of them, in the run that asked and in its report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import (
    FOLDER,
    Listener,
    entry_of,
    error_of,
    keep,
    params_of,
    write_shards_of_results,
    write_workbook,
)

from narrative_runs.error_patterns.search import search
from narrative_runs.jobs.error_patterns import patterns_of
from narrative_runs.jobs.record import merge
from narrative_runs.jobs.source import read_source
from narrative_runs.journal import RETRY
from narrative_runs.observation.journal_tail import JournalTail
from narrative_runs.observation.progress import Progress
from narrative_runs.source.shards import iterate_all

BEGIN = datetime(2026, 1, 2, 8, tzinfo=UTC)
N_RETRIED, N_OTHERS = 11, 8


@pytest.mark.slow
def test_a_retry_makes_no_pattern_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Narratives that a retry asked again, and which failed again, share its time, its host and its server because
    they were retried: none of these is told as the cause, by the run or by the report."""
    monkeypatch.chdir(tmp_path)
    # Two addresses, so that servers are told apart.
    params = params_of(shards=1, model={"api_url": ["http://localhost:1/v1", "http://localhost:2/v1"]})
    context = context_of(params, source_md5=write_workbook(100), host="ada")
    read_source(context, Listener(context))
    narratives = list(iterate_all(FOLDER, 1))
    failing = Random(1).sample(narratives, N_RETRIED + N_OTHERS)
    retried = failing[:N_RETRIED]

    def asked(number: int, session_at: datetime) -> dict[str, str]:
        return {"asked_at": (session_at + timedelta(seconds=number)).isoformat(), "server": params.model.api_url[0]}

    entries = []
    for number, narrative in enumerate(narratives):
        when = asked(60 * number, BEGIN) | {"server": params.model.api_url[number % 2]}
        # Each says something else, as a message of the server may.
        if narrative in failing:
            message = "".join(Random(number).choices("abcdefgh", k=9))
            category = "api_error" if narrative in retried else "timeout"
            entries.append(error_of(narrative, params, **when) | {"error": {"category": category, "message": message}})
        else:
            entries.append(entry_of(narrative, params, **when))
    keep(context, "1-of-1", entries)
    again = [
        error_of(narrative, params, "api_error", attempt=2, **asked(number, BEGIN + timedelta(hours=9)))
        for number, narrative in enumerate(retried)
    ]
    keep(replace(context, session=2, host="bob"), RETRY, again)
    tail = JournalTail(FOLDER, context.experiment_id, params, Progress(began=0.0))
    tail.follow()
    assert tail.outcomes.n_errors == N_RETRIED + N_OTHERS
    write_shards_of_results(context)
    merge(context)
    of_report = [pattern for pattern, _ in patterns_of(FOLDER, context.experiment_id, params)]
    for patterns in (search(tail.outcomes), of_report):
        told = {way.dimension for pattern in patterns for way in pattern.ways}
        assert told <= {"message"}, told
