"""Nothing that runs beside the main line fails unseen: an exception that nobody expected ends the run with its reason.

asyncio keeps the exception of a task until somebody asks for it, and only prints that of a callback. A task that writes
the record, or hands out requests, would be missed when it is too late.
"""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from narrative_runs.errors import NarrativeRunsError, reason_of

_OWN = str(Path(__file__).parents[1])


class Supervision:
    """Watches the tasks and the callbacks of the running event loop.

    fail: called with the reason, in the loop, each time one of them fails.
    """

    def __init__(self, fail: Callable[[str], None]) -> None:
        self._fail = fail
        self._tasks: set[asyncio.Task[Any]] = set()
        asyncio.get_running_loop().set_exception_handler(self._of_callback)

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task that is watched until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._of_task)
        return task

    def _of_task(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(unexpected(error))

    def _of_callback(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # A warning of asyncio's own, as of a task that is still there at the end, is no failure.
        if isinstance(error, Exception):
            self._fail(unexpected(error))


def unexpected(error: BaseException) -> str:
    """Why something failed, in words; of what nobody expected the kind and the place.

    The message of such an exception may quote what it failed on: it is left out.
    """
    if isinstance(error, NarrativeRunsError | OSError):
        return reason_of(error)
    return (
        f"an unexpected error, {type(error).__name__} in {_position(error)}. No answer is "
        "lost. If it happens again, please report it with this line"
    )


def _position(error: BaseException) -> str:
    """The last place in this software that an exception passed: file and line."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_OWN)]
    return f"{own[-1].filename.removeprefix(_OWN).lstrip('/')}, line {own[-1].lineno}" if own else "another library"
