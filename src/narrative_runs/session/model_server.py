"""Opening the model server of a session: the embedded one is started, any other is looked at."""

import asyncio
import time
from collections.abc import Callable

import httpx

from narrative_runs.asking.address import must_stay_home, proxy_for
from narrative_runs.asking.failures import RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server, key_from_environment
from narrative_runs.embedded.model_file import obtain
from narrative_runs.embedded.server import EmbeddedServer
from narrative_runs.errors import ServerError
from narrative_runs.params import Params

LOOK_FOR_S = 10.0


class ModelServer:
    """The server that this session asks."""

    def __init__(self, params: Params, say: Callable[[str], None]) -> None:
        """say: shows a line to the user."""
        self._params = params
        self._say = say
        self._embedded: EmbeddedServer | None = None

    async def open(self) -> Server:
        """Start or look at the server; returns where to ask.

        Raises:
            ServerError: it cannot be started or reached, serves another model, or lies outside the house.
        """
        model, timeout_s = self._params.model, self._params.run.timeout_s
        if model.embedded:
            started = await asyncio.to_thread(self._start)
            return Server(started.api_url, started.api_key, timeout_s)
        must_stay_home(model.base_url, model.allow_remote)
        server = Server(model.base_url, key_from_environment(), timeout_s)
        await look(server, model.name)
        return server

    async def is_answered(self, server: Server) -> bool:
        """Whether the server answers a question that is no narrative."""
        # Imported here: it is rarely needed, and every start of a run would wait for it.
        from narrative_runs.asking.client import Client, tls_for

        client = Client(server, tls_for(server))
        try:
            await client.ask(Question(self._params).trial(structured=False, logprobs=False))
        except RequestFailed:
            return False
        finally:
            await client.close()
        return True

    def close(self) -> None:
        """Stop the embedded server, if it was started."""
        if self._embedded is not None:
            self._embedded.stop()
            self._embedded = None

    def _start(self) -> EmbeddedServer:
        name = self._params.model.name
        path = obtain(name, self._say)
        self._say(f"Starting the embedded model {path.name}.")
        self._embedded = EmbeddedServer.start(path, name, slots=self._params.run.max_in_flight)
        return self._embedded


async def look(server: Server, model: str, look_for_s: float = LOOK_FOR_S) -> None:
    """Whether the server answers, and serves `model`; a server that lists no models is taken at its word.

    Raises:
        ServerError: not reached within `look_for_s` seconds, key refused, or the model is not among those listed.
    """
    url = f"{server.base_url}/models"
    headers = {"authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    deadline = time.monotonic() + look_for_s
    async with httpx.AsyncClient(trust_env=False, proxy=proxy_for(server.base_url), timeout=look_for_s) as client:
        while True:
            try:
                async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                    response = await client.get(url, headers=headers)
                if response.status_code < 500:
                    break
                problem = f"HTTP {response.status_code}"
            except (httpx.HTTPError, OSError) as error:
                problem = str(error) or type(error).__name__
            if time.monotonic() + 1 > deadline:
                raise ServerError(
                    f"model.api_url: no model server answers at {server.base_url} ({problem}). "
                    "Is it started, and is the port right? Nothing was asked."
                )
            await asyncio.sleep(0.5)
    if response.status_code in (401, 403):
        raise ServerError(
            f"{server.base_url} refuses the key (HTTP {response.status_code}). "
            "Set the environment variable LLM_API_KEY to a valid one."
        )
    served = _served(response)
    if served and not {model, f"{model}:latest"} & set(served):
        raise ServerError(
            f"model.name: {server.base_url} does not serve {model!r}, but {', '.join(served[:10])}. "
            "Load the model there, or mend model.name."
        )


def _served(response: httpx.Response) -> list[str]:
    if response.status_code != 200:
        return []
    try:
        return [str(entry["id"]) for entry in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []
