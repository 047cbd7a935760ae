"""Two finished experiments, and the programs; what cannot be installed skips its tests, with the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.project import Project
from tests.real_programs import experiment, programs
from tests.real_programs.programs import Program
from tests.real_servers.environments import NotInstallable

Installed = TypeVar("Installed")


def installed(install: Callable[[], Installed]) -> Installed:
    """What `install` gives, or a skip with its reason."""
    try:
        return install()
    except NotInstallable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with two finished experiments, which nobody changes."""
    project = Project(tmp_path_factory.mktemp("finished"))
    experiment.complete(project)
    return project


@pytest.fixture(scope="session")
def r() -> Program:
    """R, with the packages that are documented."""
    return installed(programs.r)


@pytest.fixture(scope="session")
def other_python() -> Program:
    """A Python with polars and DuckDB."""
    return installed(programs.python_with_polars_and_duckdb)


@pytest.fixture(scope="session")
def libreoffice() -> Path:
    """LibreOffice's spreadsheet."""
    return installed(programs.libreoffice)
