import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.migration import r_system

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import RecordError
from narrative_runs.paths import RECORD, SEARCH_INDEX
from narrative_runs.record import coded_values, database, narrative_pages, removal, schema, search_index
from narrative_runs.record.narrative_pages import Wanted
from narrative_runs.record.search_index import Kind, Property, SearchIndex
from narrative_runs.record.search_words import terms_of

Row = dict[str, Any]
ERRORS = Property(Kind.ERROR, "", "timeout")


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchIndex]:
    """The index of an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield SearchIndex()


def put(rows: list[Row], experiment_id: str = "a", **columns: Any) -> None:
    """Put rows of results of an experiment into the record, as the record's writers do, and columns of its own row."""
    values = {"experiment_name": experiment_id, "slug": experiment_id, "status": "running", **columns}
    with database.transaction() as connection:
        database.put_experiment(connection, experiment_id, values)
        for row in rows:
            whole = {"experiment_id": experiment_id, "narrative_type": "cme", "detected": 1, "error_occurred": 0, **row}
            updates = ", ".join(f"{name} = excluded.{name}" for name in whole)
            connection.execute(
                f"INSERT INTO narrative_results ({', '.join(whole)}) VALUES ({', '.join('?' * len(whole))}) "
                f"ON CONFLICT (experiment_id, incident_id, narrative_type) DO UPDATE SET {updates}",
                tuple(whole.values()),
            )


def narrative(number: int, text: str = "", **columns: Any) -> Row:
    """A row of results."""
    return {"incident_id": f"{number:04d}", "row_num": number, "narrative_text": text or f"Text {number}.", **columns}


def row_nums(index: SearchIndex, wanted: Wanted | None = None, experiment_id: str = "a") -> list[int]:
    """The `row_num` of the narratives that the index gives, in its order."""
    page = narrative_pages.page_of(index, experiment_id, wanted or Wanted(), 10_000)
    return [row["row_num"] for row in narrative_pages.rows_with_ids(page.result_ids)]


def with_words(typed: str) -> Wanted:
    return Wanted(terms=tuple(terms_of(typed)))


def update(index: SearchIndex, experiment_id: str = "a", codebook: Codebook = DEFAULT) -> None:
    search_index.update(index, experiment_id, codebook)


def test_it_is_for_its_owner_alone(index: SearchIndex) -> None:
    """The file, and what SQLite writes beside it, can be read by nobody else, whatever the umask; for a group it is
    where results are."""
    before = os.umask(0o022)
    try:
        put([narrative(1)])
        update(index)
        assert stat.S_IMODE(SEARCH_INDEX.stat().st_mode) == 0o600
        SEARCH_INDEX.unlink()
        os.umask(0o007)
        update(index)
        assert stat.S_IMODE(SEARCH_INDEX.stat().st_mode) == 0o660
    finally:
        os.umask(before)


def test_it_holds_no_text(index: SearchIndex) -> None:
    """Words are in it, but no text stands there to be read."""
    put([narrative(1, "The neighbor heard a loud argument before midnight.")])
    update(index)
    content = SEARCH_INDEX.read_bytes()
    assert b"midnight" in content and b"loud argument" not in content and b"neighbor heard" not in content


def test_rows_come_in_the_order_of_the_workbook(index: SearchIndex) -> None:
    """In whatever order the answers came, lists have that of the workbook."""
    put([narrative(number) for number in (30, 7, 19)])
    update(index)
    assert row_nums(index) == [7, 19, 30]


def test_it_follows_a_run(index: SearchIndex) -> None:
    """While a run writes, new rows are added, and an error that a retry answered is one no more; nothing is read twice
    where nothing changed."""
    put([narrative(1, "A knife."), narrative(2, "A rope.", error_occurred=1, error_category="timeout")])
    update(index)
    assert row_nums(index, Wanted((ERRORS,))) == [2]
    put([narrative(3, "A knife again.")], last_progress_update="1")
    put([narrative(2, "A rope.", error_category=None)], last_progress_update="2")
    update(index)
    assert row_nums(index) == [1, 2, 3] and row_nums(index, Wanted((ERRORS,))) == []
    assert row_nums(index, with_words("knife")) == [1, 3]
    before = SEARCH_INDEX.read_bytes()
    update(index)
    assert SEARCH_INDEX.read_bytes() == before


def test_a_merge_is_read_whole(index: SearchIndex) -> None:
    """What the merge changes in old rows, and which it takes out, is known after it: labels, errors, probabilities."""
    put([narrative(1), narrative(2, p_detected=0.2), narrative(3, error_occurred=1, error_category="timeout")])
    update(index)
    put([narrative(1, manual_flag_ind=0), narrative(2, p_detected=0.9)], status="completed", end_time="later")
    with database.transaction() as connection:
        connection.execute("DELETE FROM narrative_results WHERE row_num = 3")
    update(index)
    assert row_nums(index) == [1, 2]
    assert row_nums(index, Wanted((Property(Kind.OUTCOME, "", "false positive"),))) == [1]
    assert row_nums(index, Wanted((ERRORS,))) == [] and row_nums(index, Wanted(least=0.5)) == [2]
    assert row_nums(index, with_words("text 3")) == []
    assert narrative_pages.indexed(index, "a") == narrative_pages.Indexed(2, True)


def test_what_a_rollback_took_comes_back(index: SearchIndex) -> None:
    """A narrative that had no result for a while is found again, once, when it has one."""
    put([narrative(1), narrative(2, "A shotgun.")], status="completed")
    update(index)
    with database.transaction() as connection:
        connection.execute("DELETE FROM narrative_results WHERE row_num = 2")
        database.update_experiment(connection, "a", {"status": "failed"})
    update(index)
    assert row_nums(index, with_words("shotgun")) == []
    put([narrative(2, "A shotgun.")], last_progress_update="3")
    update(index)
    assert row_nums(index, with_words("shotgun")) == [2] == row_nums(index)[1:]


def test_another_text_is_found_by_its_own_words(index: SearchIndex) -> None:
    """Where a narrative's text changed, as before an experiment's first answer, the words of the old one are gone."""
    put([narrative(1, "A knife."), narrative(2)], status="completed")
    update(index)
    put([narrative(1, "A rope.")], status="completed", end_time="later")
    update(index)
    assert row_nums(index, with_words("knife")) == [] and row_nums(index, with_words("rope")) == [1]
    assert row_nums(index) == [1, 2]


def test_a_record_that_was_made_again_is_read_again(index: SearchIndex) -> None:
    """A lost record that was filled again from the journals has other ids, and the index has those."""
    put([narrative(number) for number in range(1, 6)], status="completed")
    update(index)
    RECORD.unlink()
    put([narrative(number) for number in (5, 1)], status="completed")
    update(index)
    assert row_nums(index) == [1, 5]


def test_values_of_variables_are_there(index: SearchIndex) -> None:
    """Each value of a variable leads to its narratives, each of several too; words of narratives are none."""
    variables = {
        "weapon": {"type": "category", "values": ["firearm", "other"]},
        "told": {"type": "multi", "values": ["family", "friend"]},
        "evidence": {"type": "quote"},
    }
    codebook = Codebook.model_validate({"variables": variables})
    put([narrative(1), narrative(2)])
    with database.transaction() as connection:
        connection.execute(schema.CODED_VALUES)
        for number, weapon, told in ((1, "firearm", '["family", "friend"]'), (2, "firearm", "[]")):
            for name, value in {"weapon": weapon, "told": told, "evidence": '["Text 1"]'}.items():
                connection.execute(
                    "INSERT INTO coded_values (experiment_id, incident_id, narrative_type, variable, value, "
                    "probability) VALUES ('a', ?, 'cme', ?, ?, ?)",
                    (f"{number:04d}", name, value, number / 10 if name == "weapon" else None),
                )
    update(index, codebook=codebook)
    there = narrative_pages.choices(index, "a")
    assert {known: n for known, n in there.items() if known.kind is Kind.VALUE} == {
        Property(Kind.VALUE, "told", "family"): 1,
        Property(Kind.VALUE, "told", "friend"): 1,
        Property(Kind.VALUE, "weapon", "firearm"): 2,
    }
    assert row_nums(index, Wanted(least=0.15, variable="weapon")) == [2]
    row = narrative_pages.rows_with_ids([1], "weapon")[0]
    assert row["of_variable"]["value"] == "firearm" and coded_values.has_values_of("a")


def test_groups_are_those_of_the_row(index: SearchIndex) -> None:
    """A narrative has the groups of its row in the workbook."""
    put([narrative(2), narrative(1)])
    search_index.update(index, "a", DEFAULT, {"Sex": ["female", "male"]})
    assert row_nums(index, Wanted((Property(Kind.GROUP, "Sex", "male"),))) == [2]


def test_what_is_compared_is_put_as_a_whole(index: SearchIndex) -> None:
    """Outcomes that were computed replace earlier ones; they are known to be of one state of the experiment."""
    put([narrative(1), narrative(2)])
    update(index)
    state = search_index.state_of("a")
    right, wrong = (Property(Kind.COMPARED_OUTCOME, "weapon", word) for word in ("right", "wrong"))
    search_index.put_compared(index, "a", "weapon", [(1, right.kind, "right"), (9, right.kind, "right")], state)
    assert row_nums(index, Wanted((right,))) == [1] and search_index.has_compared(index, "a", "weapon", state)
    search_index.put_compared(index, "a", "weapon", [(1, wrong.kind, "wrong"), (2, wrong.kind, "wrong")], state)
    assert row_nums(index, Wanted((right,))) == [] and row_nums(index, Wanted((wrong,))) == [1, 2]
    put([narrative(3)], last_progress_update="1")
    assert not search_index.has_compared(index, "a", "weapon", search_index.state_of("a"))


def overwritten(at: int) -> Callable[[], None]:
    def damage() -> None:
        content = bytearray(SEARCH_INDEX.read_bytes())
        content[at : at + 4000] = b"x" * len(content[at : at + 4000])
        SEARCH_INDEX.write_bytes(content)

    return damage


def of_another_release() -> None:
    connection = sqlite3.connect(SEARCH_INDEX)
    connection.execute("PRAGMA user_version = 1")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        overwritten(0),
        overwritten(4096 * 3),
        lambda: SEARCH_INDEX.write_bytes(b"no database"),
        lambda: SEARCH_INDEX.write_bytes(SEARCH_INDEX.read_bytes()[:5000]),
        SEARCH_INDEX.unlink,
        of_another_release,
    ],
    ids=["beginning", "middle", "other content", "cut", "deleted", "another release"],
)
def test_a_damaged_index_is_made_again(index: SearchIndex, damage: Callable[[], None]) -> None:
    """Damaged, cut, deleted, or of another release: after at most one message all narratives are found again."""
    put([narrative(number, f"Text {number} with a knife.") for number in range(1, 200)], status="completed")
    update(index)
    damage()
    for _ in range(2):
        try:
            update(index)
            row_nums(index, with_words("knife"))
        except RecordError as error:
            assert "made again" in str(error)
    update(index)
    assert row_nums(index, with_words("knife")) == row_nums(index) == list(range(1, 200))


def test_without_leave_to_write_it_lies_in_memory(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder is open for reading alone, nothing is written, and narratives are found all the same."""
    put([narrative(1, "A knife."), narrative(2)])
    monkeypatch.setattr(os, "access", lambda _, mode: not (mode & os.W_OK))
    update(index)
    assert index.is_in_memory and row_nums(index, with_words("knife")) == [1]
    assert narrative_pages.count_of(index, "a", Wanted()).n == 2
    assert SEARCH_INDEX.stat().st_size == 0 or not SEARCH_INDEX.exists()


def test_no_word_of_a_removed_experiment_is_left(index: SearchIndex) -> None:
    """After its removal no word of it is in the file, not even in unused pages; others are found as before; and an
    update that was on its way does not bring it back."""
    put([narrative(number, f"Quetzalcoatlus {number} flew.") for number in range(1, 300)], "gone", status="completed")
    put([narrative(1, "Ordinary words.")], "a", status="completed")
    update(index, "gone")
    update(index, "a")
    assert b"quetzalcoatlus" in SEARCH_INDEX.read_bytes() and search_index.holds(["gone"])
    removal.remove(RECORD, ["gone"])
    search_index.remove(["gone"])
    update(index, "gone")
    assert b"quetzalcoatlus" not in SEARCH_INDEX.read_bytes() and not search_index.holds(["gone"])
    assert row_nums(index, with_words("ordinary"), "a") == [1]


def test_a_removal_does_not_stop_at_a_damaged_index(index: SearchIndex) -> None:
    """What cannot be read may hold words: it goes whole."""
    put([narrative(1)])
    update(index)
    SEARCH_INDEX.write_bytes(b"no database, but a word: quetzalcoatlus" * 500)
    assert search_index.holds(["a"])
    search_index.remove(["a"])
    assert not SEARCH_INDEX.exists()


def test_nothing_is_made_without_a_record(index: SearchIndex) -> None:
    """An experiment that is in no record has no narratives, and there is nothing to remove."""
    update(index)
    assert row_nums(index) == [] and narrative_pages.choices(index, "a") == {}
    assert narrative_pages.indexed(index, "a") == narrative_pages.Indexed(0, False)
    assert not search_index.holds(["a"], Path("nowhere.db"))
    search_index.remove(["a"], Path("nowhere.db"))


def test_an_update_ends_when_it_is_not_wanted(index: SearchIndex) -> None:
    """An update can be ended between some rows and the next, and continues where it was."""
    put([narrative(number) for number in range(1, 2_501)])
    steps = iter([True, False])
    search_index.update(index, "a", DEFAULT, is_wanted=lambda: next(steps))
    assert narrative_pages.indexed(index, "a") == narrative_pages.Indexed(1_000, False)
    update(index)
    assert narrative_pages.indexed(index, "a") == narrative_pages.Indexed(2_500, True)


@pytest.mark.slow
def test_two_pages_and_a_run_work_beside_each_other(index: SearchIndex) -> None:
    """While a run writes its rows, two pages keep one index, and in the end it has each row once."""
    put([])
    problems: list[BaseException] = []
    is_over = threading.Event()

    def keep() -> None:
        own = SearchIndex()
        try:
            while not is_over.is_set():
                update(own)
                narrative_pages.page_of(own, "a", with_words("knife"), 50)
        except BaseException as problem:
            problems.append(problem)

    pages = [threading.Thread(target=keep) for _ in range(2)]
    for page in pages:
        page.start()
    for number in range(1, 60):
        put([narrative(number * 10 + each, "A knife.") for each in range(10)], last_progress_update=str(number))
    put([], status="completed")
    is_over.set()
    for page in pages:
        page.join()
    update(index)
    assert problems == []
    assert row_nums(index) == row_nums(index, with_words("knife")) == list(range(10, 600))


@pytest.mark.parametrize("age", list(r_system.AGES))
def test_records_of_the_r_system_are_found_as_they_are(index: SearchIndex, age: str) -> None:
    """A record of any age of the R system is searched and filtered, and not one byte of it changes."""
    RECORD.parent.mkdir()
    r_system.make(RECORD, age)
    r_system.fill(RECORD, "experiments", [r_system.experiment()])
    rows = [
        r_system.result("0012", "le", "A knife.", manual_flag_ind=0),
        r_system.result("12", "cme", "A rope.", manual_flag_ind=1),
        r_system.error("13", "cme", None, "timed out", error_category="timeout"),
    ]
    r_system.fill(RECORD, "narrative_results", rows)
    before = RECORD.read_bytes()
    update(index, r_system.EXPERIMENT_ID)

    def keys(wanted: Wanted) -> list[tuple[str, str]]:
        page = narrative_pages.page_of(index, r_system.EXPERIMENT_ID, wanted, 50)
        return [(row["incident_id"], row["narrative_type"]) for row in narrative_pages.rows_with_ids(page.result_ids)]

    def with_outcome(outcome: str) -> Wanted:
        return Wanted((Property(Kind.OUTCOME, "", outcome),))

    assert keys(Wanted()) == [("0012", "le"), ("12", "cme"), ("13", "cme")]
    assert keys(with_words("knife")) == [("0012", "le")]
    assert keys(with_outcome("false positive")) == [("0012", "le")]
    assert keys(with_outcome("error")) == [("13", "cme")]
    assert RECORD.read_bytes() == before
