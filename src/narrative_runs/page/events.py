"""Server-sent events: each second, what changed on the open pages, from one look at the experiments for all of them."""

import asyncio
import json
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from narrative_runs.page.safety import tell_where

# HTML by the id of the element that holds it.
Fragments = dict[str, str]
# What is to be seen on each of the wanted pages.
LookAt = Callable[[Collection[str]], dict[str, Fragments]]

EVERY_S = 1.0
# A page that hears nothing for three times as long takes the connection for broken.
SIGN_OF_LIFE_S = 5.0


@dataclass(eq=False)
class Listener:
    """An open page: which one, what it shows, and what it has yet to receive."""

    which: str
    shown: Fragments = field(default_factory=dict)
    unsent: Fragments = field(default_factory=dict)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    is_ended: bool = False

    def see(self, fragments: Fragments) -> None:
        """Take what the page should show now; it replaces anything older that has not been sent yet."""
        changed = {name: html for name, html in fragments.items() if self.shown.get(name) != html}
        if changed:
            self.shown = {**self.shown, **changed}
            self.unsent |= changed
            self.has_news.set()

    def end(self) -> None:
        """Send nothing more."""
        self.is_ended = True
        self.has_news.set()

    def taken(self) -> Fragments:
        """What is to be sent."""
        unsent, self.unsent = self.unsent, {}
        self.has_news.clear()
        return unsent


class Events:
    """The pages that listen, and the one look for all of them, which pauses while no page listens."""

    def __init__(self, look: LookAt) -> None:
        """look: returns what the pages should show; called in a thread."""
        self._look = look
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send a page what changes, until it is closed."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await answer.prepare(request)
        listener = Listener(request.query.get("which", ""))
        self._listeners.add(listener)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_each_second())
        try:
            while not listener.is_ended:
                with suppress(TimeoutError):
                    async with asyncio.timeout(SIGN_OF_LIFE_S):
                        await listener.has_news.wait()
                await answer.write(f"data: {json.dumps(listener.taken())}\n\n".encode())
        except ConnectionError:
            pass
        finally:
            self._listeners.discard(listener)
        return answer

    async def _look_each_second(self) -> None:
        loop = asyncio.get_running_loop()
        while self._listeners:
            began = loop.time()
            wanted = {listener.which for listener in self._listeners}
            try:
                seen = await asyncio.to_thread(self._look, wanted)
            except Exception as error:
                # The pages lose their connection, say so, and try again.
                tell_where(error)
                for listener in self._listeners:
                    listener.end()
                return
            for listener in self._listeners:
                listener.see(seen.get(listener.which, {}))
            # What takes long is not done more often than half of the time.
            await asyncio.sleep(max(EVERY_S, loop.time() - began))
