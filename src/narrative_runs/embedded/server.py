"""The embedded model as an OpenAI-compatible server on 127.0.0.1: llama.cpp, started as any other model server is.

`embedded_command` says how. `python -m narrative_runs.embedded.server PORT` is the server: it gets its settings as one
JSON line on standard input (not as arguments, which every user of the computer can list), and lives until its standard
input ends.
"""

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from narrative_runs.signals import leave_to_the_main_process
from narrative_runs.started_server.command import HOST, ServerCommand

READY_WITHIN_S = 120.0
ERRORS = 1  # llama.cpp's level of log detail; its warnings can quote a request
HTTP_THREADS = 32  # an idle kept-alive connection holds a thread: jobs must not lock each other out


@dataclass(frozen=True)
class Settings:
    """What the server needs to know; `context_tokens` is for each slot, prompt and answer together."""

    model_path: str
    model_name: str
    api_key: str
    context_tokens: int
    slots: int
    reuse_prefix: bool
    threads: int


def embedded_command(
    model_file: Path, model_name: str, *, context_tokens: int = 8192, slots: int = 1, reuse_prefix: bool = True
) -> ServerCommand:
    """Return what starts the embedded server with a model, for `StartedServer`; what it writes holds no prompt.

    `model_name` is how the server calls its model in its answers. `context_tokens` is the room of one request, prompt
    and answer together. One slot answers as fast as several on a few cores.

    With `reuse_prefix` a request takes over what its prompt has in common with the one before: prompts are read several
    times faster, but the rounding, and so now and then an answer, depends on what was asked before. Without it, one
    slot repeats itself exactly at temperature 0. A request's own `cache_prompt` overrules it.
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
    return ServerCommand(
        words=(sys.executable, "-m", "narrative_runs.embedded.server", "{port}"),
        model=model_name,
        name="embedded server",
        failure=f"The embedded server cannot load the model {model_file}",
        advice="Remove the file if it was downloaded (it will be downloaded again), or name another model.",
        api_key=settings.api_key,
        input=json.dumps(asdict(settings)) + "\n",
        # An orderly end would wait for the answer being written.
        ends_within_s=0,
    )


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serve() -> None:
    """Be the server."""
    leave_to_the_main_process()
    line = sys.stdin.buffer.readline()
    if not line:
        return  # who wanted it ended first
    try:
        # The name keeps it alive.
        server = _llama(Settings(**json.loads(line)), int(sys.argv[1]))
    except (ImportError, RuntimeError) as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    sys.stdin.buffer.read()
    del server
    os._exit(0)  # at once: an orderly end would wait for the answer being written


def _llama(settings: Settings, port: int) -> Any:
    # Read when the library is loaded. Threads that spin while they wait slow a busy computer fourfold.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.model_path
    params.model_alias = {settings.model_name}
    params.hostnames = [HOST]
    params.port = port
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
