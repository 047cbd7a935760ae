"""Opening the model server of a session: the embedded one is started, any other is looked at."""

import asyncio
import time
from collections.abc import Callable, Collection

from narrative_runs.asking.address import proxy_for, require_private_address
from narrative_runs.asking.client import Client, tls_for
from narrative_runs.asking.failures import Failure, Kind, RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server, key_from_environment
from narrative_runs.asking.trial import Evidence, look_for_evidence, repeats_any_name
from narrative_runs.embedded.model_file import obtain
from narrative_runs.embedded.server import EmbeddedServer
from narrative_runs.errors import ServerError
from narrative_runs.params import Params

LOOK_FOR_S = 10.0
# A list of models is worth no longer wait: a question tells more.
LIST_WITHIN_S = 3.0
TELL_AFTER_S = 5.0
TRY_AGAIN_S = 2.0
SHOWN_MODELS = 10
# What a server, or a proxy before it, answers while the model is loaded.
MAY_BE_LOADING = (502, 503, 504)


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
            ServerError: it cannot be started or reached, serves another model, refuses to answer, or lies outside this
                machine and its private network.
        """
        model, timeout_s = self._params.model, self._params.run.timeout_s
        if model.embedded:
            started = await asyncio.to_thread(self._start)
            return Server(started.api_url, started.api_key, timeout_s)
        require_private_address(model.base_url, model.allow_remote)
        proxy_for(model.base_url, model.allow_remote)
        server = Server(model.base_url, key_from_environment(), timeout_s, model.allow_remote)
        await look(server, self._params, self._say)
        return server

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


async def look(server: Server, params: Params, say: Callable[[str], None], look_for_s: float = LOOK_FOR_S) -> None:
    """Whether the server answers, and serves the model.

    A model that it lists is taken at its word; where it lists another, or nothing that can be read, one question about
    no narrative tells. A server that is busy, or still loads its model, is waited for.

    Raises:
        ServerError: not reached within `look_for_s` seconds, or the question is refused.
    """
    client, question, model = Client(server, tls_for(server)), Question(params), params.model
    try:
        served, list_status = await _served(client, server, look_for_s)
        if served and {model.name, f"{model.name}:latest"} & set(served):
            return
        is_broken = list_status >= 500 and list_status not in MAY_BE_LOADING
        evidence = await _until_told(client, question, say, look_for_s if is_broken else params.run.give_up_after_s)
        if evidence.failure is not None:
            raise ServerError(_refusal(evidence.failure, server, model.name, served))
        if not served or set(served) & set(model.answers_as):
            return
        if evidence.model in served:
            raise ServerError(_of_another(f"it answers as {evidence.model}", server, model.name, served))
        if evidence.model == model.name and await repeats_any_name(question, client, evidence.without):
            raise ServerError(_of_another("it answers under any name", server, model.name, served))
    finally:
        await client.close()


async def _served(client: Client, server: Server, look_for_s: float) -> tuple[list[str], int]:
    """The models that the server lists, and the status of the list; none where there is no list that can be read."""
    deadline = time.monotonic() + look_for_s
    while True:
        try:
            status, content = await client.models(min(LIST_WITHIN_S, look_for_s))
            return (_names(content) if status == 200 else []), status
        except RequestFailed as failed:
            if failed.failure.kind is Kind.TIMED_OUT:
                return [], 0
            if failed.failure.kind in (Kind.UNTRUSTED, Kind.UNSENDABLE):
                raise ServerError(f"model.api_url: {server.base_url}: {failed}. Nothing was asked.") from None
            if time.monotonic() + 1 > deadline:
                raise ServerError(
                    f"model.api_url: no model server answers at {server.base_url} ({failed}). "
                    "Is it started, and is the port right? Nothing was asked."
                ) from None
        await asyncio.sleep(0.5)


async def _until_told(client: Client, question: Question, say: Callable[[str], None], wait_for_s: float) -> Evidence:
    """Ask a question about no narrative until it is answered or refused, or `wait_for_s` seconds are over."""
    deadline = time.monotonic() + wait_for_s
    told = ""
    while True:
        asking = asyncio.create_task(look_for_evidence(question, client, (), None, parts_are_proved=False))
        evidence = await _told_if_long(asking, say)
        failure = evidence.failure
        if failure is None or not failure.passes or failure.is_key_or_account:
            return evidence
        if time.monotonic() + TRY_AGAIN_S > deadline:
            return evidence
        if failure.message != told:
            told = failure.message
            say(f"[WAITING] The model server does not answer yet ({told}). It is asked again every few seconds.")
        await asyncio.sleep(TRY_AGAIN_S)


async def _told_if_long(asking: "asyncio.Task[Evidence]", say: Callable[[str], None]) -> Evidence:
    """The outcome of a question; one that takes long is told, because the model may still be loading."""
    done, _ = await asyncio.wait({asking}, timeout=TELL_AFTER_S)
    if not done:
        say("[WAITING] The model server has not answered the first question yet: it may be loading the model.")
    return await asking


def _refusal(failure: Failure, server: Server, model: str, served: Collection[str]) -> str:
    reason = failure.reason or failure.message
    if failure.passes and not server.api_key:
        reason += ". No key is set: if this server wants one, set LLM_API_KEY"
    if served and not failure.is_key_or_account:
        return _of_another(reason, server, model, served)
    return f"{server.base_url}: {reason}. Nothing was asked."


def _of_another(reason: str, server: Server, model: str, served: Collection[str]) -> str:
    shown = ", ".join(list(served)[:SHOWN_MODELS])
    return (
        f"model.name: {server.base_url} does not serve {model!r}, but {shown} ({reason}). "
        "Load the model there, or correct model.name."
    )


def _names(content: object) -> list[str]:
    """The names in a list of models; none if it says that there are more than these."""
    entries = content.get("data") if isinstance(content, dict) else content
    if not isinstance(entries, list) or (isinstance(content, dict) and content.get("has_more")):
        return []
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]
