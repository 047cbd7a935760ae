"""What a model server or a workbook fills, full of what steers terminals: screen, logs and commands stay plain."""

import json
import re
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.project import LABELLED, Fake, Project
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

HOSTILE = "\x1b[2J\x9b31m\u202e\x07\x7f"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A cell of a workbook holds no control character of C0; all else it does.
IN_A_CELL = "\x9b31m\u202e\x7f"


def assert_plain(shown: str, what: object) -> None:
    """Nothing in what was shown steers a terminal."""
    assert "Traceback" not in shown, shown
    assert not (found := STEERING.search(shown)), (what, shown[max(0, found.start() - 80) : found.end() + 20])


def assert_all_plain(project: Project, *commands: tuple[str, ...]) -> str:
    """These commands, and all logs, steer nothing; returns what was printed."""
    printed = ""
    for words in commands:
        shown = project.run(*words).stdout
        assert_plain(shown, words)
        printed += shown
    for path in (project.folder / "results").glob("*/logs/*"):
        assert_plain(path.read_text(encoding="utf-8"), path.name)
    return printed


RUN = ("snakemake", "--cores", "2")
LOOKS = [
    ("narrative-runs", "status"),
    ("narrative-runs", "status", "--json"),
    ("narrative-runs", "list"),
    ("narrative-runs", "export", "--review", "4", "--force"),
    ("narrative-runs", "prove"),
    ("narrative-runs", "preflight"),
]


def write_cases(project: Project, hostile: str) -> None:
    """A workbook whose sheet, columns, ids, labels and texts hold this."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = f"Sheet{hostile}"
    sheet.append([*LABELLED, f"Site{hostile}"])
    for number in range(4):
        label = f"yes{hostile}" if number == 3 else number % 2
        sheet.append([f"{number}{hostile}", f"Text {number} {hostile}", f"Other {number}.", label, 0, 1, f"x{hostile}"])
    book.save(project.folder / "data/cases.xlsx")
    project.track(project.folder / "data/cases.xlsx")


@pytest.mark.long
def test_what_a_server_says_steers_nothing(project: Project, fake: Fake) -> None:
    """A hostile server's model names, with line breaks in them, its answers, errors and codes: the run ends as any
    other, and nothing that is shown or logged steers a terminal."""
    write_cases(project, "")
    project.write_params(fake.url, run={"max_in_flight": 2, "max_attempts": 2})
    content = {"detected": True, "confidence": 0.9, "indicators": [HOSTILE], "rationale": f"{HOSTILE}\nstop all"}
    reply = {
        "model": f"fake{HOSTILE}\nstop everything\u2028want 7",
        "choices": [{"message": {"content": json.dumps(content)}, "finish_reason": f"stop{HOSTILE}"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    error = {"error": {"message": f"no {HOSTILE}\nstop all", "code": f"c{HOSTILE}", "type": HOSTILE}}
    fake.behave(
        models=["fake", f"other{HOSTILE}"],
        replies={
            "Text": (200, json.dumps(reply)),
            "Other 3.": (400, json.dumps(error)),
            "Other": (200, json.dumps(reply)),
        },
    )
    printed = assert_all_plain(project, RUN, *LOOKS, ("narrative-runs", "trace", "0", "cme"))
    assert project.status() == "completed", printed
    assert project.query("SELECT count(*) FROM narrative_results WHERE NOT error_occurred") == [(7,)]
    assert "fake\\u001b[2J" in printed


@pytest.mark.parametrize("status", rest_is_long([401, 404, 500]))
def test_why_a_server_refuses_steers_nothing(project: Project, fake: Fake, status: int) -> None:
    """The words of a server that refuses everything are shown plain."""
    write_cases(project, "")
    project.write_params(fake.url, run={"give_up_after_s": 2})
    error = {"error": {"message": f"go away {HOSTILE}\nstop all", "code": HOSTILE}}
    fake.behave(models=[f"other{HOSTILE}\nx"], status=status, body=json.dumps(error))
    printed = assert_all_plain(project, RUN, ("narrative-runs", "preflight"))
    assert "go away" in printed or "other\\u001b" in printed, printed


def test_what_a_workbook_holds_steers_nothing(project: Project, fake: Fake) -> None:
    """A workbook's sheet, columns, ids and labels are shown plain, where it is read and where it is refused."""
    write_cases(project, IN_A_CELL)
    project.write_params(fake.url)
    printed = assert_all_plain(project, RUN, *LOOKS, ("narrative-runs", "trace", f"0{IN_A_CELL}", "cme"))
    assert project.status() == "completed", printed
    project.write_params(
        fake.url, experiment={"name": f"Other {IN_A_CELL}", "slug": "other"}, data={"sheet": "nowhere"}
    )
    printed = assert_all_plain(project, RUN, ("narrative-runs", "list"))
    assert "no sheet 'nowhere'" in printed and "'Sheet\\x9b31m" in printed, printed
    assert not Path(project.folder / "results/other").exists()
