"""Where narratives and the key go when the environment, or the network, would have them elsewhere."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.fault_runs import assert_answered, describe, run, with_cases
from tests.project import AT_LONGEST_S, Fake, Project, wait_until

pytestmark = pytest.mark.end_to_end

KEY = "key-that-stays-here"
NAME = "models.invalid"


@contextmanager
def proxy(target: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy on loopback that passes every request on to `target`; gives its URL, and the texts that reach it."""
    seen: list[str] = []

    class Passing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._pass(self.rfile.read(int(self.headers["content-length"])))

        def do_GET(self) -> None:
            self._pass(b"")

        def _pass(self, body: bytes) -> None:
            seen.append(f"{self.path} {self.headers} {body.decode()}")
            url = f"{target}/{self.path.split('/', 3)[3]}"
            reply = httpx.request(self.command, url, content=body, trust_env=False)
            self.send_response(reply.status_code)
            self.send_header("content-length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


def test_no_proxy_sees_a_narrative_without_leave(project: Project, fake: Fake) -> None:
    """The environment's proxy gets neither text nor key of a server whose name is unknown here; with leave, it does."""
    with_cases(project, fake, 4)
    describe(project, f"http://{NAME}:8000/v1")
    with proxy(fake.origin) as (url, seen):
        project.environment |= {"http_proxy": url, "all_proxy": url, "LLM_API_KEY": KEY}
        ended = run(project, fake)
        assert ended.code == 1, ended.said
        assert f"no model server answers at http://{NAME}:8000/v1 (the server's name cannot be found)" in ended.said
        assert seen == [] and fake.asked == 0
        describe(project, f"http://{NAME}:8000/v1", model={"allow_remote": True})
        ended = run(project, fake)
        assert ended.code == 0, ended.said
        assert any(KEY in request and "text of case" in request for request in seen)
    assert_answered(project, 4)


def _in_a_namespace(command: list[str], hosts: Path) -> list[str]:
    """The command, run where `hosts` stands for /etc/hosts."""
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts), *command]


def _can_have_names_of_its_own(folder: Path) -> bool:
    hosts = folder / "hosts"
    shutil.copy("/etc/hosts", hosts)
    try:
        return subprocess.run(_in_a_namespace(["true"], hosts), capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.long
def test_a_name_that_leads_elsewhere_meanwhile_is_not_followed(project: Project, fake: Fake) -> None:
    """A name that leads outside half-way gets no further narrative; when it leads back, the run goes on."""
    if not _can_have_names_of_its_own(project.folder):
        pytest.skip("a mount namespace of the test's own needs root and unshare")
    hosts = project.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
    with_cases(project, fake, 40)
    describe(project, f"{fake.url.replace('127.0.0.1', NAME)}")
    fake.behave(latency_s=0.3)
    with project.started(*_in_a_namespace(project.command("snakemake", "--cores", "4"), hosts)) as process:
        wait_until(lambda: fake.asked > 8)
        # The server is there under this address too, so that only the check keeps the narratives from it.
        hosts.write_text(f"127.0.0.1 localhost\n0.0.0.0 {NAME}\n")
        fake.behave(drop=True, next_calls=4)
        log = project.folder / "results/cases/logs/experiment.log"
        wait_until(lambda: log.exists() and "resolves to 0.0.0.0, outside this machine" in log.read_text())
        asked = json.dumps(fake.calls()["asked"])
        with pytest.raises(AssertionError, match="not within"):
            wait_until(lambda: json.dumps(fake.calls()["asked"]) != asked, timeout=3)
        hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
        said, _ = process.communicate(timeout=AT_LONGEST_S)
    assert process.returncode == 0, said
    assert_answered(project)
