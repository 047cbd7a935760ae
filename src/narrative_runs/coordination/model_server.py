"""Opening the model servers of a session: some are started here, the others are looked at."""

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path

from narrative_runs.asking.address import proxy_for, require_private_address
from narrative_runs.asking.client import Client, tls_for
from narrative_runs.asking.failures import Failure, Kind, RequestFailed
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server, key_from_environment
from narrative_runs.asking.trial import Evidence, look_for_evidence, repeats_any_name
from narrative_runs.embedded.model_file import obtain
from narrative_runs.embedded.server import READY_WITHIN_S, embedded_command
from narrative_runs.errors import ServerAway, ServerError
from narrative_runs.params import Params
from narrative_runs.started_server.command import ServerCommand
from narrative_runs.started_server.log import TextFilter
from narrative_runs.started_server.process import StartedServer

LOOK_FOR_S = 10.0
# A list of models is worth no longer wait: a question tells more.
LIST_WITHIN_S = 3.0
TELL_AFTER_S = 5.0
TRY_AGAIN_S = 2.0
SHOWN_MODELS = 10
# What a server, or a proxy before it, answers while the model is loaded.
MAY_BE_LOADING = (502, 503, 504)


class ModelServer:
    """The servers that this session asks.

    away: the positions of those that did not answer when they were opened, though others did.
    """

    def __init__(
        self,
        params: Params,
        say: Callable[[str], None],
        api_key: Callable[[], str] = key_from_environment,
        log_file: Path | None = None,
        fatal: Callable[[str], object] | None = None,
    ) -> None:
        """say: shows a line to the user; api_key: gives the key, or raises a ServerError; log_file: of a server that is
        started by model.command, None to keep none; fatal: is called with the reason, from another thread, when a
        server that was started cannot be kept alive."""
        self.away: set[int] = set()
        self._params = params
        self._api_key = api_key
        self._say = say
        self._log_file = log_file
        self._fatal = fatal or say
        # A prompt may quote cases.
        self._texts = TextFilter(always=[params.prompt.system_prompt])
        self._started: StartedServer | None = None

    async def open(self) -> list[Server]:
        """Start or look at the servers; returns where to ask.

        Raises:
            ServerError: none can be started or reached, or one serves another model, refuses to answer, or lies outside
                this machine and its private network.
        """
        model, timeout_s = self._params.model, self._params.run.timeout_s
        if model.starts_server:
            started = await asyncio.to_thread(self._start)
            server = Server(started.api_url, started.api_key, timeout_s, before_asking=self._texts.add)
            if not model.embedded:
                await look(server, self._params, self._say)
            return [server]
        for url in model.base_urls:
            require_private_address(url, model.allow_remote)
            proxy_for(url, model.allow_remote)
        servers = [Server(url, self._api_key(), timeout_s, model.allow_remote) for url in model.base_urls]
        await self._look_at(servers)
        return servers

    async def _look_at(self, servers: list[Server]) -> None:
        """Look at all servers at once; that some are away is told, if others answer."""
        params, give_up_after_s = self._params, self._params.run.give_up_after_s
        # One that loads its model is waited for, unless others can be asked meanwhile.
        wait_for_s = give_up_after_s if len(servers) == 1 else min(LOOK_FOR_S, give_up_after_s)
        looks = (look(server, params, self._say, wait_for_s=wait_for_s) for server in servers)
        outcomes = await asyncio.gather(*looks, return_exceptions=True)
        errors = [outcome for outcome in outcomes if outcome is not None]
        final = [error for error in errors if not isinstance(error, ServerAway)]
        if final or len(errors) == len(servers):
            raise (final or errors)[0]
        self.away = {position for position, outcome in enumerate(outcomes) if outcome is not None}
        for position in sorted(self.away):
            self._say(
                f"[WAITING] No answer from {servers[position].base_url}: the run uses the other servers, and this one "
                "as soon as it answers."
            )

    def close(self) -> None:
        """Stop the server that was started, if one was."""
        if self._started is not None:
            self._started.stop()
            self._started = None

    def _start(self) -> StartedServer:
        model, hides = self._params.model, self._texts.hides
        if model.embedded:
            path = obtain(model.name, self._say)
            self._say(f"Starting the embedded model {path.name}.")
            command = embedded_command(path, model.name, slots=self._params.run.max_in_flight)
            self._started = StartedServer(command, None, self._say, self._fatal, hides, READY_WITHIN_S)
        else:
            self._say("Starting the model server (model.command).")
            command = ServerCommand.from_text(model.command, model.name)
            self._started = StartedServer(command, self._log_file, self._say, self._fatal, hides)
        self._started.load()
        return self._started


async def look(
    server: Server,
    params: Params,
    say: Callable[[str], None],
    look_for_s: float = LOOK_FOR_S,
    wait_for_s: float | None = None,
) -> None:
    """Whether the server answers, and serves the model.

    A model that it lists is taken at its word; where it lists another, or nothing that can be read, one question about
    no narrative tells. A server that is busy, or still loads its model, is waited for, up to `wait_for_s` seconds;
    left out: run.give_up_after_s.

    Raises:
        ServerAway: not reached within `look_for_s` seconds, or still not ready.
        ServerError: the question is refused, or another model answers.
    """
    client, question, model = Client(server, tls_for(server)), Question(params), params.model
    try:
        served, list_status = await _served(client, server, look_for_s)
        if served and {model.name, f"{model.name}:latest"} & set(served):
            return
        is_broken = list_status >= 500 and list_status not in MAY_BE_LOADING
        patience = params.run.give_up_after_s if wait_for_s is None else wait_for_s
        evidence = await _until_answered(client, question, say, look_for_s if is_broken else patience)
        if evidence.failure is not None:
            may_pass = evidence.failure.passes and not evidence.failure.is_key_or_account
            kind = ServerAway if may_pass else ServerError
            raise kind(_refusal(evidence.failure, server, model.name, served))
        if not served or set(served) & set(model.answers_as):
            return
        if evidence.model in served:
            raise ServerError(_of_another(f"it answers as {evidence.model}", server, model.name, served))
        if evidence.model == model.name and await repeats_any_name(question, client, evidence.unsupported):
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
                raise ServerAway(
                    f"model.api_url: no model server answers at {server.base_url} ({failed}). "
                    "Is the server running, and is the port right? Nothing was asked."
                ) from None
        await asyncio.sleep(0.5)


async def _until_answered(
    client: Client, question: Question, say: Callable[[str], None], wait_for_s: float
) -> Evidence:
    """Ask a question about no narrative until it is answered or refused, or `wait_for_s` seconds are over."""
    deadline = time.monotonic() + wait_for_s
    last_message = ""
    while True:
        asking = asyncio.create_task(look_for_evidence(question, client, (), None, parts_are_proved=False))
        evidence = await _with_message_if_long(asking, say)
        failure = evidence.failure
        if failure is None or not failure.passes or failure.is_key_or_account:
            return evidence
        if time.monotonic() + TRY_AGAIN_S > deadline:
            return evidence
        if failure.message != last_message:
            last_message = failure.message
            say(f"[WAITING] The model server does not answer yet ({failure.message}). Trying again every few seconds.")
        await asyncio.sleep(TRY_AGAIN_S)


async def _with_message_if_long(asking: "asyncio.Task[Evidence]", say: Callable[[str], None]) -> Evidence:
    """The outcome of a question; one that takes long is told, because the model may still be loading."""
    done, _ = await asyncio.wait({asking}, timeout=TELL_AFTER_S)
    if not done:
        say("[WAITING] The model server has not answered the first question yet: it may be loading the model.")
    return await asking


def _refusal(failure: Failure, server: Server, model: str, served: Collection[str]) -> str:
    reason = failure.reason or failure.message
    if failure.passes and not server.api_key:
        reason += ". No key is set: if this server needs one, set LLM_API_KEY"
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
