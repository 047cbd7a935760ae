"""What a job does on another host: it asks for its shard itself, each request granted by the run's coordinator."""

import asyncio
import platform
from collections.abc import Iterator
from urllib.parse import urlsplit

from narrative_runs import journal
from narrative_runs.asking.address import proxy_for
from narrative_runs.asking.ask import Open
from narrative_runs.asking.permits import Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.coordination.answered_before import AnsweredBefore
from narrative_runs.coordination.asker import Asker
from narrative_runs.coordination.client import CONNECT_WITHIN_S, RunClient
from narrative_runs.coordination.model_server import ModelServer
from narrative_runs.coordination.remote_permits import RemotePermits
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.errors import ServerError
from narrative_runs.params import Model
from narrative_runs.source.shards import iterate


def ask_from_here(run: RunClient, shard: str) -> None:
    """Ask for all narratives of a shard that have no answer yet, and keep each answer in a journal of this host's own.

    Raises:
        ServerError: the run, or this job, ends before that; the message says why.
    """
    run.do(_ask(run, shard))


async def _ask(run: RunClient, shard: str) -> None:
    context, question = run.context, Question(run.context.params)
    model = context.params.model
    permits = RemotePermits(run.post, context.params.run.max_in_flight * (len(model.base_urls) or 1))
    run.take_other = permits.take
    loop = asyncio.get_running_loop()
    server = ModelServer(
        context.params,
        run.show,
        lambda: run.api_key,
        context.folder.logs / f"model_server-{platform.node()}-{shard}.log",
        lambda reason: loop.call_soon_threadsafe(permits.stop, reason),
    )

    async def opened() -> list[Server]:
        await _must_have_a_way_to(model)
        return await server.open()

    asker = Asker(
        question,
        permits,
        AnsweredBefore(context.folder, context.params, question),
        opened,
        lambda name: journal.new_file(context.folder.journals, run.context.session, name),
        lambda: {**run.context.head, "host": platform.node()},
        Supervision(permits.stop),
    )
    run.leave_journals = asker.leave_journals
    try:
        asker.ask_for(_number(shard), shard, lambda: _open_ones(run, question, shard))
        await asker.answered(shard)
    except Stopped as stopped:
        raise ServerError(str(stopped)) from None
    finally:
        await asker.close()
        await asyncio.to_thread(server.close)


async def _must_have_a_way_to(model: Model) -> None:
    """See that this host reaches the model server at all, or one of several.

    Raises:
        ServerError: it does not; the run's own host may.
    """
    urls = [url for url in model.base_urls if not proxy_for(url, model.allow_remote)]
    if not urls or len(urls) < len(model.base_urls):
        return
    reasons = await asyncio.gather(*map(_why_no_way_to, urls))
    if all(reasons):
        ways = ", ".join(f"{url} ({reason})" for url, reason in zip(urls, reasons, strict=True))
        raise ServerError(
            f"{platform.node()} cannot reach the model server at {ways}. Each node must be able to reach it at this "
            "address, with no firewall in between: see docs/cluster.md."
        )


async def _why_no_way_to(url: str) -> str:
    """Why this host cannot connect to a server; empty if it can."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError as error:
        # Its own TimeoutError has no words.
        return error.strerror or "no answer"
    writer.close()
    return ""


def _open_ones(run: RunClient, question: Question, shard: str) -> Iterator[Open]:
    """The narratives of the shard without an answer, numbered by their position in it, whoever asks for them."""
    folder, params = run.context.folder, run.context.params
    answered = journal.first_entries(folder.journals, shard)
    narratives = iterate(folder.narratives_of(_number(shard), params.shards.count), params.run.max_narratives)
    for position, narrative in enumerate(narratives, start=1):
        fingerprint = question.fingerprint(narrative)
        if fingerprint not in answered:
            yield Open(narrative, (_number(shard), position), fingerprint)


def _number(shard: str) -> int:
    return int(shard.split("-")[0])
