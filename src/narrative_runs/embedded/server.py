"""The embedded model as an OpenAI-compatible server on 127.0.0.1: llama.cpp in a child process.

The parent's side is `EmbeddedServer`. The child, `python -m narrative_runs.embedded.server`, gets its
settings as one JSON line on standard input (not as arguments, which every user of the computer can list),
answers with one JSON line on standard output, `{"address": …}` or `{"error": …}`, and lives until its
standard input ends: so it ends with its parent, however that ends.
"""

import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from narrative_runs.errors import ServerError
from narrative_runs.signals import leave_to_the_main_process

ERRORS = 1  # llama.cpp's level of log detail; its warnings can quote a request
HTTP_THREADS = 32  # an idle kept-alive connection holds a thread: jobs must not lock each other out
LOG_LINES_TOLD = 8


@dataclass(frozen=True)
class Settings:
    """What the child needs to know; `context_tokens` is for each slot, prompt and answer together."""

    model_path: str
    model_name: str
    api_key: str
    context_tokens: int
    slots: int
    reuse_prefix: bool
    threads: int


class EmbeddedServer:
    """A running server with the model loaded: `api_url` ends in `/v1`, every request needs `api_key`."""

    def __init__(self, child: subprocess.Popen[bytes], address: str, api_key: str) -> None:
        self.api_url = f"{address}/v1"
        self.api_key = api_key
        self.pid = child.pid
        self._child = child

    @classmethod
    def start(
        cls,
        model_file: Path,
        model_name: str,
        *,
        context_tokens: int = 8192,
        slots: int = 1,
        reuse_prefix: bool = True,
        log_file: Path | None = None,
        ready_within_s: float = 120,
    ) -> Self:
        """Start the server and wait until it answers.

        `model_name` is how the server calls its model in its answers. `context_tokens` is the room of one
        request, prompt and answer together. One slot answers as fast as several on a few cores.

        With `reuse_prefix` a request takes over what its prompt has in common with the one before: prompts
        are read several times faster, but the rounding, and so now and then an answer, depends on what was
        asked before. Without it, one slot repeats itself exactly at temperature 0. A request's own
        `cache_prompt` overrules it.

        llama.cpp's errors are appended to `log_file`; they hold no prompt. Raises ServerError when the model
        is not loaded after `ready_within_s` seconds.
        """
        settings = Settings(
            model_path=str(model_file),
            model_name=model_name,
            api_key=secrets.token_urlsafe(32),
            context_tokens=context_tokens,
            slots=slots,
            reuse_prefix=reuse_prefix,
            threads=usable_cores(),
        )
        with log_file.open("ab+") if log_file else tempfile.TemporaryFile() as log:
            begin = log.seek(0, os.SEEK_END)
            child = subprocess.Popen(
                [sys.executable, "-m", "narrative_runs.embedded.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
            try:
                address = _address_told_by(child, settings, ready_within_s)
            except ServerError as error:
                _end(child)
                raise ServerError(
                    f"The embedded server cannot load the model {model_file}: {error}{_end_of(log, begin)}"
                    "Remove the file if it was fetched (it will be fetched again), or name another model."
                ) from error
            except BaseException:
                _end(child)
                raise
        return cls(child, address, settings.api_key)

    def stop(self) -> None:
        """End the server, also in the middle of an answer; again does nothing."""
        _end(self._child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _address_told_by(child: subprocess.Popen[bytes], settings: Settings, within_s: float) -> str:
    assert child.stdin and child.stdout
    with suppress(BrokenPipeError):  # a child that ended already: the empty answer below tells
        child.stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
        child.stdin.flush()
    readable, _, _ = select.select([child.stdout], [], [], within_s)
    if not readable:
        raise ServerError(f"it is not ready after {within_s:g} seconds.")
    line = child.stdout.readline()
    if not line:
        raise ServerError(f"its process ended with code {child.wait()}.")
    answer: dict[str, str] = json.loads(line)
    if "address" not in answer:
        raise ServerError(answer["error"])
    return answer["address"]


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child: by the end of its input, else by SIGTERM, else, as llama.cpp may be slow, by SIGKILL."""
    assert child.stdin and child.stdout
    with suppress(BrokenPipeError):
        child.stdin.close()
    for give_up in (child.terminate, child.kill):
        try:
            child.wait(timeout=2)
            break
        except subprocess.TimeoutExpired:
            give_up()
    child.wait()
    child.stdout.close()


def _end_of(log: IO[bytes], begin: int) -> str:
    log.seek(begin)
    lines = log.read().decode(errors="replace").splitlines()[-LOG_LINES_TOLD:]
    return "\n".join([" Its log ends with:", *(f"  {line}" for line in lines), ""]) if lines else " "


def _serve() -> None:
    """Be the child."""
    leave_to_the_main_process()
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever llama.cpp prints goes to the log, not between parent and child
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the parent ended first
    try:
        server = _llama(Settings(**json.loads(line)))
    except (ImportError, RuntimeError) as error:
        print(json.dumps({"error": str(error)}), file=told, flush=True)
        os._exit(1)
    print(json.dumps({"address": server.listening_address}), file=told, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: an orderly end would wait for the answer being written


def _llama(settings: Settings) -> Any:
    # Read when the library is loaded. Threads that spin while they wait slow a busy computer fourfold.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.model_path
    params.model_alias = {settings.model_name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings.api_key]
    params.n_ctx = settings.context_tokens * settings.slots
    params.n_parallel = settings.slots
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.n_threads_http = HTTP_THREADS
    params.fit_params = False  # the context is what was asked for, not what llama.cpp thinks fits
    params.cache_prompt = settings.reuse_prefix
    params.cache_ram_mib = 0  # prompts that never come again need no memory
    params.cache_idle_slots = False
    params.verbosity = ERRORS
    params.ui = False
    params.endpoint_slots = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    _serve()
