"""The real servers, started on loopback as their documentation says; each is ended by its own process id."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.project import wait_until
from tests.real_servers.environments import LITELLM, LLAMA_CPP_PYTHON

MODEL_NAME = "local-model"
CONTEXT_TOKENS = 1024
MASTER_KEY = "sk-the-right-key"
FALLS_BACK = "falls-back"
LIMITED = "limited"
LIMIT_A_MINUTE = 8


@dataclass(frozen=True)
class RealServer:
    """A running server; `log` holds all that it says."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """The base of its API."""
        return url_at(self.port)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def replies(self, status: int) -> int:
        """How many chat completions its log tells that were answered with this status, in uvicorn's form."""
        return self.log.read_text().count(f'"POST /v1/chat/completions HTTP/1.1" {status}')


def url_at(port: int) -> str:
    """The base of the API of a server at `port`."""
    return f"http://127.0.0.1:{port}/v1"


def free_port() -> int:
    """A port of loopback that nothing uses."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def llama_cpp_python(model_file: Path, log: Path, port: int, name: str = MODEL_NAME) -> Iterator[RealServer]:
    """llama-cpp-python's own server; it answers one request after another, and lists its model as `name`."""
    command = [str(LLAMA_CPP_PYTHON.programs / "python"), "-m", "llama_cpp.server", "--model", str(model_file)]
    command += ["--model_alias", name, "--n_ctx", str(CONTEXT_TOKENS), "--n_threads", "2"]
    with running([*command, "--host", "127.0.0.1", "--port", str(port)], port, log) as server:
        yield server


@contextmanager
def litellm(upstream: str, quick_upstream: str, folder: Path) -> Iterator[RealServer]:
    """LiteLLM's proxy with a key, in front of two servers.

    `FALLS_BACK` is a name whose server is away, so that `MODEL_NAME` of `upstream` answers for it; `LIMITED` may be
    asked `LIMIT_A_MINUTE` times a minute, and is answered by `quick_upstream`.
    """
    away = {"api_base": url_at(free_port()), "max_retries": 0}
    limited = {"api_base": quick_upstream, "rpm": LIMIT_A_MINUTE}
    config = {
        "model_list": [
            deployment(MODEL_NAME, api_base=upstream),
            deployment(FALLS_BACK, **away),
            deployment(LIMITED, **limited),
        ],
        "router_settings": {
            "num_retries": 0,
            "fallbacks": [{FALLS_BACK: [MODEL_NAME]}],
            "optional_pre_call_checks": ["enforce_model_rate_limits"],
        },
        "general_settings": {"master_key": MASTER_KEY},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [str(LITELLM.programs / "litellm"), "--config", str(folder / "config.yaml"), "--telemetry", "False"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with running(command, port, folder / "litellm.log", LITELLM_LOCAL_MODEL_COST_MAP="True") as server:
        yield server


def deployment(name: str, **settings: object) -> dict[str, object]:
    """One model of LiteLLM's list: any OpenAI-compatible server."""
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", **settings}}


@contextmanager
def nginx(program: Path, folder: Path, upstream_port: int, rules: str = "", zone: str = "") -> Iterator[RealServer]:
    """nginx in front of a server; `rules` stand in its location, `zone` outside. Its access log holds the statuses."""
    port = free_port()
    scratch = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
{scratch}
  log_format status $status;
  access_log {folder}/access.log status;
  {zone}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream_port};
      {rules}
    }}
  }}
}}
"""
    )
    command = [str(program), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    with running(command, port, folder / "nginx.log") as server:
        yield server


@contextmanager
def haproxy(program: Path, folder: Path, upstream_port: int, queue: str) -> Iterator[RealServer]:
    """haproxy that lets one request at a time through; the others wait at most `queue`, and then get a 503.

    Its log holds the status of each reply in a line of its own.
    """
    port = free_port()
    (folder / "haproxy.cfg").write_text(
        f"""global
  log stdout format raw daemon
defaults
  mode http
  log global
  log-format "status %ST"
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout queue {queue}
listen models
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream_port} maxconn 1
"""
    )
    command = [str(program), "-db", "-f", str(folder / "haproxy.cfg")]
    with running(command, port, folder / "haproxy.log") as server:
        yield server


@contextmanager
def running(command: list[str], port: int, log: Path, **settings: str) -> Iterator[RealServer]:
    """Run a server's command until the block ends; the block begins when the port takes connections."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, "NO_PROXY": "127.0.0.1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: process.poll() is not None or takes_connections(port), timeout=120)
        assert process.poll() is None, log.read_text()[-2000:]
        yield RealServer(process, port, log)
    finally:
        end(process)


def takes_connections(port: int) -> bool:
    """Whether a server listens at `port`."""
    with socket.socket() as asking:
        asking.settimeout(1)
        return asking.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process: gently, and after ten seconds by force."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
