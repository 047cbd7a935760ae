"""What tests of the whole share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import Fake, Project, fake_server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy of the project."""
    return Project(tmp_path)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A fake model server."""
    with fake_server() as server:
        yield server
