"""`narrative-runs serve`: the page of this project folder, until Ctrl-C."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from narrative_runs.code import must_be_the_code_of
from narrative_runs.errors import NarrativeRunsError
from narrative_runs.monitoring.experiments import check_is_project
from narrative_runs.page import access, safety
from narrative_runs.page.application import create_application
from narrative_runs.signals import heard

PORT = 8787
# A page that is open listens for ever: nobody waits for it.
_ENDS_WITHIN_S = 1.0


def serve(port: int, host: str, tell: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C; print its link first.

    port: 0 for any free one; host: the address to listen at, of which the caller has seen to it that it may be another
    than the loopback one.

    Raises:
        ExperimentError: this is no project folder.
        NarrativeRunsError: the port or the host cannot be used.
    """
    check_is_project()
    must_be_the_code_of(Path.cwd())
    asyncio.run(_serve(port, host, tell))


async def _serve(port: int, host: str, tell: Callable[[str], None]) -> None:
    token = access.token_of(Path.cwd())
    ended = asyncio.Event()
    for number in heard():
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = await started(token, host, port)
    try:
        for line in lines(host, port_of(runner), token):
            tell(line)
        await ended.wait()
    finally:
        await runner.cleanup()
    tell("The page is closed.")


async def started(token: str, host: str, port: int) -> web.AppRunner:
    """The server of the page, which answers until it is cleaned up.

    Raises:
        NarrativeRunsError: the port or the host cannot be used.
    """
    runner = web.AppRunner(
        create_application(token, access.names_of(host)),
        access_log=None,
        logger=_silent(),
        shutdown_timeout=_ENDS_WITHIN_S,
        max_line_size=safety.MOST_BYTES_OF_A_LINE,
        max_field_size=safety.MOST_BYTES_OF_A_LINE,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise NarrativeRunsError(_why_not(host, port, error)) from None
    return runner


def port_of(runner: web.AppRunner) -> int:
    """The port at which a server listens."""
    return int(runner.addresses[0][1])


def lines(host: str, port: int, token: str) -> list[str]:
    """The lines that the terminal shows at the start, the link first."""
    words = [access.link(host, port, token)]
    if not access.is_loopback(host):
        words.append(
            "WARNING: other machines can reach this page. Whoever has the link can read all narratives and cancel "
            "runs, and the connection is not encrypted: anyone who can read the traffic has the link. If you can, "
            "open the page to this machine only (leave out --host), and reach it by `ssh -L`."
        )
    elif command := access.by_ssh(port, os.environ.get("SSH_CONNECTION", "")):
        words.append(
            f"This is a remote machine. On the one where your browser is, type `{command}`, then open the link there."
        )
    words.append("The link is for you alone: whoever has it can read all narratives. Ctrl-C closes the page.")
    return words


def _why_not(host: str, port: int, error: OSError) -> str:
    if "in use" in str(error):
        return (
            f"Port {port} is in use, perhaps by another `narrative-runs serve`. Choose another, or take any free "
            "one: `narrative-runs serve --port 0`"
        )
    reason = error.strerror or str(error)
    return f"The page cannot be served at {host}, port {port}: {reason}. Choose another --host or --port."


def _silent() -> logging.Logger:
    """A log that keeps nothing: aiohttp's message about a broken request repeats the request."""
    logger = logging.getLogger("narrative_runs.page")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
