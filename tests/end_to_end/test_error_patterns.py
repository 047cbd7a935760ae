"""What errors have in common, from the server's refusal to the report, and back."""

import json
import re
import shlex
from typing import Any

import pytest

from tests.project import Fake, Project

pytestmark = pytest.mark.end_to_end

LONG, NARRATIVES = 14, 120
REFUSAL = {
    "error": {
        "code": "context_length_exceeded",
        "message": "This model's maximum context length is 4096 tokens. However, you requested 5120 tokens.",
    }
}


def rows() -> list[list[Any]]:
    """One incident a narrative, each of another length; the last but a few are long."""
    texts = [f"Case {number}. " + "She was found at home. " * (number % 40) for number in range(NARRATIVES - LONG)]
    texts += [f"Endless case {number}. " + "And it went on. " * 400 for number in range(LONG)]
    # Neither in a row of the workbook, nor in one shard.
    mixed = [texts[number * 37 % NARRATIVES] for number in range(NARRATIVES)]
    return [[f"{number:03}", text, None, number % 2, None, number % 2] for number, text in enumerate(mixed)]


def test_long_texts_are_told_and_gone_when_they_are_answered(project: Project, fake: Fake) -> None:
    """Texts that the server's context cannot take are told once on the screen, and in status, record and report, with
    the command that asks again; typed as it stands, after the server takes long texts, it completes them, and nothing
    of the pattern is left."""
    fake.behave(replies={"Endless": (400, json.dumps(REFUSAL))})
    project.write_workbook(rows())
    project.write_params(fake.url)
    result = project.snakemake()
    assert result.returncode == 0, result.stdout
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("[ERRORS] Pattern: ")]
    assert re.search(r"(\d+) of \1 errors are texts of more than [\d,]+ characters", line), line
    assert "the server's context is 4,096 tokens; raise it there" in line
    columns = "dimension, n_errors, n_errors_of, message"
    ((dimension, errors, of, message),) = project.query(f"SELECT {columns} FROM error_patterns")
    assert (dimension, errors, of) == ("length", LONG, LONG) and f"{LONG} of {LONG} errors are texts of" in message
    assert json.loads(project.run("narrative-runs", "status", "--json").stdout)["error_patterns"] == [message]
    assert message in project.run("narrative-runs", "status").stdout
    report = (project.folder / "results/cases/report.html").read_text(encoding="utf-8")
    assert "Patterns among the errors" in report and f"{LONG} of {LONG} errors are texts of more than" in report
    for text in (line, message, report):
        assert "And it went on." not in text and "you requested" not in text
    fake.behave(replies={})
    (command,) = re.findall("`([^`]+)`", message)
    result = project.run(*shlex.split(command))
    assert result.returncode == 0 and "Pattern: " not in result.stdout, result.stdout
    assert project.query("SELECT count(*) FROM narrative_results WHERE error_occurred") == [(0,)]
    assert project.query("SELECT count(*) FROM error_patterns") == [(0,)]
    assert json.loads(project.run("narrative-runs", "status", "--json").stdout)["error_patterns"] == []
    report = (project.folder / "results/cases/report.html").read_text(encoding="utf-8")
    assert "Patterns among the errors" not in report
