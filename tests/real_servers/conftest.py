"""The real servers, each installed and started once; what cannot be installed skips its tests, with the reason."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from narrative_runs.embedded.model_file import DEFAULT_MODEL, obtain
from narrative_runs.errors import ModelFileError
from tests.project import fake_server
from tests.real_servers import servers
from tests.real_servers.environments import LITELLM, LLAMA_CPP_PYTHON, NotInstallable, debian_program
from tests.real_servers.servers import RealServer

Installed = TypeVar("Installed")


def installed(install: Callable[[], Installed]) -> Installed:
    """What `install` gives, or a skip with its reason."""
    try:
        return install()
    except (NotInstallable, ModelFileError) as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The demo's model, for llama-cpp-python's server, which is installed too."""
    installed(LLAMA_CPP_PYTHON.install)
    return installed(lambda: obtain(DEFAULT_MODEL.name, print))


@pytest.fixture(scope="session")
def llama(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """llama-cpp-python's server, for the tests that only ask it."""
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with servers.llama_cpp_python(model_file, log, servers.free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def litellm(llama: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """LiteLLM's proxy in front of llama-cpp-python's server, and of a fake one for the name with a limit."""
    installed(LITELLM.install)
    with (
        fake_server(answers_as=servers.LIMITED) as quick,
        servers.litellm(llama.url, quick.url, tmp_path_factory.mktemp("litellm")) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def nginx() -> Path:
    """The program nginx."""
    return installed(lambda: debian_program("nginx"))


@pytest.fixture(scope="session")
def haproxy() -> Path:
    """The program haproxy."""
    return installed(lambda: debian_program("haproxy"))
