import asyncio

import pytest

from narrative_runs.coordination.supervision import Supervision, unexpected
from narrative_runs.errors import ServerError


def failures_of(*works: str) -> list[str]:
    """What is told of tasks and callbacks that fail in this way."""
    told: list[str] = []

    async def fail(how: str) -> None:
        if how == "server":
            raise ServerError("The server is away.")
        if how == "disk":
            raise OSError(28, "No space left on device", "journal.jsonl")
        if how == "cancelled":
            raise asyncio.CancelledError
        if how == "bug":
            raise KeyError("a secret narrative")

    def callback() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        supervision = Supervision(told.append)
        for how in works:
            if how == "callback":
                asyncio.get_running_loop().call_soon(callback)
            else:
                supervision.start(fail(how))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    return told


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("server", "The server is away."),
        ("disk", "journal.jsonl: No space left on device"),
        ("bug", "an unexpected error, KeyError in"),
        ("callback", "an unexpected error, ZeroDivisionError in"),
    ],
)
def test_whatever_fails_beside_the_main_line_is_told(how: str, words: str) -> None:
    """The failure of a task or callback that nobody waits for comes to the one who can end the run."""
    (told,) = failures_of(how)
    assert words in told and "secret" not in told


def test_what_ends_as_it_should_is_no_failure() -> None:
    """Tasks that end, or are cancelled, are not told."""
    assert failures_of("nothing", "cancelled") == []


def test_the_place_is_told_as_the_repository_has_it() -> None:
    """Of an error in our own code file and line are told, so that a report of it leads there."""
    from narrative_runs.findings.rounding import shown

    try:
        shown("no number", 2)  # type: ignore[arg-type]
    except ValueError as error:
        assert "ValueError in findings/rounding.py, line " in unexpected(error)
