import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.one_result import OUTCOMES
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.source.incidents import write_incidents
from narrative_runs.walk import walk, walk_variable
from tests.coded_experiment import write_experiment
from tests.project import wait_until
from tests.terminal import Window

HOSTILE = "\x1b[2J\x9b31m\u202e\x07"
# Which label and answer have which outcome; of one that is None, none is shown.
JUDGED: dict[str | None, tuple[int | None, int | None]] = {
    "tp": (1, 1),
    "fp": (0, 1),
    "fn": (1, 0),
    "tn": (0, 0),
    "error": (1, None),
    None: (None, 1),
}


def put(slug: str, rows: list[dict[str, Any]]) -> None:
    """An experiment in the record, without a folder, with these results."""
    with database.transaction() as connection:
        told = {"experiment_name": slug.title(), "slug": slug, "status": "completed", "hostname": "h"}
        database.put_experiment(connection, f"id-{slug}", told)
        for row in rows:
            columns = {"experiment_id": f"id-{slug}", "narrative_type": "le", **row}
            connection.execute(
                f"INSERT INTO narrative_results ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
                tuple(columns.values()),
            )


def row(number: int, outcome: str | None = "fp", text: str = "") -> dict[str, Any]:
    """A result that stands in this row, with this outcome."""
    label, detected = JUDGED[outcome]
    return {
        "row_num": number,
        "incident_id": f"i{number}",
        "source_row": number + 1,
        "narrative_text": f"Text {number}. {text}",
        "manual_flag_ind": label,
        "detected": detected,
        "error_occurred": detected is None,
    }


def titles(shown: str) -> list[str]:
    """The title of each narrative that was shown."""
    lines = shown.splitlines()
    return [above for above, line in pairwise(lines) if line and not line.strip("=")]


def command(*words: str) -> list[str]:
    """The command line of `narrative-runs trace`."""
    return [sys.executable, "-m", "narrative_runs", "trace", *words]


@contextmanager
def read_in_a_terminal(*words: str) -> Iterator[tuple["subprocess.Popen[bytes]", "Keyboard"]]:
    """Run `narrative-runs trace` in a terminal."""
    terminal = Keyboard(60)
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        command(*words),
        env={**environment, "TERM": "xterm-256color"},
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
    )
    try:
        yield process, terminal
    finally:
        process.kill()
        process.wait()
        terminal.close()


class Keyboard(Window):
    """A terminal that is typed into."""

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._master, keys.encode())

    def shows(self, text: str) -> None:
        """Wait until a line holds this."""
        wait_until(lambda: any(text in line for line in self.lines()), timeout=30)


@pytest.fixture(autouse=True)
def _in_a_project_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_lists_exactly_its_rows(outcome: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows of the outcome are shown by their row number, none of another outcome or experiment is."""
    put("other", [row(number, kind) for number, kind in enumerate(JUDGED, 1)])
    # The rows of an outcome stand far apart, and were written in another order.
    numbers = {kind: (place, place + 10) for place, kind in enumerate(JUDGED, 1)}
    put("cases", [row(numbers[kind][turn], kind) for turn in (1, 0) for kind in JUDGED])
    walk(OUTCOMES[outcome], "cases")
    shown = capsys.readouterr().out
    first, second = numbers[outcome]
    assert shown.splitlines()[0] == f"2 {OUTCOMES[outcome]}s in cases."
    assert titles(shown) == [
        f"1 of 2, i{first} LE, source row {first + 1}",
        f"2 of 2, i{second} LE, source row {second + 1}",
    ]
    assert f"Text {first}." in shown and f"Text {second}." in shown


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("false positive", "cases has no false positives."),
        ("error", "cases has no errors."),
        ("true negative", "1 true negative in cases."),
    ],
)
def test_none_and_one_are_said(outcome: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are none a sentence says so; one is not counted in the plural."""
    put("cases", [row(1, "tn")])
    walk(outcome, "id-cases")
    assert capsys.readouterr().out.splitlines()[0] == said


def test_outcomes_are_those_of_incidents_where_they_alone_have_labels(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the workbook labels incidents and no narrative, all narratives of the incidents with the outcome are shown,
    with label and outcome called the incident's; how many incidents these are is said, also where there is none."""
    told = [("a", "cme", 0, 1), ("b", "cme", 1, 1), ("a", "le", 0, 0), ("c", "le", 0, None), ("c", "cme", 0, 1)]
    rows = []
    for number, (incident, kind, label, detected) in enumerate(told, 1):
        judged = {"incident_id": incident, "narrative_type": kind, "manual_flag_ind": None, "manual_flag": label}
        rows.append({**row(number), **judged, "detected": detected, "error_occurred": detected is None})
    put("cases", rows)
    labels = {"incident_id": ["a", "b", "c"], "label": [0, 1, 0], "is_inconsistent": [False] * 3}
    folder = ExperimentFolder("cases")
    folder.incidents.parent.mkdir(parents=True)
    write_incidents(pd.DataFrame(labels), folder.incidents)
    for of_variable in (False, True):
        if of_variable:
            walk_variable("detected", "fp", "cases")
        else:
            walk("false positive", "cases")
        shown = capsys.readouterr().out
        assert shown.startswith(
            "1 incident in cases with this outcome, false positive: 2 narratives. The workbook labels"
        )
        assert titles(shown) == ["1 of 2, a CME, source row 2", "2 of 2, a LE, source row 4"]
        assert shown.count("label       negative (of the incident)") == 2
        assert shown.count("outcome     false positive (of the incident)") == 2
    walk("false negative", "cases")
    assert capsys.readouterr().out.startswith("No incidents in cases with this outcome, false negative. The workbook")
    walk("error", "cases")
    assert capsys.readouterr().out.startswith("1 error in cases.")


def test_an_unknown_experiment_is_told() -> None:
    """The message names the experiment that there is not."""
    put("cases", [])
    with pytest.raises(ExperimentError, match="no experiment none"):
        walk("error", "none")


def test_an_experiment_that_is_removed_meanwhile_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Narratives that are gone when their turn comes are passed over."""
    put("cases", [row(1), row(2)])
    monkeypatch.setattr("narrative_runs.record.result_rows.ids_with_outcome", lambda *_: [1, 999, 2])
    walk("false positive", "cases")
    assert len(titles(capsys.readouterr().out)) == 2


@pytest.mark.slow
def test_in_a_pipe_all_follow_each_other_and_steer_nothing() -> None:
    """Through the command, in lines of 80 characters, without a question, and with control sequences written out."""
    put("cases", [row(number, text=f"{HOSTILE} and {'word ' * 40}") for number in (1, 2, 3)])
    done = subprocess.run(command("--outcome", "fp"), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(titles(done.stdout)) == 3 and "Enter" not in done.stdout
    assert "Text 2. \\u001b[2J\\u009b31m\\u202e\\u0007 and word" in done.stdout
    assert all(mark >= " " or mark == "\n" for mark in done.stdout) and "\x9b" not in done.stdout
    assert 70 < max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("count", [2, 500])
@pytest.mark.slow
def test_a_reader_who_has_seen_enough_ends_it_quietly(count: int) -> None:
    """A pipe that is closed, as `head` does, ends it with exit code 0 and without a word, early or late."""
    put("cases", [row(number, text="word " * 100) for number in range(1, count + 1)])
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command("--outcome", "fp", "cases"), text=True, **pipe) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == f"{count} false positives in cases.\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) == 0


@pytest.mark.slow
def test_on_a_terminal_enter_shows_the_next_and_q_stops() -> None:
    """One narrative is shown at a time, as wide as the terminal; Enter shows the next, q ends it with exit code 0."""
    put("cases", [row(number, text=f"{HOSTILE} {'word ' * 40}") for number in (1, 2, 3)])
    with read_in_a_terminal("--outcome", "fp") as (process, terminal):
        terminal.shows("1 of 3. Enter for the next, q to stop")
        assert "3 false positives in cases." in terminal.lines()
        assert not any("Text 2." in line for line in terminal.lines())
        terminal.type("\n")
        terminal.shows("2 of 3. Enter for the next, q to stop")
        assert process.poll() is None
        terminal.type("q\n")
        assert process.wait(timeout=30) == 0
        assert titles("\n".join(terminal.lines())) == ["1 of 3, i1 LE, source row 2", "2 of 3, i2 LE, source row 3"]
        assert b"\x1b[2J" not in terminal.raw and b"\x07" not in terminal.raw
        assert 50 < max(map(len, terminal.lines())) <= 60


@pytest.mark.slow
def test_after_the_last_nothing_is_asked() -> None:
    """The last narrative ends it without a question."""
    put("cases", [row(1)])
    with read_in_a_terminal("--outcome", "fp") as (process, terminal):
        assert process.wait(timeout=30) == 0
        terminal.shows("Text 1.")
        assert not any("Enter" in line for line in terminal.lines())


@pytest.mark.parametrize("end", ["Ctrl-D", "Ctrl-C"])
@pytest.mark.slow
def test_ctrl_c_and_ctrl_d_end_it_quietly(end: str) -> None:
    """Both end it with exit code 0, without a traceback or a message."""
    put("cases", [row(1), row(2)])
    with read_in_a_terminal("--outcome", "fp", "cases") as (process, terminal):
        terminal.shows("1 of 2. Enter for the next, q to stop")
        if end == "Ctrl-D":
            terminal.type("\x04")
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert [line for line in terminal.lines() if line][-1].startswith("1 of 2. Enter for the next, q to stop")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give INCIDENT and TYPE"),
        (("0007",), "give INCIDENT and TYPE"),
        (("0007", "le", "--outcome", "fp"), "--outcome can only be used with SLUG"),
        (("--outcome", "fp", "0007", "le", "cases"), "--outcome can only be used with SLUG"),
        (("--outcome", "wrong"), "invalid choice: 'wrong'"),
        (("0007", "--variable", "weapon"), "give INCIDENT and TYPE"),
        (("0007", "le", "--outcome", "fp", "--variable", "weapon"), "--outcome can only be used with SLUG"),
    ],
)
@pytest.mark.slow
def test_wrong_arguments_are_told(words: tuple[str, ...], said: str) -> None:
    """What does not go together ends with the usage, the reason, and exit code 2."""
    done = subprocess.run(command(*words), capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr
    assert "trace INCIDENT TYPE [SLUG]" in done.stderr and "trace --outcome {tp,fp,fn,tn,error} [SLUG]" in done.stderr
    assert "trace --outcome OUTCOME --variable NAME [SLUG]" in done.stderr


def test_without_a_codebook_detected_is_the_only_variable(capsys: pytest.CaptureFixture[str]) -> None:
    """The usual question has the outcomes and the pages that it has without its name, and those without a label."""
    put("cases", [row(number, kind) for number, kind in enumerate(JUDGED, 1)])
    for typed, words in {**OUTCOMES, "unlabelled": "no label"}.items():
        walk(words, "cases")
        _, *pages = capsys.readouterr().out.splitlines()
        walk_variable("detected", typed, "cases")
        first, *same = capsys.readouterr().out.splitlines()
        assert first == f"cases has 1 narrative with this outcome of detected: {words}." and same == pages
    with pytest.raises(FindingsError, match=r"There are: detected\."):
        walk_variable("weapon", "fp", "cases")
    with pytest.raises(FindingsError, match=r"Its outcomes are: tp, fp, fn, tn, unlabelled, error\."):
        walk_variable("detected", "wrong", "cases")


def test_the_outcomes_of_a_variable_are_walked_through(capsys: pytest.CaptureFixture[str]) -> None:
    """All narratives with an unclear weapon are shown in row order, of their answers the weapon alone."""
    results = write_experiment()
    walk_variable("weapon", "unclear", "coded")
    shown = capsys.readouterr().out
    unclear = results[results["weapon_missing"] == "unclear"].sort_values("row_num")
    count = len(unclear)
    assert count > 1
    assert shown.splitlines()[0] == f"coded has {count} narratives with this outcome of weapon: unclear."
    assert titles(shown) == [
        f"{place} of {count}, {incident} {kind.upper()}"
        for place, (incident, kind) in enumerate(zip(unclear["incident_id"], unclear["narrative_type"], strict=True), 1)
    ]
    assert shown.count("  variable    weapon") == shown.count("  answer      unclear") == count
    assert "severity" not in shown


def test_none_of_a_variable_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no narrative has the outcome, a sentence says so."""
    results = write_experiment(n_incidents=1)
    assert not results["summary_missing"].notna().any()
    walk_variable("summary", "error", "coded")
    assert capsys.readouterr().out == "coded has no narratives with this outcome of summary: error.\n"
