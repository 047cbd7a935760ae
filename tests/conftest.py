"""What tests of the whole share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.project import Fake, Project, fake_server

# Speed is for benchmarks: on a busy machine a single case may take long, such as one that first imports a library.
settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=15)
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no search for garbage need look at all of it again."""
    gc.freeze()


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A fresh copy of the project, whose runs end with the rule that the nearest mark `until` names."""
    made = Project(tmp_path)
    last = request.node.get_closest_marker("until")
    if last is not None and last.args != ("report",):
        made.run_until(*last.args)
    return made


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A fake model server."""
    with fake_server() as server:
        yield server
