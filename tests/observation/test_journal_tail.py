"""What is counted while the journals grow."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, entry_of, error_of, keep, narratives_of, params_of, write_narratives

from narrative_runs import journal
from narrative_runs.journal import Journal
from narrative_runs.observation.journal_tail import JournalTail
from narrative_runs.observation.progress import Progress
from narrative_runs.snapshots import Counts

NARRATIVES = narratives_of(6)
PARAMS = params_of()
CONTEXT = context_of(PARAMS)


@pytest.fixture
def tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JournalTail:
    """A tail of an experiment whose workbook is read."""
    monkeypatch.chdir(tmp_path)
    write_narratives(NARRATIVES, 2)
    return JournalTail(FOLDER, CONTEXT.experiment_id, PARAMS, Progress(began=0.0))


def test_counts_go_by_sessions(tail: JournalTail) -> None:
    """How far each session brought the experiment is known, also where a later one corrected an error of an earlier
    one."""
    keep(CONTEXT, "1-of-2", [entry_of(NARRATIVES[0], PARAMS), error_of(NARRATIVES[2], PARAMS)])
    keep(replace(CONTEXT, session=2), "2-of-2", [error_of(NARRATIVES[1], PARAMS, "api_error")])
    keep(replace(CONTEXT, session=3), journal.RETRY, [entry_of(NARRATIVES[2], PARAMS, attempt=2)])
    tail.follow()
    assert tail.counts(before=2) == Counts(6, 2, {"timeout": 1})
    assert tail.counts(before=3) == Counts(6, 3, {"api_error": 1, "timeout": 1})
    assert tail.counts() == Counts(6, 3, {"api_error": 1})
    assert not tail.counts().is_complete


def test_a_session_that_is_sealed_meanwhile_is_counted_once(tail: JournalTail) -> None:
    """A journal keeps its place when the session is sealed while it is followed: no entry is taken twice or missed."""
    path = journal.growing(FOLDER.journals, 1) / "1-of-2.jsonl"
    kept = Journal(path, CONTEXT.head)
    tail.follow()
    kept.append(entry_of(NARRATIVES[0], PARAMS))
    assert len(tail.follow()) == 1
    kept.append(entry_of(NARRATIVES[2], PARAMS))
    kept.close()
    journal.seal(FOLDER.journals)
    assert len(tail.follow()) == 1 and tail.follow() == []
    assert tail.counts().processed == 2
    # All of it is this session's own pace.
    assert tail._progress.done_now == 2
