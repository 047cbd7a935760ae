import os
import re
import shutil
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.page_server import page_served
from tests.page_world import usual, write, write_workbook
from tests.project import Project

from narrative_runs.errors import ExperimentError
from narrative_runs.page import access, serve
from narrative_runs.page.safety import LOOPBACK_NAMES
from narrative_runs.paths import RECORD, SEARCH_INDEX

pytestmark = pytest.mark.slow

LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]{43})")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder that is a project's, with a cache of its own."""
    (tmp_path / "Snakefile").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment = {key: value for key, value in os.environ.items() if key != "SSH_CONNECTION"}
    return Project.at(tmp_path, {**environment, "PYTHONUNBUFFERED": "1"})


def files_with(text: bytes) -> set[Path]:
    """The files of the folder that hold a text, in capitals or not."""
    return {path for path in Path().rglob("*") if path.is_file() and text in path.read_bytes().lower()}


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def ending(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal that ends programs."""
    yield request.param


def test_the_link_comes_first_and_opens_the_page(here: Project, ending: int) -> None:
    """The first line is the link; it opens the page, for this machine alone; a signal closes it, with exit code 0."""
    with here.started("narrative-runs", "serve", "--port", "0") as served:
        assert served.stdout is not None
        first = served.stdout.readline().strip()
        match = LINK.fullmatch(first)
        assert match is not None, first
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            answer = browser.get(first)
            assert answer.status_code == 200 and "There is no experiment yet" in answer.text
        listening = [
            each.laddr for each in psutil.Process(served.pid).net_connections("inet") if each.status == "LISTEN"
        ]
        assert [tuple(each) for each in listening] == [("127.0.0.1", int(match[1]))]
        served.send_signal(ending)
        assert served.wait(20) == 0
        assert served.stdout.read().splitlines()[-1] == "The page is closed."


def test_the_page_comes_back_by_the_same_link(here: Project) -> None:
    """Who restarts the server, even after a kill, keeps the link and the cookie: a page that stays open comes back."""
    links = []
    for _ in range(2):
        with here.started("narrative-runs", "serve", "--port", "0") as served:
            assert served.stdout is not None
            links.append(served.stdout.readline().strip())
            served.kill()
            served.wait()
    first, second = (LINK.fullmatch(each) for each in links)
    assert first and second and first[2] == second[2]


def test_the_token_is_kept_for_a_day_and_for_its_owner(here: Project) -> None:
    """The token is random, of this project and this user alone; one that others may read, or that is older than a day,
    is replaced, and where none can be kept each start has its own."""
    token = access.token_of(Path())
    (kept,) = (here.folder / "cache").rglob("page/*")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and kept.read_text() == token
    assert access.token_of(here.folder) == token
    (here.folder / "another").mkdir()
    assert access.token_of(here.folder / "another") != token
    kept.chmod(0o640)
    second = access.token_of(Path())
    assert second != token and stat.S_IMODE(kept.stat().st_mode) == 0o600
    a_day_ago = kept.stat().st_mtime - access.KEPT_FOR_S - 1
    os.utime(kept, (a_day_ago, a_day_ago))
    assert access.token_of(Path()) not in (token, second)
    kept.unlink()
    kept.symlink_to(here.folder / "Snakefile")
    assert access.token_of(Path()) and (here.folder / "Snakefile").read_text() == ""
    shutil.rmtree(kept.parent)
    kept.parent.touch()
    assert access.token_of(Path()) != access.token_of(Path())


def test_a_remote_machine_says_how_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that was reached by ssh, the line that forwards the port is printed, with its own port of ssh."""
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 50000 10.0.0.7 22")
    first, second, *_ = serve.lines("127.0.0.1", 8787, "t")
    assert first == "http://127.0.0.1:8787/?token=t"
    assert "`ssh -N -L 8787:127.0.0.1:8787 ana@10.0.0.7`" in second
    assert access.by_ssh(9, "a 1 fe80::1 2222") == "ssh -N -L 9:127.0.0.1:9 -p 2222 ana@fe80::1"
    monkeypatch.delenv("SSH_CONNECTION")
    assert not any("ssh" in line for line in serve.lines("127.0.0.1", 8787, "t"))


def test_other_machines_take_a_word(here: Project) -> None:
    """An address that others reach is refused without --allow-remote-view, and the message says what it means; with it
    a warning stands below the link."""
    refused = here.run("narrative-runs", "serve", "--host", "0.0.0.0")
    assert refused.returncode == 2 and "--allow-remote-view" in refused.stdout and "unencrypted" in refused.stdout
    first, second, *_ = serve.lines("0.0.0.0", 8787, "t")
    assert first == f"http://{socket.gethostname()}:8787/?token=t"
    assert second.startswith("WARNING: other machines can reach this page.")
    assert access.link("::1", 1, "t") == "http://[::1]:1/?token=t"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.168.0.1", "localhost.example", "")),
    ],
)
def test_what_this_machine_alone_reaches(host: str, is_loopback: bool) -> None:
    """The names of the page are those of this machine; only where it is to be seen from elsewhere are there others."""
    assert access.is_loopback(host) is is_loopback
    assert (access.names_of(host) == LOOPBACK_NAMES) is is_loopback


def test_by_its_address_in_the_network(here: Project) -> None:
    """A page that other machines may see answers to addresses and to the machine's name, and to no other name."""
    with page_served("0.0.0.0") as page:
        for host, status in (
            (f"192.168.0.5:{page.port}", 200),
            (f"{socket.gethostname()}:{page.port}", 200),
            (f"evil.example:{page.port}", 421),
        ):
            cookie = page.cookie
            assert page.ask("/", host=host, cookie=cookie).status == status


def test_a_port_in_use(here: Project) -> None:
    """A port that is taken ends with a message, whose command works."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = here.run("narrative-runs", "serve", "--port", str(port))
        assert refused.returncode == 1 and f"Port {port} is in use" in refused.stdout
        advised = re.search(r"`narrative-runs (serve --port \d+)`", refused.stdout)
        assert advised is not None
        with here.started("narrative-runs", *advised[1].split()) as served:
            assert served.stdout is not None and LINK.match(served.stdout.readline())
    for port in ("-1", "65536", "x"):
        assert "is no port" in here.run("narrative-runs", "serve", "--port", port).stdout


def test_no_project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than in a project there is nothing to serve."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="This is not a project folder"):
        serve.serve(0, "127.0.0.1", print)


def test_nothing_of_a_text_comes_to_the_terminal(here: Project) -> None:
    """Whatever is searched for and read, and whatever fails meanwhile, the terminal shows the link and what became of
    the page, and no file gains a text but the index of the search."""
    write_workbook(1)
    write("cases", usual(0.1, 0.1))
    before = files_with(b"husband")
    assert RECORD in before
    with here.started("narrative-runs", "serve", "--port", "0") as served:
        assert served.stdout is not None
        link_of_page = served.stdout.readline().strip()
        with httpx.Client(trust_env=False, follow_redirects=True, base_url=link_of_page.partition("/?")[0]) as browser:
            browser.get(link_of_page)
            found = browser.get("/experiments/cases/narratives", params={"q": "husband"})
            (one, *_) = re.findall(r'href="(/experiments/cases/narratives/[^"?]+/cme)', found.text)
            assert found.status_code == browser.get(one).status_code == 200
            RECORD.rename("moved.db")
            RECORD.write_bytes(b"no record: husband")
            assert browser.get(one).status_code == 409
        served.terminate()
        served.wait(20)
        lines = served.stdout.read().splitlines()
    assert lines == [*serve.lines("127.0.0.1", 1, "t")[1:], "The page is closed."]
    Path("moved.db").replace(RECORD)
    assert files_with(b"husband") - before <= {SEARCH_INDEX}
