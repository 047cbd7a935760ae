"""Two ends of a line over connections that break at any message."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.coordination.channel import Channel
from narrative_runs.coordination.messages import Message


class Connection:
    """One connection between two ends, which carries so many frames, both ways together, and loses what comes after."""

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.broken = asyncio.Event()

    async def carry(self, sender: Channel, receiver: Channel, taken: list[str]) -> None:
        """Carry what one end sends to the other, until the connection breaks."""

        async def send(frame: dict[str, Any]) -> None:
            if self.left == 0:
                # What is lost is not noticed by who sends it.
                self.broken.set()
                return
            self.left -= 1
            message = receiver.take(frame)
            if message is not None:
                taken.append(message.text)

        await sender.write(send, receiver.taken)


async def _all_written(ends: Sequence[Channel]) -> bool:
    for end in ends:
        await end.written()
    return True


async def said(lines: Sequence[tuple[bool, str]], frames: Sequence[int]) -> tuple[list[str], list[str]]:
    """What each end takes of what the other posts, over connections of so many frames, and a last one that holds."""
    ends = Channel(), Channel()
    taken: tuple[list[str], list[str]] = [], []
    for is_first, text in lines:
        ends[0 if is_first else 1].post(Message("show", text))
    for count in (*frames, 10_000):
        connection = Connection(count)
        writing = [
            asyncio.create_task(connection.carry(ends[0], ends[1], taken[1])),
            asyncio.create_task(connection.carry(ends[1], ends[0], taken[0])),
        ]
        written = asyncio.create_task(_all_written(ends))
        broken = asyncio.create_task(connection.broken.wait())
        await asyncio.wait({written, broken}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*writing, written, broken):
            task.cancel()
        await asyncio.gather(*writing, written, broken, return_exceptions=True)
    return taken


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=3)), max_size=12), st.lists(st.integers(0, 6), max_size=4))
def test_every_message_is_taken_once_and_in_its_order(lines: list[tuple[bool, str]], frames: list[int]) -> None:
    """Wherever connections break, each end takes all that the other posted, once, in the order in which it came."""
    first, second = asyncio.run(said(lines, frames))
    assert second == [text for is_first, text in lines if is_first]
    assert first == [text for is_first, text in lines if not is_first]


def test_what_is_posted_later_is_sent_too() -> None:
    """A message that is posted while the connection lasts goes out at once."""

    async def work() -> list[str]:
        sender, receiver = Channel(), Channel()
        taken: list[str] = []
        writing = asyncio.create_task(Connection(10).carry(sender, receiver, taken))
        for text in ("a", "b"):
            sender.post(Message("show", text))
            await sender.written()
        writing.cancel()
        return taken

    assert asyncio.run(work()) == ["a", "b"]
