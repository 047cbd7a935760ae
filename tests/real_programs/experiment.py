"""The finished experiments that the programs read, and what each file of theirs holds."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tests.project import LABELLED, Project, fake_server
from tests.releases.make import TOO_LONG, answer, reply

ODD = "odd-ids"
DIGITS = "digits"
SLUGS = (ODD, DIGITS)
# What some program or other takes for a number, a date, a truth value or a missing one.
ODD_IDS = [
    *("000123", "123", "NA", "1e5", "TRUE", "F", "null", "None", "nan", "Inf", "0x1A", "2020-01-02", "12:30", "1,5"),
    *("12345678901234567890", "0.10", "#7", "A-12 b", 'O"Neill', "Ärzte;9", "true", "."),
]
# More than any program looks at before it decides what a column holds.
MANY = 600
FEW = 10
HEADER = [*LABELLED, "Year", "Age", "Veteran"]

Table = Mapping[str, Sequence[Any]]


def complete(project: Project) -> None:
    """Run two experiments to their end, against a fake server.

    ODD has ids of all kinds; its reasoning, its only error and the only fractions among the ages come late, behind what
    programs look at first. DIGITS has only ids that might be numbers.
    """
    ids = [*ODD_IDS, *(f"{number:06d}" for number in range(1_000, 1_000 + MANY - len(ODD_IDS)))]
    last = f"text of case {MANY - 1}."
    thinking = {"role": "assistant", "content": answer(confidence=1), "reasoning_content": 'First,\nthe "partner".'}
    with fake_server() as fake:
        fake.behave(replies={f"CME {last}": reply("", message=thinking), f"LE {last}": TOO_LONG})
        for slug, chosen in ((ODD, ids), (DIGITS, [f"{number:06d}" for number in range(FEW)])):
            project.write_workbook(
                [_row(number, name) for number, name in enumerate(chosen)], HEADER, f"data/{slug}.xlsx"
            )
            project.write_params(
                fake.url,
                f"{slug}.yaml",
                experiment={"name": slug, "slug": slug},
                data={"file": f"data/{slug}.xlsx"},
                run={"max_in_flight": 8},
            )
            result = project.snakemake("--configfile", f"{slug}.yaml")
            assert result.returncode == 0, result.stdout


def _row(number: int, name: str) -> list[Any]:
    """One row of the workbook; every fifth incident has no labels, every seventh no other columns."""
    label = None if number % 5 == 4 else number % 2
    age = 30 + number % 40 + (0.5 if number > MANY - 50 else 0)
    others = (None, None, None) if number % 7 == 6 else (2000 + number % 20, age, number % 2 == 0)
    return [name, f"CME text of case {number}.", f"LE text of case {number}.", label, label, label, *others]


def assert_read_right(project: Project, slug: str, file: str, table: Table) -> None:
    """What a program read from a file of an experiment, by column, is what the experiment found.

    table: None for missing; times as `time YYYY-MM-DD HH:MM:SS`.
    """
    if file.endswith(".log"):
        _assert_log(project, slug, file, table)
    else:
        _assert_results(project, slug, file, table)


def _assert_results(project: Project, slug: str, file: str, table: Table) -> None:
    exact = pd.read_parquet(project.folder / "results" / slug / "results.parquet")
    left_out = {"results.xlsx": {"raw_response", "fingerprint"}, "experiments.db": {"Year", "Age", "Veteran"}}
    assert set(table) >= set(exact.columns) - left_out.get(file, set())
    for name in exact.columns.intersection(list(table)):
        expected = [None if pd.isna(value) else value for value in exact[name].tolist()]
        kind = str(exact[name].dtype)
        # A column without one value has no type in some files, and SQLite has no truth values.
        if file == "experiments.db" and kind in ("bool", "boolean"):
            kind, expected = "Int64", [None if value is None else int(value) for value in expected]
        if name == "indicators" and isinstance(table[name][0], list):
            expected = [None if value is None else json.loads(value) for value in expected]
        assert same(table[name], expected, kind), f"{file}: {name}"


def _assert_log(project: Project, slug: str, file: str, table: Table) -> None:
    rows = project.query(
        "SELECT incident_id, narrative_type, processed_at, response_sec, coalesce(error_category, 'ok') "
        "FROM narrative_results JOIN experiments USING (experiment_id) WHERE slug = ?",
        slug,
    )
    expected = {(incident, kind): (time, seconds, status) for incident, kind, time, seconds, status in rows}
    time = "asked_at" if file == "performance.log" else "time"
    columns = ("incident_id", "narrative_type", time, "response_sec", "status", "requests")
    found = list(zip(*(table[name] for name in columns), strict=True))
    assert len(found) == len(expected)
    for incident, kind, asked, seconds, status, requests in found:
        asked_at, response_sec, category = expected[incident, kind]
        assert (status, type(requests)) == (category, int)
        assert seconds is response_sec or abs(seconds - response_sec) < 1e-9
        # The other log tells when the answer was written down.
        assert asked == f"time {asked_at}" or (file != "performance.log" and asked.startswith("time 20"))


def same(found: Sequence[Any], expected: Sequence[Any], kind: str) -> bool:
    """Whether values are the expected ones and of their type, where not all are missing."""
    if len(found) != len(expected):
        return False
    pairs = [pair for pair in zip(found, expected, strict=True) if pair != (None, None)]
    if kind in ("bool", "boolean"):
        return all(value is wanted for value, wanted in pairs)
    if kind == "Float64":
        return all(_is_number(value) and abs(value - wanted) < 1e-12 for value, wanted in pairs)
    return all(value == wanted and not isinstance(value, bool) for value, wanted in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
