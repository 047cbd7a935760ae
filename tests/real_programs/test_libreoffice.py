import csv
import subprocess
from pathlib import Path

import pytest

import narrative_runs
from tests.project import Project
from tests.real_programs.experiment import SLUGS

pytestmark = [pytest.mark.real_programs, pytest.mark.end_to_end]

# Separator, quotes, encoding, first line, column formats, language, quote all texts, cells as they are shown, … and the
# sheet's number.
AS_SHOWN = "44,34,76,1,,0,true,true,false,false,false,1"


@pytest.mark.parametrize("slug", SLUGS)
def test_the_workbook_shows_what_it_holds(finished: Project, libreoffice: Path, tmp_path: Path, slug: str) -> None:
    """Opened in LibreOffice, the sheet of results shows each id as it is, and logicals as TRUE and FALSE."""
    workbook = finished.folder / "results" / slug / "results.xlsx"
    command = [str(libreoffice), f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"]
    command += ["--convert-to", f"csv:Text - txt - csv (StarCalc):{AS_SHOWN}", "--outdir", str(tmp_path), str(workbook)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "results-results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    results = narrative_runs.read(slug, finished.folder / "results")
    assert [row["incident_id"] for row in rows] == results["incident_id"].tolist()
    shown = {"TRUE": True, "FALSE": False, "": None}
    expected = results["detected"].astype(object).where(results["detected"].notna(), None)
    assert [shown[row["detected"]] for row in rows] == expected.tolist()
