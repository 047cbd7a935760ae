"""Two experiments that ran to their end, compared and given out from outside."""

import csv
import re
import shlex
import stat
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest

from tests.fake_server import answer_to
from tests.project import Project, cases, fake_server
from tests.reviewed_experiment import fill

pytestmark = pytest.mark.end_to_end

COUNT = 12
FAILED = "CME text of case 3."
MENDED = "LE text of case 5."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with the experiments `cases` and `other`. The other has another prompt and workbook, in which one text
    and one label are not the same; and one of its answers cannot be read."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.environment["COLUMNS"] = "80"
    rows = cases(COUNT)
    project.write_workbook(rows)
    rows[5][2] = "LE text of case 5, mended."
    rows[7][3] = 1 - rows[7][3]
    project.write_workbook(rows, name="data/other.xlsx")
    with fake_server() as fake:
        project.write_params(fake.url)
        result = project.snakemake()
        assert result.returncode == 0, result.stdout
        fake.behave(only_if=FAILED, body='{"choices": [{"message": {"content": "no answer"}}]}')
        project.write_params(
            fake.url,
            "other.yaml",
            experiment={"name": "Other", "slug": "other"},
            prompt={"user_template": "Read this: <<TEXT>>"},
            data={"file": "data/other.xlsx"},
        )
        result = project.snakemake("--configfile", "other.yaml")
        assert result.returncode == 0, result.stdout
    yield project


def detections() -> list[tuple[str, str, bool, bool]]:
    """(incident_id, narrative_type, detected in cases, detected in other) of each narrative that both answered."""
    found = []
    for row in cases(COUNT):
        for kind, text in (("cme", row[1]), ("le", row[2])):
            if text not in (FAILED, MENDED):
                asked = (f"Narrative: {text}", f"Read this: {text}")
                first, other = (bool(answer_to(message)["detected"]) for message in asked)
                found.append((row[0], kind, first, other))
    return found


def read_csv(project: Project, name: str) -> list[dict[str, Any]]:
    """The rows of a CSV file of the project."""
    with (project.folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def compared(project: Project) -> str:
    """What `compare` prints of the two, which writes its files to `results/compared`."""
    result = project.run("narrative-runs", "compare", "cases", "other", "--csv", "results/compared")
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_the_terminal_tells_what_differs(compared: str) -> None:
    """Params, workbooks, labels and changes are told on 80 columns, and no narrative is."""
    assert max(map(len, compared.splitlines())) <= 80
    assert "The workbooks are not the same" in compared and "Labels differ" in compared
    for key in ("prompt.user_template", "source_md5", "experiment.name", "data.file"):
        assert f"\n{key} " in compared
    assert "model.temperature" not in compared
    assert "text of case" not in compared


def test_the_narratives_that_changed_are_those_of_the_answers(project: Project, compared: str) -> None:
    """Each narrative with another detection is in the file once, and no other; and the tests count the same."""
    changed = [
        (incident, kind, str(first).upper(), str(other).upper())
        for incident, kind, first, other in detections()
        if first != other
    ]
    rows = read_csv(project, "results/compared/changed.csv")
    names = ("incident_id", "narrative_type", "detected_first", "detected_other")
    assert [tuple(row[name] for name in names) for row in rows] == changed
    overall = read_csv(project, "results/compared/tests.csv")[0]
    assert [overall[name] for name in ("n_error", "n_other_text", "n_other_label", "n_compared")] == [
        "1",
        "1",
        "1",
        str(2 * COUNT - 2),
    ]
    assert int(overall["only_first_detected"]) + int(overall["only_other_detected"]) == len(changed) > 0
    for path in (project.folder / "results/compared").iterdir():
        assert "text of case" not in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_metrics_beside_each_other_are_those_of_each(project: Project, compared: str) -> None:
    """The rates in the file are those of the two metrics.json."""
    told = {
        (row["scope"], row["metric"], row["experiment"]): row
        for row in read_csv(project, "results/compared/metrics.csv")
    }
    for slug in ("cases", "other"):
        metrics = project.read_json(f"results/{slug}/metrics.json")
        assert float(told["incident", "accuracy", slug]["low"]) == metrics["incident"]["accuracy"]["low"]
        assert float(told["cme", "n", slug]["value"]) == metrics["by_type"]["cme"]["n"]


def test_files_of_a_comparison_are_not_overwritten(project: Project, compared: str) -> None:
    """Named a second time, the folder is refused; an experiment by its id is the same as by its slug."""
    ((identity,),) = project.query("SELECT experiment_id FROM experiments WHERE slug = 'other'")
    words = ("narrative-runs", "compare", "cases", identity, "--csv", "results/compared")
    refused = project.run(*words)
    assert refused.returncode == 1 and "params.csv already exists" in refused.stdout
    assert project.run(*words, "--force").stdout == compared


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "cases", "nothing"), "There is no experiment nothing under results/"),
        (("compare", "cases", "cases"), "different experiments"),
        (("compare", "cases", "logs"), "There is no experiment logs"),
        (("export", "cases", "--no-text", "--seed", "1"), "--seed and --blind can only be used with --review"),
        (("export", "cases", "--review", "2"), "Ask for 4 or more"),
        (("export", "cases", "--review", "20", "--output", "review.ods"), "must end in .xlsx or .csv"),
        (("export", "cases", "--no-text", "--output", "data"), "must end in .xlsx or .csv"),
    ],
)
def test_mistakes_are_told(project: Project, words: tuple[str, ...], message: str) -> None:
    """A user's mistake ends with a message and exit code 1, and writes nothing."""
    result = project.run("narrative-runs", *words)
    assert result.returncode == 1
    assert message in result.stdout and "Traceback" not in result.stdout


def test_export_needs_to_know_what(project: Project) -> None:
    """Without either option it names both, and ends with an error."""
    result = project.run("narrative-runs", "export")
    assert result.returncode != 0
    assert "--review" in result.stdout and "--no-text" in result.stdout and "Traceback" not in result.stdout


def test_a_sample_for_review(project: Project) -> None:
    """Without a name it is of the experiment started last: in its folder, its owner's, of whole incidents, errors among
    them; a second command does not overwrite it, and its verdicts come back into a sample."""
    words = ("narrative-runs", "export", "--review", "8", "--seed", "3")
    result = project.run(*words)
    assert result.returncode == 0, result.stdout
    assert "8 incidents, 16 narratives, for whoever reads it." in result.stdout
    path = project.folder / "results/other/review.xlsx"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, *rows = openpyxl.load_workbook(path)["review"].values
    texts = [row[header.index("narrative_text")] for row in rows]
    assert len(texts) == 16 and all("text of case" in str(text) for text in texts) and FAILED in texts
    content = path.read_bytes()
    refused = project.run(*words)
    assert refused.returncode == 1 and "review.xlsx already exists" in refused.stdout
    assert project.run(*words, "--force").returncode == 0
    assert path.read_bytes() == content
    command = re.findall(r"`(narrative-runs review import [^`]*)`", result.stdout)[0].replace("NAME", "cleo")
    fill(path, lambda _: 1)
    brought = project.run(*shlex.split(command))
    assert "cleo: 16 new verdicts, 0 changed" in brought.stdout and "estimate" not in brought.stdout, brought.stdout
    assert project.query("SELECT DISTINCT purpose FROM reviews") == [("sample",)]


def test_a_blind_sample_is_of_the_same_rows(project: Project) -> None:
    """The same seed gives a blind reviewer the rows of the key, as CSV where the name says so."""
    common = ("narrative-runs", "export", "cases", "--review", "10", "--output")
    assert project.run(*common, "results/key.csv").returncode == 0
    assert project.run(*common, "results/blind.csv", "--blind").returncode == 0
    key, blind = read_csv(project, "results/key.csv"), read_csv(project, "results/blind.csv")
    assert [row["row_num"] for row in key] == [row["row_num"] for row in blind]
    assert sum(float(row["sampling_weight"]) for row in key) == pytest.approx(2 * COUNT)
    assert list(blind[0])[4:] == ["narrative_text", "reviewer_verdict", "reviewer_notes"]


def test_asked_for_more_than_there_are_all_are_given(project: Project) -> None:
    """A sample larger than the workbook holds all of it, and the command says so."""
    result = project.run("narrative-runs", "export", "cases", "--review", "500", "--output", "results/all.csv")
    assert "There are only 12: all were taken." in result.stdout
    assert len(read_csv(project, "results/all.csv")) == 24


def test_results_without_text(project: Project) -> None:
    """The file for others has every row, the numbers of the record, and none of its texts, ids or fingerprints."""
    result = project.run("narrative-runs", "export", "cases", "--no-text")
    assert result.returncode == 0, result.stdout
    path = project.folder / "results/cases/no_text.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = read_csv(project, "results/cases/no_text.csv")
    told = [
        (int(row["row_num"]), int(row["incident"]), row["narrative_type"], row["detected"] == "TRUE") for row in rows
    ]
    assert told == project.query(
        "SELECT row_num, CAST(incident_id AS INTEGER) + 1, narrative_type, detected FROM narrative_results "
        "JOIN experiments USING (experiment_id) WHERE slug = 'cases' ORDER BY row_num"
    )
    content = path.read_text()
    columns = "narrative_text, rationale, raw_response, fingerprint, indicators"
    for texts in project.query(f"SELECT {columns} FROM narrative_results WHERE indicators != '[]'"):
        assert not [text for text in texts if text in content]
