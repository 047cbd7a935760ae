import stat
from pathlib import Path

import pandas as pd
import pytest

from narrative_runs.development.files import NAMES, check_files_free, write_files
from narrative_runs.development.measured import tried
from narrative_runs.errors import FindingsError
from tests.development.made_tries import tries


@pytest.mark.slow
def test_files_hold_what_is_printed_without_a_text(tmp_path: Path) -> None:
    """The measures, differences, differing narratives and tokens of all configurations are written, for their owner
    alone, and no narrative text is in them."""
    sample, answered, _, _ = tries(30, [1, 2, 3])
    write_files(tmp_path, sample, answered)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in NAMES)
    tables = {name: pd.read_csv(tmp_path / name, dtype={"incident_id": str}) for name in NAMES}
    found, names = tried(sample, answered), [each.configuration.name for each in answered]
    measures = tables["measures.csv"].set_index(["variable", "measure", "configuration"])["value"]
    (recall,) = (row.values for row in found.measures if (row.variable, row.measure) == ("detected", "recall"))
    assert [measures["detected", "recall", name] for name in names] == pytest.approx([rate["value"] for rate in recall])
    tests = [test for pair in found.pairs.values() for test in pair.tests]
    assert tables["differences.csv"]["p_holm"].tolist() == pytest.approx([test.p_holm for test in tests])
    assert list(dict.fromkeys(tables["differences.csv"]["other"])) == names[1:]
    assert len(tables["differing.csv"]) == 3 * len(found.differing) > 0
    assert list(tables["tokens.csv"]["configuration"]) == names
    texts = "".join((tmp_path / name).read_text() for name in NAMES)
    assert all(narrative.narrative_text not in texts for narrative in sample.narratives)


def test_no_file_is_overwritten_unasked(tmp_path: Path) -> None:
    """Where a file of this name stands, the folder is refused before anything is asked, unless it may be
    overwritten."""
    check_files_free(None, False)
    check_files_free(tmp_path, False)
    (tmp_path / NAMES[-1]).write_text("mine")
    with pytest.raises(FindingsError, match="--force"):
        check_files_free(tmp_path, False)
    check_files_free(tmp_path, True)
