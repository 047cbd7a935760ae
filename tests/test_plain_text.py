import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from narrative_runs.observation.terminal import Terminal
from narrative_runs.plain_console import PlainConsole
from narrative_runs.plain_text import plain, plain_stream

STEERING = {
    "\x1b[2J": "\\u001b[2J",
    "\x9b31m": "\\u009b31m",
    "\x07": "\\u0007",
    "a\rb": "a\\u000db",
    "\x7f": "\\u007f",
    "\u202egnp.exe": "\\u202egnp.exe",
    "\u2066": "\\u2066",
    "\u2028": "\\u2028",
    "\ud800": "\\ud800",
}


@pytest.mark.parametrize(("text", "shown"), STEERING.items())
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    """Controls of C0 and C1, DEL, controls of direction and halves of pairs are shown, and steer nothing."""
    assert plain(text) == shown


@pytest.mark.parametrize("text", ["Müller, 日本, ﷽, 👩‍👩‍👧", "a\tb\nc", "", "\\u001b"])
def test_ordinary_text_stays(text: str) -> None:
    """Any language, joined characters, tabs and line feeds are as they were."""
    assert plain(text) == text


@given(st.text(st.characters()))
def test_nothing_steers_after_the_filter(text: str) -> None:
    """What comes out can be written to any terminal, and is plain already."""
    shown = plain(text)
    assert plain(shown) == shown
    assert all(mark in "\n\t" or mark >= " " for mark in shown) and "\x7f" not in shown
    shown.encode()


@given(st.text(st.characters()))
def test_json_stays_json(text: str) -> None:
    """A JSON text that goes through the filter says the same."""
    shown = plain(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == json.loads(json.dumps(text))


def test_a_stream_lets_plain_text_through_alone() -> None:
    """All that is printed to the stream is plain, and the stream is otherwise itself."""
    inner = io.StringIO()
    stream = plain_stream(inner)
    print("\x1b]0;title\x07", file=stream)
    stream.writelines(["\x9b", "b\n"])
    assert inner.getvalue() == "\\u001b]0;title\\u0007\n\\u009bb\n"
    assert not stream.isatty()


@pytest.mark.parametrize("is_behind_the_filter", [False, True])
def test_tables_have_colours_and_plain_text(is_behind_the_filter: bool) -> None:
    """A table's own colours pass, while its texts steer nothing, whether the stream is filtered too or not."""
    inner = io.StringIO()
    console = PlainConsole(file=plain_stream(inner) if is_behind_the_filter else inner, force_terminal=True, width=60)
    table = Table("name")
    table.add_row("\x1b[31mred\u202e")
    table.add_row(Text("\x9b1m"))
    console.print(table)
    console.print("said \x9b31m")
    shown = inner.getvalue()
    assert "\x1b[1m" in shown and "\\u001b[31mred\\u202e" in shown and "said \\u009b31m" in shown
    assert "\x1b[31m" not in shown and "\u202e" not in shown and "\x9b" not in shown


def test_the_screen_of_a_run_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """A line on the screen of a run, foreign words in it, steers nothing."""
    Terminal(sys.stderr).say("the server says \x1b[2J\u202e")
    assert capsys.readouterr().err == "the server says \\u001b[2J\\u202e\n"
