from pathlib import Path

import pytest

from narrative_runs.derivation import look as look_module
from narrative_runs.derivation.difference import Difference
from narrative_runs.derivation.look import is_by_this_code, keep, last_look
from narrative_runs.findings.seal import seal, seal_of
from narrative_runs.paths import ExperimentFolder

FOUND = Difference(["metrics.json"], rows=1, n_rows=24, figures=2, examples=["overall.tp 1 to 2"])


@pytest.fixture
def folder(tmp_path: Path) -> ExperimentFolder:
    """A folder with some findings."""
    folder = ExperimentFolder("cases", tmp_path)
    folder.path.mkdir()
    folder.metrics.write_text("{}")
    return folder


def test_a_look_is_kept_for_this_code_and_these_findings(
    folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is known again, until findings or code are others, or the list of changes is gone."""
    assert last_look(folder) is None
    folder.changes.write_text("")
    keep(folder, FOUND)
    look = last_look(folder)
    assert look is not None and look.difference == FOUND
    with monkeypatch.context() as patched:
        patched.setattr(look_module, "code_checksum", lambda: "other")
        assert last_look(folder) is None
    folder.changes.unlink()
    assert last_look(folder) is None
    keep(folder, None)
    look = last_look(folder)
    assert look is not None and look.difference is None
    folder.metrics.write_text("{ }")
    assert last_look(folder) is None


def test_a_seal_tells_who_derived_the_findings(folder: ExperimentFolder) -> None:
    """Findings that this code sealed are its own; of those that it only found to follow, nobody knows the code."""
    assert seal_of(folder) is None and not is_by_this_code(folder)
    seal(folder, "0.1.0", code="")
    sealed = seal_of(folder)
    assert sealed is not None and sealed.release == "0.1.0" and set(sealed.md5) == {"metrics.json"}
    assert not is_by_this_code(folder)
    seal(folder)
    assert is_by_this_code(folder)


def test_a_difference_is_told_in_words() -> None:
    """Rows and figures are counted, with examples; where only the form differs, its files are named."""
    assert FOUND.words() == "1 of 24 rows and 2 figures (overall.tp 1 to 2, ...)"
    assert Difference(["results.csv"], 0, 24, 0, []).words() == "no row and no figure, but the form of results.csv"
