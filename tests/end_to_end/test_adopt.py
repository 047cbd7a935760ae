"""An experiment that the R system began, gone on with here."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.source.checksum import md5_of
from tests.fake_server import answer_to
from tests.migration import r_system
from tests.project import Fake, Project, cases, fake_server

pytestmark = pytest.mark.end_to_end

CASES = 1000
ERRORS = 40
ADOPTED = 1203
EXPERIMENT = f"experiment_id={r_system.EXPERIMENT_ID}"


def texts(count: int) -> list[tuple[str, str, str]]:
    """(incident id, type, text) of all narratives of `cases(count)`, in the workbook's order."""
    return [(row[0], kind, row[place]) for row in cases(count) for kind, place in (("cme", 1), ("le", 2))]


class HalfFinished:
    """2,000 narratives, of which the R system answered 1,203: adopted, finished, and its errors asked again."""

    def __init__(self, project: Project, fake: Fake) -> None:
        self.project = project
        workbook = project.write_workbook(cases(CASES))
        record = project.folder / "production_20k.db"
        r_system.make(record)
        r_system.fill(
            record,
            "experiments",
            [
                r_system.experiment(
                    api_url=f"{fake.url}/chat/completions", status="failed", n_narratives_total=2 * CASES
                )
            ],
        )
        self.r_rows = [
            r_system.error(*key, "Timeout was reached", attempt_count=2, first_error_message="HTTP 500")
            if number % 30 == 0
            else r_system.result(*key, attempt_count=1 + number % 2, detected=number % 2)
            for number, key in enumerate(texts(CASES)[: ADOPTED - 3])
        ]
        # Ids and texts as R's readers write them; and a text that was edited since.
        one, two, three, edited = texts(CASES)[-4:]
        self.r_rows += [
            r_system.result(one[0], "CME", one[2]),
            r_system.result(two[0], "le", f"  {two[2]}\r\n"),
            r_system.result(*three),
        ]
        r_system.fill(record, "narrative_results", self.r_rows)
        r_system.fill(record, "narrative_results", [r_system.result(edited[0], "le", "Another text.")])
        r_system.fill(record, "narrative_results", [r_system.result("9999", "cme", "Not in the workbook.")])
        self.edited = edited
        source = {"data_source": "data/cases.xlsx", "data_checksum": md5_of(workbook)}
        r_system.fill(
            record,
            "source_narratives",
            [
                {"incident_id": incident_id, "narrative_type": kind, "narrative_text": text, **source}
                for incident_id, kind, text in texts(CASES)
            ],
        )
        self.record_before = record.read_bytes()
        self.adopted = project.run("narrative-runs", "adopt", "production_20k.db", r_system.EXPERIMENT_ID)
        self.record_after = record.read_bytes()
        self.row_adopted = self.experiment()
        self.again = project.run("narrative-runs", "adopt", "production_20k.db", r_system.EXPERIMENT_ID)
        self.finished = project.snakemake("--config", EXPERIMENT)
        self.asked_to_finish = Counter(fake.calls()["asked"])
        self.row_finished = self.experiment()
        self.rows_finished = self.rows()
        self.retried = project.run("snakemake", "--forcerun", "retry_errors", "--config", EXPERIMENT)
        self.asked_again = Counter(fake.calls()["asked"]) - self.asked_to_finish

    def experiment(self) -> dict[str, Any]:
        """The experiment's row in our record."""
        columns = [row[1] for row in self.project.query("PRAGMA table_info(experiments)")]
        rows = self.project.query("SELECT * FROM experiments")
        return dict(zip(columns, rows[0], strict=True)) if rows else {}

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All results in our record, by narrative."""
        columns = [row[1] for row in self.project.query("PRAGMA table_info(narrative_results)")]
        rows = [dict(zip(columns, row, strict=True)) for row in self.project.query("SELECT * FROM narrative_results")]
        assert len(rows) == len({(row["incident_id"], row["narrative_type"]) for row in rows})
        return {(row["incident_id"], row["narrative_type"]): row for row in rows}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HalfFinished]:
    """The half-finished experiment, after all of its way."""
    with fake_server() as fake:
        yield HalfFinished(Project(tmp_path_factory.mktemp("half")), fake)


@pytest.mark.long
def test_adopting_tells_what_came_over(half: HalfFinished) -> None:
    """The screen counts what was adopted and what is left, and names rows that were not taken."""
    told = half.adopted.stdout
    assert half.adopted.returncode == 0, told
    assert "2,000 narratives in the workbook, 2,000 wanted: 1,203 results adopted, 40 of them errors; 797 are" in told
    assert f"1 not adopted, and asked again: the text in the workbook is different: {half.edited[0]} le" in told
    assert "1 left out: not in the workbook: 9999 cme" in told
    assert "its checksum is the one that the R system stored" in told
    assert f"snakemake --cores 4 --config {EXPERIMENT}" in told
    assert half.record_after == half.record_before


@pytest.mark.long
def test_the_experiment_keeps_what_it_was(half: HalfFinished) -> None:
    """Id, status, times, notes, prompts and seed are the R system's, in record and experiment.yaml."""
    expected = r_system.experiment(status="failed")
    for column in (
        "experiment_id",
        "status",
        "start_time",
        "created_at",
        "notes",
        "system_prompt",
        "user_template",
        "run_seed",
        "temperature",
        "model_name",
        "model_provider",
        "prompt_version",
        "hostname",
        "r_version",
    ):
        assert half.row_adopted[column] == expected[column], column
    assert half.row_adopted["n_narratives_processed"] == ADOPTED
    assert half.row_adopted["n_narratives_completed"] == ADOPTED - ERRORS
    assert half.row_finished["status"] == "completed"
    for column in ("start_time", "created_at", "notes", "r_version"):
        assert half.row_finished[column] == expected[column], column


@pytest.mark.long
def test_what_is_here_is_not_adopted_again(half: HalfFinished) -> None:
    """A second adopt is refused, and says where the experiment is."""
    assert half.again.returncode == 1
    assert "is already here, in results/r-run-thresholds-0-5/" in half.again.stdout


@pytest.mark.long
def test_exactly_the_missing_narratives_are_asked(half: HalfFinished) -> None:
    """Finishing asks once for each narrative without an adopted answer, and for no other; each has one row."""
    assert half.finished.returncode == 0, half.finished.stdout
    assert "[ERRORS]" not in half.finished.stdout
    narratives = texts(CASES)
    missing = [*narratives[ADOPTED - 3 : -4], narratives[-1]]
    assert half.asked_to_finish == Counter(f"Narrative: {text}" for _, _, text in missing)
    assert len(half.asked_to_finish) == 2 * CASES - ADOPTED
    assert set(half.rows_finished) == {key[:2] for key in narratives}
    for incident_id, kind, text in missing:
        answer = answer_to(f"Narrative: {text}")
        assert half.rows_finished[incident_id, kind]["rationale"] == answer["rationale"]


@pytest.mark.long
def test_adopted_rows_keep_every_value(half: HalfFinished) -> None:
    """Answers, reasoning, raw replies, times, tokens, errors and attempt counts are the R system's."""
    for given in half.r_rows:
        row = half.rows_finished[given["incident_id"], given["narrative_type"].lower()]
        for column in (
            "detected",
            "confidence",
            "rationale",
            "reasoning_steps",
            "raw_response",
            "response_sec",
            "processed_at",
            "error_occurred",
            "error_message",
            "prompt_tokens",
            "completion_tokens",
            "tokens_used",
        ):
            assert row[column] == given.get(column), column
        assert row["indicators"] == (given["indicators"] or "[]")
        assert row["attempt_count"] == given.get("attempt_count", 1)
        assert row["first_error_message"] == given.get("first_error_message")
        assert row["error_category"] == ("timeout" if given["error_occurred"] else None)


@pytest.mark.long
def test_exactly_the_failed_narratives_are_asked_again(half: HalfFinished) -> None:
    """retry_errors asks once for each adopted error, which is then an answer of one more attempt."""
    assert half.retried.returncode == 0, half.retried.stdout
    failed = [row for row in half.r_rows if row["error_occurred"]]
    assert half.asked_again == Counter(f"Narrative: {row['narrative_text']}" for row in failed)
    assert len(failed) == ERRORS
    rows = half.rows()
    assert len(rows) == 2 * CASES
    for given in failed:
        row = rows[given["incident_id"], given["narrative_type"]]
        assert (row["error_occurred"], row["attempt_count"]) == (0, 3)
        assert row["first_error_message"] == "HTTP 500"


class Complete:
    """A completed experiment of an old record, adopted while no server is there."""

    def __init__(self, project: Project) -> None:
        self.project = project
        header = ["IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE", "ipv_manual"]
        rows: list[list[Any]] = [
            [101, "V was hit by her partner.", "LE text", 1, 0, 1],
            [102, "text two", None, None, None, None],
            [103, "Une naïveté — “text”", "text three", 0, 1, 1],
        ]
        project.write_workbook(rows, header)
        self.record = project.folder / "old.db"
        r_system.make(self.record, "before tokens")
        r_system.fill(
            self.record,
            "experiments",
            [
                r_system.experiment(
                    status="completed",
                    end_time="2025-10-27 11:00:00",
                    total_runtime_sec=7200.5,
                    accuracy=0.4,
                    precision_ipv=0.5,
                    n_true_positive=1,
                    n_narratives_total=6,
                    n_narratives_processed=5,
                    n_narratives_completed=4,
                    n_narratives_skipped=1,
                )
            ],
        )
        r_system.fill(
            self.record,
            "narrative_results",
            [
                # As SQLite keeps a number of R in a column of texts.
                r_system.result(101.0, "cme", "V was hit by her partner.", detected=1),
                r_system.result("101", "le", "LE text", detected=1),
                r_system.result("102", "cme", "text two", detected=0),
                r_system.result("103", "cme", "Une naïveté — “text”", detected=0, processed_at="2025-10-27 10:30:00"),
                r_system.error("103", "le", "text three", "lexical error: invalid char in json text"),
            ],
        )
        self.adopted = project.run("narrative-runs", "adopt", "old.db", r_system.EXPERIMENT_ID, "--slug", "old")
        self.resumed = project.snakemake("--config", EXPERIMENT)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Complete:
    """The completed experiment, adopted."""
    return Complete(Project(tmp_path_factory.mktemp("complete")))


def test_a_completed_experiment_comes_over_as_completed(complete: Complete) -> None:
    """It is merged and measured without a server, keeps its times, and cannot be resumed."""
    assert complete.adopted.returncode == 0, complete.adopted.stdout
    assert complete.project.query(
        "SELECT status, end_time, total_runtime_sec, hostname, start_time, n_narratives_total, n_narratives_processed, "
        "n_narratives_completed FROM experiments"
    ) == [("completed", "2025-10-27 11:00:00", 7200.5, "mac-studio", "2025-10-27 09:00:00", 5, 5, 4)]
    assert complete.resumed.returncode == 1
    assert "Cannot resume completed experiment" in complete.resumed.stdout


def test_its_metrics_are_recomputed_and_differences_named(complete: Complete) -> None:
    """The R system's measures stand beside ours, and each that differs is named with both values and the reason."""
    overall = complete.project.read_json("results/old/metrics.json")["overall"]
    assert (overall["tp"], overall["fp"], overall["fn"], overall["tn"]) == (1, 1, 0, 1)
    kept = complete.project.read_json("results/old/r_metrics.json")
    assert kept["r_system"]["accuracy"] == 0.4
    named = {difference["column"]: difference for difference in kept["differences"]}
    assert set(named) == {"accuracy", "n_narratives_total"}
    assert named["accuracy"]["here"] == pytest.approx(2 / 3)
    assert "R divided by all 5 rows, errors and unlabelled ones included" in named["accuracy"]["why"]
    assert "accuracy: 0.4000 by the R system, 0.6667 here" in complete.adopted.stdout


def test_only_the_owner_can_read_what_came_over(complete: Complete) -> None:
    """Narratives are restricted data: neither the experiment's files nor the record are open to others."""
    results = complete.project.folder / "results"
    for path in (results / "experiments.db", results / "old", *(results / "old").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.long
def test_its_errors_can_be_asked_again(complete: Complete, fake: Fake) -> None:
    """retry_errors of a completed experiment asks exactly its error rows, at the address that is given now."""
    api_url = json.dumps({"api_url": fake.url})
    result = complete.project.run("snakemake", "--forcerun", "retry_errors", "--config", EXPERIMENT, f"model={api_url}")
    assert result.returncode == 0, result.stdout
    assert fake.calls()["asked"] == {"Narrative: text three": 1}
    assert complete.project.query("SELECT count(*) FROM narrative_results WHERE error_occurred") == [(0,)]
    (ended,) = complete.project.query("SELECT end_time FROM experiments")[0]
    assert ended > "2025-10-27 11:00:00"


def test_another_workbook_is_refused(project: Project, tmp_path: Path) -> None:
    """A workbook that is not the one whose checksum was stored is refused with both, and nothing is written."""
    project.write_workbook(cases(2))
    r_system.make(tmp_path / "r.db")
    r_system.fill(tmp_path / "r.db", "experiments", [r_system.experiment()])
    source = {"data_source": "data/cases.xlsx", "data_checksum": "0" * 32, "narrative_text": "x"}
    r_system.fill(tmp_path / "r.db", "source_narratives", [{"incident_id": "1", "narrative_type": "le", **source}])
    before = set(project.folder.glob("results/*"))
    result = project.run("narrative-runs", "adopt", "r.db", r_system.EXPERIMENT_ID)
    assert result.returncode == 1
    assert "not the one that the R system read" in result.stdout and "0" * 32 in result.stdout
    assert set(project.folder.glob("results/*")) == before
