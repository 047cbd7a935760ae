"""A line of messages that outlives its connections: what a broken one lost is sent again over the next, once.

Each end numbers its messages, and tells with each of them the number of the last one that it took. What the other end
has not taken is kept, and sent again when both are connected anew.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from narrative_runs.coordination.messages import Message

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Channel:
    """One end of the line; for use within one event loop.

    taken: the number of the last message of the other end that was taken, from 1; 0 before the first.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._last = 0
        self._kept: deque[tuple[int, Message]] = deque()
        self._is_there_more = asyncio.Event()
        self._written = 0
        self._is_written = asyncio.Event()

    def post(self, message: Message) -> None:
        """Have a message sent: now, or when there is a connection."""
        self._last += 1
        self._kept.append((self._last, message))
        self._is_written.clear()
        self._is_there_more.set()

    async def write(self, send: Send, taken: int) -> None:
        """Send what there is and what comes, for as long as one connection lasts.

        send: writes one frame; taken: the number of the last message that the other end took.

        Raises:
            ConnectionError: the connection is broken.
        """
        self._has_taken(taken)
        self._written = taken
        while True:
            self._is_there_more.clear()
            for number, message in [each for each in self._kept if each[0] > self._written]:
                await send({"number": number, "taken": self.taken, "message": message.as_dict()})
                self._written = number
            if self._written == self._last:
                self._is_written.set()
            await self._is_there_more.wait()

    @property
    def has_unsent(self) -> bool:
        """Whether a message was not sent yet."""
        return self._written < self._last

    async def written(self) -> None:
        """Wait until all messages are sent."""
        if self.has_unsent:
            await self._is_written.wait()

    def take(self, frame: dict[str, Any]) -> Message | None:
        """The message in a frame; None for one that was taken already."""
        self._has_taken(int(frame["taken"]))
        if int(frame["number"]) <= self.taken:
            return None
        self.taken = int(frame["number"])
        return Message.of_dict(frame["message"])

    def _has_taken(self, number: int) -> None:
        while self._kept and self._kept[0][0] <= number:
            self._kept.popleft()
