import random
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.record import database, narrative_pages, search_index
from narrative_runs.record.narrative_pages import Count, Wanted, count_of, page_of, rows_with_ids
from narrative_runs.record.search_index import Kind, Property, SearchIndex
from narrative_runs.record.search_words import terms_of

N = 3_000
SEXES = ("female", "male")
OUTCOMES = {
    (1, 1): "true positive",
    (1, 0): "false positive",
    (0, 1): "false negative",
    (0, 0): "true negative",
}
COLUMNS = (
    *("experiment_id", "incident_id", "narrative_type", "row_num", "narrative_text", "manual_flag_ind", "detected"),
    *("error_occurred", "error_category", "p_detected"),
)


def outcome_of(row: dict[str, Any]) -> str:
    """What came out of a row, told once more."""
    if row["error_occurred"]:
        return "error"
    return "no label" if row["manual_flag_ind"] is None else OUTCOMES[row["detected"], row["manual_flag_ind"]]


def rows_of(chance: random.Random) -> list[dict[str, Any]]:
    """Rows of results in any order, with words of which some are rare."""
    rows = []
    for number in range(1, N + 1):
        failed, words = chance.random() < 0.05, ["report"]
        words += ["knife"] * (chance.random() < 0.4) + ["kitchen"] * (chance.random() < 0.3)
        words += ["shotgun"] * (chance.random() < 0.003)
        chance.shuffle(words)
        rows.append(
            {
                "experiment_id": "a",
                "incident_id": f"{number // 2:05d}",
                "narrative_type": ("cme", "le")[number % 2],
                "row_num": number,
                "narrative_text": " ".join(words),
                "manual_flag_ind": chance.choice([None, 0, 1]),
                "detected": None if failed else chance.choice([0, 0, 1]),
                "error_occurred": int(failed),
                "error_category": chance.choice(["timeout", "parse_error"]) if failed else None,
                "p_detected": None if failed else round(chance.random(), 3),
            }
        )
    chance.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The index of an experiment of many narratives, beside another one, and its rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        rows = rows_of(random.Random(1))
        others = [{**row, "experiment_id": "b"} for row in rows[:50]]
        with database.transaction() as connection:
            for name in ("a", "b"):
                database.put_experiment(
                    connection, name, {"experiment_name": name, "slug": name, "status": "completed"}
                )
            connection.executemany(
                f"INSERT INTO narrative_results ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})",
                [tuple(row[column] for column in COLUMNS) for row in [*others, *rows]],
            )
        index = SearchIndex()
        groups = {"Sex": [SEXES[number % 3 == 0] for number in range(1, N + 1)]}
        for name in ("a", "b"):
            search_index.update(index, name, DEFAULT, groups)
        yield index, sorted(rows, key=lambda row: int(row["row_num"]))


def has(row: dict[str, Any], wanted: Wanted) -> bool:
    """Whether a row is wanted, told row by row."""
    of_kind = {
        Kind.OUTCOME: outcome_of(row),
        Kind.TYPE: row["narrative_type"],
        Kind.ERROR: row["error_category"],
        Kind.GROUP: SEXES[row["row_num"] % 3 == 0],
        Kind.VALUE: {1: "yes", 0: "no"}.get(row["detected"]),
    }
    words = row["narrative_text"].split()
    in_words = all(" ".join(term.words) in " ".join(words) for term in wanted.terms)
    p = row["p_detected"]
    in_range = (wanted.least is None or (p is not None and p >= wanted.least)) and (
        wanted.greatest is None or (p is not None and p <= wanted.greatest)
    )
    return in_words and in_range and all(of_kind[each.kind] == each.value for each in wanted.properties)


def properties(*texts: str) -> tuple[Property, ...]:
    kinds = {"cme": Kind.TYPE, "timeout": Kind.ERROR, "yes": Kind.VALUE, **dict.fromkeys(SEXES, Kind.GROUP)}
    names = {Kind.GROUP: "Sex", Kind.VALUE: DEFAULT.first_binary or ""}
    found = [(kinds.get(text, Kind.OUTCOME), text) for text in texts]
    return tuple(Property(kind, names.get(kind, ""), text) for kind, text in found)


def words(typed: str) -> tuple[Any, ...]:
    return tuple(terms_of(typed))


WANTED = [
    Wanted(),
    Wanted(properties("false positive")),
    Wanted(properties("false negative", "cme", "male")),
    Wanted(properties("error", "timeout")),
    Wanted(properties("true negative", "yes")),
    Wanted(properties("no such outcome")),
    Wanted(least=0.9),
    Wanted(least=0.5, greatest=0.501),
    Wanted(properties("true positive"), least=0.2, greatest=0.4),
    Wanted(properties("timeout"), least=0.0),
    Wanted(terms=words("report")),
    Wanted(terms=words("shotgun")),
    Wanted(terms=words('"kitchen knife"')),
    Wanted(properties("false positive"), words("knife kitchen")),
    Wanted(properties("no label", "cme"), words("report"), least=0.5),
    Wanted(properties("timeout"), words("shotgun")),
    Wanted(terms=words("knife"), greatest=0.001),
    Wanted(terms=words("nowhere")),
]


@pytest.mark.parametrize("wanted", WANTED, ids=range(len(WANTED)))
@pytest.mark.slow
def test_pages_hold_what_is_wanted_once(world: Any, wanted: Wanted) -> None:
    """Forwards and backwards, the pages of a list together hold each wanted narrative once, in the workbook's order,
    and their number is the count."""
    index, rows = world
    expected = [row["row_num"] for row in rows if has(row, wanted)]
    assert count_of(index, "a", wanted) == Count(len(expected))
    forwards: list[int] = []
    page = page_of(index, "a", wanted, 300)
    assert not page.has_earlier
    while page.result_ids:
        forwards += [row["row_num"] for row in rows_with_ids(page.result_ids)]
        assert page.has_later == (len(forwards) < len(expected))
        page = page_of(index, "a", wanted, 300, after=page.last)
    assert forwards == expected
    backwards: list[int] = []
    page = page_of(index, "a", wanted, 300, before=N + 1)
    while page.result_ids:
        backwards = [row["row_num"] for row in rows_with_ids(page.result_ids)] + backwards
        assert page.has_earlier == (len(backwards) < len(expected))
        page = page_of(index, "a", wanted, 300, before=page.first)
    assert backwards == expected


def test_a_count_that_takes_too_long_says_at_least(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no time to count to the end, the count says so, and is not above what there is."""
    index, _ = world
    whole = count_of(index, "a", Wanted(properties("cme", "male")))
    monkeypatch.setattr(narrative_pages, "COUNT_FOR_S", 0.0)
    monkeypatch.setattr(narrative_pages, "_INSTRUCTIONS_BETWEEN_LOOKS", 100)
    part = count_of(index, "a", Wanted(properties("cme", "male")))
    assert whole.is_all and not part.is_all and part.n < whole.n


def test_choices_are_counted(world: Any) -> None:
    """What narratives can be filtered by is said with how many have it."""
    index, rows = world
    there = narrative_pages.choices(index, "a")
    for known, n in there.items():
        assert n == sum(has(row, Wanted((known,))) for row in rows)
    assert {known.value for known in there if known.kind is Kind.OUTCOME} == {*OUTCOMES.values(), "error", "no label"}


def test_whether_there_are_probabilities_is_known(world: Any) -> None:
    """A form asks for probabilities where there are any."""
    index, _ = world
    assert narrative_pages.has_probabilities(index, "a", "")
    assert not narrative_pages.has_probabilities(index, "a", "weapon")
    assert not narrative_pages.has_probabilities(index, "nobody", "")


def test_rows_come_in_the_order_asked_for(world: Any) -> None:
    """Rows come as their ids are given, with their outcome; one that was removed meanwhile is left out."""
    index, rows = world
    page = page_of(index, "a", Wanted(), 5)
    given = rows_with_ids([*reversed(page.result_ids), 10**9])
    assert [row["row_num"] for row in given] == [5, 4, 3, 2, 1]
    assert [row["outcome"] for row in given] == [outcome_of(row) for row in rows[4::-1]]
    assert rows_with_ids([]) == []
    assert narrative_pages.position_of(index, "a", given[0]) == 5
    assert narrative_pages.position_of(index, "nobody", given[0]) is None


def test_an_experiment_without_an_index_has_no_pages(world: Any) -> None:
    """Before its first row is known, nothing is found, and nothing fails."""
    index, _ = world
    assert page_of(index, "nobody", Wanted(), 5).result_ids == ()
    assert count_of(index, "nobody", Wanted()) == Count(0)
    assert Path("results/search_index.db").exists()
