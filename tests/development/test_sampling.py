"""The development sample of a workbook, drawn once and kept."""

from pathlib import Path

import pytest

from narrative_runs.development.drawing import Drawn
from narrative_runs.development.sample_file import read_sample, sample_file
from narrative_runs.development.sampling import draw_kept
from narrative_runs.errors import DevelopmentError
from tests.development.test_drawing import of_incidents

WORKBOOK = Path("data/cases.xlsx")
CANDIDATES = of_incidents(60, positive_every=3)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def drawn(n: int, hold_out: bool | None = None, md5: str = "1") -> Drawn:
    return draw_kept(CANDIDATES, n, WORKBOOK, md5, hold_out)[0]


def test_the_sample_is_kept_and_grows() -> None:
    """A larger sample keeps the narratives of the one before, and a smaller one is its beginning."""
    first = drawn(10).indices
    assert drawn(30).indices[:10] == first
    kept = read_sample(WORKBOOK)
    assert kept is not None
    assert len(kept.narratives) == 30
    assert drawn(10).indices == first
    assert read_sample(WORKBOOK) == kept


def test_only_its_owner_reads_the_sample() -> None:
    """The file names incidents, so that nobody else may read its folder."""
    drawn(10)
    assert sample_file(WORKBOOK).parent.stat().st_mode & 0o077 == 0


def test_a_hold_out_does_not_grow() -> None:
    """After --holdout a larger sample is refused with what to do, a smaller one is not, and --no-holdout ends it."""
    assert drawn(20, hold_out=True).indices
    with pytest.raises(DevelopmentError, match=r"--holdout, and has 20 narratives.* at most 20 .*--no-holdout"):
        drawn(21)
    assert len(drawn(5).indices) == 5
    assert len(drawn(21, hold_out=False).indices) == 21
    assert len(drawn(25).indices) == 25


def test_a_hold_out_survives_a_changed_workbook() -> None:
    """Who corrects a cell of the workbook has the hold-out still."""
    drawn(20, hold_out=True)
    drawn(20, md5="2")
    with pytest.raises(DevelopmentError, match="at most 20"):
        drawn(40, md5="2")


def test_a_hold_out_that_leaves_too_little_is_refused() -> None:
    """The message names the largest sample that leaves half of each label unseen, and that one is drawn."""
    with pytest.raises(DevelopmentError, match=r"give --sample (\d+) or less") as refused:
        drawn(100, hold_out=True)
    assert read_sample(WORKBOOK) is None
    most = int(str(refused.value).split("--sample ")[1].split()[0])
    assert len(drawn(most, hold_out=True).indices) == most


def test_it_says_what_the_sample_holds() -> None:
    """The lines give narratives, incidents, labels, and what stays unseen."""
    lines = draw_kept(CANDIDATES, 10, WORKBOOK, "1", True)[1]
    assert "10 narratives of" in lines[0]
    assert "(5 labelled 1, 5 labelled 0)" in lines[0]
    assert "incidents are kept unseen" in lines[1]


@pytest.mark.parametrize("n", [0, -3])
def test_a_sample_has_a_narrative(n: int) -> None:
    """No sample of nothing is drawn."""
    with pytest.raises(DevelopmentError, match="at least one"):
        drawn(n)


def test_a_damaged_sample_is_named() -> None:
    """A file that is no sample ends in a message with its path, and is not overwritten."""
    path = sample_file(WORKBOOK)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(DevelopmentError, match=r"sample\.json cannot be read"):
        drawn(10)
    assert path.read_text() == "{"


def test_labels_of_incidents_are_counted_as_such() -> None:
    """Where incidents are labelled, it says how many incidents have each label, and a hold-out sample that was drawn of
    half an incident is made whole without asking for leave."""
    of_incidents_alone = [each._replace(is_of_incident=True) for each in CANDIDATES]
    draw_kept(CANDIDATES, 10, WORKBOOK, "1", True)
    found, lines = draw_kept(of_incidents_alone, 10, WORKBOOK, "1")
    n_incidents = len({of_incidents_alone[index].incident_id for index in found.indices})
    assert len(found.indices) == 2 * n_incidents == 12
    assert "12 narratives of 6 incidents (of these incidents 3 labelled 1, 3 labelled 0)" in lines[0]
    with pytest.raises(DevelopmentError, match="at most 12"):
        draw_kept(of_incidents_alone, 14, WORKBOOK, "1")
