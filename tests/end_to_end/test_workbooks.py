"""Workbooks as people keep them: the file, the command, and what a person then reads."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.project import LABELLED, Fake, Project, fake_server
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

PRODUCTION = LABELLED[:3]
Sheets = dict[str, list[list[Any]]]


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    """One server for all of these workbooks."""
    with fake_server() as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project, with an experiment for each workbook."""
    return Project(tmp_path_factory.mktemp("workbooks"))


def text(number: int, kind: str = "CME") -> str:
    """A narrative that is like no other."""
    return f"{kind} text of case {number}: V was found by a neighbor at noon."


def row(number: int, *labels: Any) -> list[Any]:
    """A row of the wide layouts."""
    return [f"{number:04d}", text(number), text(number, "LE"), *labels]


def book(path: Path, sheets: Sheets, hidden: tuple[str, ...] = ()) -> Path:
    """An .xlsx file with these sheets."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for cells in rows:
            sheet.append(cells)
        if name in hidden:
            sheet.sheet_state = "hidden"
    workbook.save(path)
    return path


def written(content: bytes) -> Callable[[Path], Path]:
    """A writer of a file with just this content."""

    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def parquet(**columns: Any) -> Callable[[Path], Path]:
    """A writer of a Parquet file with these columns."""

    def write(path: Path) -> Path:
        pq.write_table(pa.table(columns), path)
        return path

    return write


def with_cells(cells: dict[str, Any], rows: list[list[Any]]) -> Callable[[Path], Path]:
    """A writer of an .xlsx file with these rows, in which some cells then get another value."""

    def write(path: Path) -> Path:
        workbook = openpyxl.load_workbook(book(path, {"Cases": rows}))
        for address, value in cells.items():
            workbook["Cases"][address] = value
            if isinstance(value, str) and value.startswith("#"):
                workbook["Cases"][address].data_type = "e"
        workbook.save(path)
        return path

    return write


def told(project: Project, fake: Fake, path: Path, **data: Any) -> tuple[int, str]:
    """Exit code and screen of a preflight about a workbook."""
    project.track(path)
    where = path.relative_to(project.folder)
    project.write_params(fake.url, "look.yaml", experiment={"name": "Look"}, data={"file": str(where), **data})
    done = project.run("narrative-runs", "preflight", "--configfile", "look.yaml")
    return done.returncode, done.stdout


YEARS: Sheets = {str(year): [PRODUCTION, row(year), row(year + 100)] for year in (2019, 2020, 2021)}
REFUSED: dict[str, tuple[str, Callable[[Path], Path], dict[str, Any], list[str]]] = {
    "several sheets": (
        "years.xlsx",
        lambda path: book(path, YEARS),
        {},
        ["3 sheets with narratives", "'2019': 2 rows", "'2021': 2 rows", 'data.sheet: "2019"'],
    ),
    "raw before labelled": (
        "raw.xlsx",
        lambda path: book(path, {"raw": [PRODUCTION, row(1)], "labelled": [LABELLED, row(1, 1, 0, 1)]}),
        {},
        ["sheet 'raw': 1 rows (production)", "sheet 'labelled': 1 rows (labelled)"],
    ),
    "hidden alone": (
        "hidden.xlsx",
        lambda path: book(path, {"Notes": [["Hello"]], "Old": [PRODUCTION, row(1)]}, hidden=("Old",)),
        {},
        ["hidden sheet 'Old': 1 rows", 'data.sheet: "Old"'],
    ),
    "no such sheet": ("named.xlsx", lambda path: book(path, YEARS), {"sheet": 2022}, ["no sheet '2022'", "'2020'"]),
    "labels that cannot be read": (
        "labels.xlsx",
        lambda path: book(path, {"Cases": [LABELLED, *(row(number, "yes?", "1 or 2", None) for number in range(15))]}),
        {},
        ["ipv_manualCME", "not one that can be read: 15 cells (D2, D3, D4, D5, D6, ...)", "0 or 1, yes or no"],
    ),
    "one id over years": (
        "sites.xlsx",
        lambda path: book(
            path,
            {
                "Cases": [["SiteID", "IncidentYear", *PRODUCTION]]
                + [[9, 2019 + n, "7", text(n), None] for n in range(3)]
            },
        ),
        {},
        ["7 cme: rows 2, 3, 4", "data.id: [IncidentYear, IncidentID]"],
    ),
    "ids of 19 digits": (
        "digits.xlsx",
        lambda path: book(path, {"Cases": [PRODUCTION, [1234567890123456789, text(1), None]]}),
        {},
        ["1 ids in IncidentID", "more than 15 digits (rows 2)"],
    ),
    "ids that are dates": (
        "dates.xlsx",
        lambda path: book(path, {"Cases": [PRODUCTION, [date(2020, 1, 2), text(1), None], row(3)]}),
        {},
        ["1 ids that Excel took for dates (rows 2)"],
    ),
    "other columns": (
        "columns.xlsx",
        lambda path: book(path, {"Cases": [["CaseNo", "ExaminerText", "Age"], ["1", text(1), 30], ["2", text(2), 40]]}),
        {},
        ["found: CaseNo, ExaminerText, Age", "data:\n    columns:\n      incident_id: CaseNo\n      cme: ExaminerText"],
    ),
    "no such column": (
        "map.xlsx",
        lambda path: book(path, {"Cases": [["CaseNo", "Text"], ["1", text(1)]]}),
        {"columns": {"incident_id": "CaseNo", "cme": "Txt"}},
        ["lacks Txt", "found: CaseNo, Text"],
    ),
    "an open quote": (
        "quote.csv",
        written(f'{",".join(PRODUCTION)}\n1,"a, b",c\n2,"never closed,d\n3,e,f\n'.encode()),
        {},
        ["Row 3 cannot be read, from line 3 on", 'A quote (") that opens a text must be closed'],
    ),
    "UTF-16": (
        "utf16.csv",
        written(f"{','.join(PRODUCTION)}\n1,a,b\n".encode("utf-16")),
        {},
        ["is not UTF-8 text, but UTF-16", "CSV UTF-8"],
    ),
    "lists in a column": (
        "lists.parquet",
        parquet(IncidentID=["1"], NarrativeCME=[["a", "b"]], NarrativeLE=[["c"]]),
        {},
        ["no narrative with an id"],
    ),
    "a damaged file": ("damaged.xlsx", written(b"PK\x03\x04 and then nothing"), {}, ["cannot be read", "damaged.xlsx"]),
    "a password": (
        "locked.xlsx",
        written(bytes.fromhex("D0CF11E0A1B11AE1") + bytes(500)),
        {},
        ["protected by a password"],
    ),
    "a type of its own": (
        "types.csv",
        written(b"incident_id,narrative_type,narrative_text,manual_flag_ind\n1,cme,a,1\n1,tox,b,0\n"),
        {},
        [
            "1 rows whose narrative_type is neither cme nor le",
            "row 3: 'tox'",
            "data.columns: {cme: cme, le: le, tox: tox}",
        ],
    ),
}


@pytest.mark.parametrize("case", rest_is_long(REFUSED, 4))
def test_what_would_change_a_number_is_refused(project: Project, fake: Fake, case: str) -> None:
    """A workbook that would be misread is refused in a message that names the place and what to do."""
    name, write, data, words = REFUSED[case]
    code, screen = told(project, fake, write(project.folder / "data" / name), **data)
    assert code == 1 and "Traceback" not in screen
    assert [word for word in words if word not in screen] == [], screen


READ: dict[str, tuple[str, Callable[[Path], Path], dict[str, Any], list[str]]] = {
    "errors and formulas": (
        "errors.xlsx",
        with_cells({"B2": "#N/A", "C3": "#REF!", "B4": "=A1&A2"}, [PRODUCTION, *(row(number) for number in range(4))]),
        {},
        [
            "NarrativeCME: 1 Excel errors, taken as blank: B2",
            "NarrativeCME: 1 formulas without a value, taken as blank: B4",
            "NarrativeLE: 1 Excel errors, taken as blank: C3",
        ],
    ),
    "placeholders": (
        "placeholders.xlsx",
        lambda path: book(
            path,
            {
                "Cases": [
                    PRODUCTION,
                    row(1),
                    ["2", "N/A", "see CME"],
                    ["3", "No report on file", "N/A"],
                    ["4", "NA", "."],
                ]
            },
        ),
        {},
        [
            "5 placeholders instead of narratives (2 CME, 3 LE): 'N/A' 2 times (B3)",
            "data.placeholders: skip leaves them",
        ],
    ),
    "placeholders skipped": (
        "skipped.csv",
        written(f"{','.join(PRODUCTION)}\n1,{text(1)},NULL\n2,NA,Akte fehlt\n".encode()),
        {"placeholders": {"skip": ["akte fehlt"]}},
        ["2 placeholders instead of narratives (0 CME, 2 LE)", "1 narratives (1 CME, 0 LE)", "They are skipped"],
    ),
    "short, repeated and cut texts": (
        "short.xlsx",
        lambda path: book(
            path,
            {"Cases": [PRODUCTION, *([str(n), "V was shot.", text(0)] for n in range(3)), ["9", "a" * 32_767, None]]},
        ),
        {},
        ["3 very short texts: B2, B3, B4", "6 narratives share their text", "1 texts have exactly", "B5"],
    ),
    "incident labels alone": (
        "incidents.xlsx",
        lambda path: book(path, {"Cases": [[*PRODUCTION, "ipv_manual"], *(row(n, n % 2) for n in range(5))]}),
        {},
        ["5 incidents labelled, 2 positive; no narrative has a label of its own"],
    ),
    "raters who disagree": (
        "raters.xlsx",
        lambda path: book(path, {"Cases": [LABELLED, row(1, 1, 0, 1), row(1, 0, 0, 0), row(2, 1, 1, 1)]}),
        {},
        ["2 keys are repeated with another label, and now have none: 0001 cme (rows 2, 3), 0001 le"],
    ),
    "a cell in the last row and column": (
        "stray.xlsx",
        with_cells({"XFD1048576": "stray"}, [PRODUCTION, row(1)]),
        {},
        ["1 rows, 2 narratives"],
    ),
    "invisible characters in the header": (
        "invisible.xlsx",
        lambda path: book(path, {"Cases": [["\ufeffIncidentID", "Narrative\u200bCME", "NarrativeLE\u00a0"], row(1)]}),
        {},
        ["1 rows, 2 narratives"],
    ),
    "a title above the header": (
        "title.xlsx",
        lambda path: book(path, {"Cases": [["All deaths, 2020"], [], PRODUCTION, row(1)]}),
        {},
        ["1 rows, 2 narratives"],
    ),
    "semicolons": (
        "semicolons.csv",
        written(f"\ufeff{';'.join(PRODUCTION)}\n2999.0;{text(1)};\n1e+05;;{text(2)}\n".encode()),
        {},
        ["2 rows, 2 narratives (1 CME, 1 LE)"],
    ),
    "NUL characters": (
        "nul.csv",
        written(f"{','.join(PRODUCTION)}\n1,{text(1)}\0\0,\0\n".encode()),
        {},
        ["1 rows, 1 narratives"],
    ),
    "types of Parquet": (
        "types.parquet",
        parquet(
            IncidentID=pa.array([2**62 + 1, 2**62 + 2]),
            NarrativeCME=pa.array([text(1).encode(), text(2).encode()]),
            NarrativeLE=pa.array([text(3), text(3)]).dictionary_encode(),
            When=pa.array([0, 1], pa.timestamp("ns", tz="Europe/Berlin")),
            Tags=pa.array([["a"], []]),
        ),
        {},
        ["2 rows, 4 narratives", "Tags: 2 values of the type list<element: string>"],
    ),
}


@pytest.mark.parametrize("case", rest_is_long(READ, 3))
def test_what_a_person_would_want_to_know_is_told(project: Project, fake: Fake, case: str) -> None:
    """What can be read is read, and what a person would want to know before trusting a number is said."""
    name, write, data, words = READ[case]
    code, screen = told(project, fake, write(project.folder / "data" / name), **data)
    assert code == 0 and "Traceback" not in screen, screen
    assert [word for word in words if word not in screen] == [], screen


@pytest.mark.long
def test_all_sheets_in_a_whole_run(project: Project, fake: Fake) -> None:
    """Three named sheets give all six narratives, told at the start, and each result says from which sheet it is."""
    project.track(book(project.folder / "data/all.xlsx", YEARS))
    refused = {"file": "data/all.xlsx"}
    project.write_params(fake.url, "all.yaml", experiment={"name": "All", "slug": "all"}, data=refused)
    first = project.snakemake("--configfile", "all.yaml")
    assert first.returncode == 1 and "'2020': 2 rows (production)" in first.stdout and "Traceback" not in first.stdout
    named = {**refused, "sheet": ["2019", "2020", "2021"]}
    project.write_params(fake.url, "all.yaml", experiment={"name": "All", "slug": "all"}, data=named)
    done = project.snakemake("--configfile", "all.yaml")
    assert done.returncode == 0, done.stdout
    assert "Sheets '2019', '2020', '2021' of all.xlsx" in done.stdout
    table = pq.read_table(project.folder / "results/all/results.parquet").to_pydict()
    assert len(table["row_num"]) == 12 and sorted(set(table["source_sheet"])) == ["2019", "2020", "2021"]
    assert project.read_json("results/all/data_quality.json")["sheet"] == ["2019", "2020", "2021"]
    traced = project.run("narrative-runs", "trace", "2120", "le", "all")
    assert traced.returncode == 0, traced.stdout
    assert "source_sheet      2020\nsource_row        3\n" in traced.stdout
    again = project.snakemake("--configfile", "all.yaml", "--config", "data={sheet: '2019'}")
    assert "data.sheet has been frozen" in again.stdout


@pytest.mark.long
def test_columns_and_types_of_ones_own_in_a_whole_run(project: Project, fake: Fake) -> None:
    """Three narrative types under other names, with other columns and a key of two parts, go through everything."""
    header = ["Site", "CaseNo", "Sex", "Examiner", "Police", "Lab", "V Examiner", "V Lab", "detected"]
    kinds = ("Examiner", "Police", "Lab")
    rows = [
        [
            site,
            number,
            "FM"[number % 2],
            *(text(10 * number + site, kind) for kind in kinds),
            number % 2,
            site % 2,
            "+x",
        ]
        for site in (1, 2)
        for number in range(6)
    ]
    rows[0][4] = "see CME"
    project.track(book(project.folder / "data/own.xlsx", {"Cases": [header, *rows]}))
    columns = {"cme": "Examiner", "le": "Police", "lab": "Lab", "label_cme": "V Examiner", "label_lab": "V Lab"}
    data = {"file": "data/own.xlsx", "id": ["Site", "CaseNo"], "columns": columns, "placeholders": "skip"}
    project.write_params(fake.url, "own.yaml", experiment={"name": "Own", "slug": "own"}, data=data)
    done = project.snakemake("--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout
    assert "12 rows, 35 narratives (12 CME, 12 lab, 11 LE)" in done.stdout, done.stdout
    metrics = project.read_json("results/own/metrics.json")
    assert list(metrics["by_type"]) == ["cme", "lab", "le"] and metrics["agreement"] is None
    assert [metrics["by_type"][kind]["n"] for kind in ("cme", "le", "lab")] == [12, 0, 12]
    with (project.folder / "results/own/results.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert {row["incident_id"] for row in found} == {f"{site}/{number}" for site in (1, 2) for number in range(6)}
    assert {(row["Sex"], row["workbook_detected"]) for row in found} == {("F", "'+x"), ("M", "'+x")}
    results = json.loads((project.folder / "results/own/results.json").read_text(encoding="utf-8"))
    assert {(row["Site"], row["CaseNo"]) for row in results} == {(s, n) for s in (1, 2) for n in range(6)}
    ((skipped, total),) = project.query(
        "SELECT n_narratives_skipped, n_narratives_total FROM experiments WHERE slug = 'own'"
    )
    assert (skipped, total) == (1, 35)
    report = (project.folder / "results/own/report.html").read_text(encoding="utf-8")
    assert "see CME" in report and "lab" in report
    assert project.run("narrative-runs", "trace", "1/3", "lab", "own").returncode == 0
    plain = project.run("narrative-runs", "export", "own", "--no-text", "--columns", "Sex", "--output", "plain.csv")
    assert plain.returncode == 0, plain.stdout
    assert (project.folder / "plain.csv").read_text(encoding="utf-8").splitlines()[0].endswith(",Sex")
    assert project.run("narrative-runs", "export", "own", "--review", "8", "--blind").returncode == 0
    blind = openpyxl.load_workbook(project.folder / "results/own/review.xlsx").active
    assert blind is not None and "Sex" not in [cell.value for cell in blind[1]]
    proved = project.run("narrative-runs", "prove", "--configfile", "own.yaml")
    assert proved.returncode == 0 and "(results/own/), the experiment of own.yaml\n" in proved.stdout, proved.stdout
    asked = fake.asked
    (project.folder / "results/own/results.csv").unlink()
    assert project.snakemake("--configfile", "own.yaml").returncode == 0
    assert fake.asked == asked
