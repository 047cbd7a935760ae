import io
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.project import wait_until
from tests.terminal import Window

from narrative_runs.observation import terminal as terminal_module
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.observation.terminal import Terminal

STATUS = RunStatus("Cases", 200, 50, 1.0, 1.0, elapsed_sec=50.0, jobs=["01-of-4", "02-of-4"])


@pytest.fixture(params=[40, 80])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    """A terminal with so many columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(terminal_module, "PAUSE_S", 0.05)
    opened = Window(request.param)
    yield opened
    opened.close()


def shown(terminal: Window, *beginnings: str) -> None:
    """Wait until these are the beginnings of all lines that are not blank."""

    def as_expected() -> bool:
        lines = [line for line in terminal.lines() if line]
        return len(lines) == len(beginnings) and all(map(str.startswith, lines, beginnings))

    try:
        wait_until(as_expected, timeout=5)
    except AssertionError:
        pytest.fail("\n".join(terminal.lines()))


BLOCK = ("Cases", "━", "done ", "rate ", "ETA ", "elapsed ", "errors ", "tokens ", "in flight ", "at work ")


def beginnings(terminal: Window) -> list[str]:
    """How the lines of the panel begin, at this width."""
    panel = list(BLOCK)
    if terminal.columns == 40:
        panel.insert(4, "           ")
    return panel


def test_lines_stand_above_the_panel(terminal: Window) -> None:
    """A line is added above, longer ones whole, and the panel is drawn anew at its place."""
    with os.fdopen(os.dup(terminal.slave), "w") as stream:
        mine = Terminal(stream)
        mine.say("Starting.")
        mine.show(STATUS)
        mine.say("[WAITING] HTTP 503; the next try is in 4 s.")
        mine.show(replace(STATUS, n_narratives_processed=51))
        wait = ["[WAITING]"] if terminal.columns > 43 else ["[WAITING]", " s."]
        wait_until(lambda: "done       51 of 200 (25.5%)" in terminal.lines(), timeout=5)
        shown(terminal, "Starting.", *wait, *beginnings(terminal))
        mine.close()
        mine.show(STATUS)
        mine.say("[bold]The end.")
        shown(terminal, "Starting.", *wait, "[bold]The end.")


@pytest.mark.slow
def test_another_process_may_write_in_a_pause(terminal: Window) -> None:
    """After a pause another writer has the terminal to itself for a moment; then the panel is back below its lines."""
    with os.fdopen(os.dup(terminal.slave), "w") as stream:
        mine = Terminal(stream)
        mine.show(STATUS)
        mine.pause()
        mine.show(STATUS)
        os.write(terminal.slave, b"Error in rule record\n")
        shown(terminal, "Error in rule record")
        time.sleep(2 * terminal_module.PAUSE_S)
        mine.show(STATUS)
        shown(terminal, "Error in rule record", *beginnings(terminal))
        mine.close()
    shown(terminal, "Error in rule record")


def test_a_kill_leaves_the_cursor(terminal: Window) -> None:
    """The cursor is never hidden: whoever is killed could not bring it back."""
    with os.fdopen(os.dup(terminal.slave), "w") as stream:
        mine = Terminal(stream)
        mine.show(STATUS)
        shown(terminal, *beginnings(terminal))
        mine.close()
    assert b"\x1b[?25l" not in terminal.raw


@pytest.mark.parametrize("term", ["dumb", ""])
def test_without_a_real_terminal_there_is_no_block(
    term: str, terminal: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the cursor cannot be moved, and in files, there are lines alone."""
    monkeypatch.setenv("TERM", term)
    file = io.StringIO()
    with os.fdopen(os.dup(terminal.slave), "w") as stream:
        for each in (Terminal(stream), Terminal(file)):
            assert not each.is_terminal
            each.show(STATUS)
            each.say("A line.")
    shown(terminal, "A line.")
    assert file.getvalue() == "A line.\n"


def test_a_terminal_that_is_gone_stops_nothing(terminal: Window) -> None:
    """When the window was closed, what would be shown is dropped, and the run goes on."""
    gone = Window(80)
    stream = os.fdopen(os.dup(gone.slave), "w")
    mine = Terminal(stream)
    mine.show(STATUS)
    os.dup2(os.open(os.devnull, os.O_RDONLY), stream.fileno())
    mine.say("Nobody hears this.")
    mine.show(STATUS)
    mine.close()
    gone.close()
