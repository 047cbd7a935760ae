from collections.abc import Callable

import pytest
from openpyxl import Workbook

from tests.project import LABELLED, Fake, Project, cases
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end


def _missing_workbook(project: Project, fake: Fake) -> None:
    project.write_params(fake.url, data={"file": "data/nowhere.xlsx"})


def _untracked(project: Project, fake: Fake) -> None:
    (project.folder / "data/cases.xlsx.dvc").unlink()


def _edited(project: Project, fake: Fake) -> None:
    tracking = (project.folder / "data/cases.xlsx.dvc").read_text()
    project.write_workbook(cases(5))
    (project.folder / "data/cases.xlsx.dvc").write_text(tracking)


def _missing_column(project: Project, fake: Fake) -> None:
    project.write_workbook([row[:2] for row in cases(3)], header=LABELLED[:2])


def _empty_sheet(project: Project, fake: Fake) -> None:
    path = project.folder / "data/cases.xlsx"
    Workbook().save(path)
    project.track(path)


def _corrupt(project: Project, fake: Fake) -> None:
    path = project.folder / "data/cases.xlsx"
    path.write_bytes(path.read_bytes()[:500])
    project.track(path)


def _no_text_mark(project: Project, fake: Fake) -> None:
    project.write_params(fake.url, prompt={"user_template": "Narrative:"})


def _unknown_key(project: Project, fake: Fake) -> None:
    project.write_params(fake.url, run={"max_narrative": 5})


def _temperature(project: Project, fake: Fake) -> None:
    project.write_params(fake.url, model={"temperature": 3})


def _wrong_port(project: Project, fake: Fake) -> None:
    project.write_params("http://127.0.0.1:9/v1")


def _wrong_model(project: Project, fake: Fake) -> None:
    project.write_params(fake.url, model={"name": "other"})


def _remote(project: Project, fake: Fake) -> None:
    project.write_params("http://8.8.8.8/v1")


@pytest.mark.parametrize(
    ("mistake", "words"),
    rest_is_long(
        [
            (_missing_workbook, ["data/nowhere.xlsx"]),
            (_untracked, ["data/cases.xlsx", "dvc add"]),
            (_edited, ["Data file has changed", "Original checksum", "Current checksum"]),
            (_missing_column, ["data/cases.xlsx", "Sheet", "NarrativeLE"]),
            (_empty_sheet, ["data/cases.xlsx", "Sheet"]),
            (_corrupt, ["data/cases.xlsx"]),
            (_no_text_mark, ["params.yaml", "prompt.user_template", "<<TEXT>>"]),
            (_unknown_key, ["params.yaml", "run.max_narrative", "unknown"]),
            (_temperature, ["params.yaml", "model.temperature", "3"]),
            (_wrong_port, ["http://127.0.0.1:9/v1", "port"]),
            (_wrong_model, ["model.name", "other", "fake"]),
            (_remote, ["model.api_url", "8.8.8.8", "allow_remote"]),
        ],
        4,
    ),
)
def test_mistakes(project: Project, fake: Fake, mistake: Callable[[Project, Fake], None], words: list[str]) -> None:
    """A user's mistake ends with a non-zero exit code and a message that names it; nothing is asked or written."""
    project.write_workbook(cases(3))
    project.write_params(fake.url)
    mistake(project, fake)
    result = project.snakemake()
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stdout
    for word in words:
        assert word in result.stdout, result.stdout
    assert project.written() == []
    assert fake.asked == 0
