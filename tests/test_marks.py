import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize("mark", ["cluster", "real_programs", "real_servers"])
def test_what_make_test_long_looks_for_lies_where_it_looks(mark: str) -> None:
    """Tests with the mark of an installation lie in the folder of its name, which alone is searched for them."""
    marked = [path for path in TESTS.rglob("test_*.py") if re.search(rf"mark\.{mark}\b", path.read_text("utf-8"))]
    assert marked and {path.parent for path in marked} == {TESTS / mark}
