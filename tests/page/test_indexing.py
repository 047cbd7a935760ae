import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import coded_experiment

from narrative_runs.errors import ExperimentError
from narrative_runs.page.narratives import indexing
from narrative_runs.page.narratives.comparing import bring_compared
from narrative_runs.page.narratives.indexing import Indexing
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database, narrative_pages, search_index
from narrative_runs.record.narrative_pages import Wanted
from narrative_runs.record.search_index import Kind, Property
from narrative_runs.variable_outcomes import recorded_outcomes

pytestmark = pytest.mark.slow

PATIENCE_S = 30.0


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexing]:
    """The index of a project with an experiment of many variables, kept up to date."""
    monkeypatch.chdir(tmp_path)
    coded_experiment.write_experiment()
    kept = Indexing()
    yield kept
    kept.close()


def its_row() -> dict[str, Any]:
    return database.query("SELECT * FROM experiments")[0]


def test_a_look_brings_it_up_to_date(kept: Indexing) -> None:
    """Who looks at an experiment waits until its rows are there, with the codebook's values and the groups."""
    assert kept.look(its_row(), PATIENCE_S) == ""
    there = narrative_pages.choices(kept.index, "id-coded")
    assert {known.name for known in there if known.kind is Kind.VALUE} >= {"detected", "weapon", "persons"}
    assert any(known.kind is Kind.GROUP for known in there)
    n = narrative_pages.indexed(kept.index, "id-coded").n_narratives
    with database.transaction() as connection:
        connection.execute("DELETE FROM narrative_results WHERE row_num = 1")
        database.update_experiment(connection, "id-coded", {"end_time": "later"})
    assert kept.look(its_row(), PATIENCE_S) == ""
    assert narrative_pages.indexed(kept.index, "id-coded").n_narratives == n - 1


def test_it_stops_when_nobody_looks(kept: Indexing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A while after the last look the thread ends, and the next look starts it again."""
    monkeypatch.setattr(indexing, "_AFTER_A_LOOK_S", 0.05)
    monkeypatch.setattr(indexing, "_EVERY_S", 0.02)
    for _ in range(2):
        assert kept.look(its_row(), PATIENCE_S) == ""
        for thread in threading.enumerate():
            if thread.name == "search index":
                thread.join(PATIENCE_S)
                assert not thread.is_alive()


def test_what_goes_wrong_is_said(kept: Indexing, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nothing expected is named by its kind, without the text that it may quote; an expected one is said
    as it is."""

    def fail(*_: Any) -> None:
        raise ValueError("He had a knife.")

    monkeypatch.setattr(search_index, "update", fail)
    problem = kept.look(its_row(), PATIENCE_S)
    assert "ValueError" in problem and "knife" not in problem


def test_a_closed_one_starts_no_more(kept: Indexing) -> None:
    """After the page has closed, a late request waits no longer than it would, and nothing is written."""
    kept.close()
    assert kept.look(its_row(), 0.01) == ""
    assert narrative_pages.indexed(kept.index, "id-coded").n_narratives == 0


@pytest.mark.parametrize("most_here", [20_000, 0], ids=["here", "in a process of its own"])
def test_what_is_compared_is_brought_once(kept: Indexing, monkeypatch: pytest.MonkeyPatch, most_here: int) -> None:
    """Here or in a process of its own, the outcomes of a variable are those of the findings; they are computed anew
    only where the record changed."""
    monkeypatch.setattr("narrative_runs.page.narratives.comparing._MOST_HERE", most_here)
    with database.transaction() as connection:
        database.update_experiment(connection, "id-coded", {"n_narratives_processed": 120})
    kept.look(its_row(), PATIENCE_S)
    bring_compared(kept.index, its_row(), "weapon")
    recorded = recorded_outcomes(its_row(), coded_experiment.CODEBOOK, "weapon")
    for word in ("right", "wrong", "error"):
        page = narrative_pages.page_of(
            kept.index, "id-coded", Wanted((Property(Kind.COMPARED_OUTCOME, "weapon", word),)), 1_000
        )
        assert list(page.result_ids) == recorded.ids_with(word) != []
    monkeypatch.setattr(search_index, "put_compared", None)
    bring_compared(kept.index, its_row(), "weapon")


def test_a_process_that_fails_says_why(kept: Indexing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process of its own could not compute comes back as its message."""
    monkeypatch.setattr("narrative_runs.page.narratives.comparing._MOST_HERE", 0)
    with database.transaction() as connection:
        database.update_experiment(connection, "id-coded", {"n_narratives_processed": 120})
    kept.look(its_row(), PATIENCE_S)
    ExperimentFolder("coded").incidents.unlink()
    ExperimentFolder("coded").other_columns.unlink()
    with pytest.raises(ExperimentError, match=r"is missing\. Start the run of coded again"):
        bring_compared(kept.index, its_row(), "weapon")
