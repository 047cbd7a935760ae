from pathlib import Path

import pytest

from tests.crash import crash

pytestmark = pytest.mark.end_to_end


@pytest.mark.long
def test_random_kills(tmp_path: Path) -> None:
    """After random kills every narrative has one row with its own answer, and nothing that was kept is asked again."""
    tally = crash(kills=6, seed=1, folder=tmp_path)
    assert tally.is_clean, str(tally)
