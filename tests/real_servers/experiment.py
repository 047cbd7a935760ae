"""The small experiment that the real servers are asked, and what came of it."""

from collections import Counter
from typing import Any

from tests.project import Project, cases
from tests.real_servers.servers import CONTEXT_TOKENS, MODEL_NAME

NARRATIVES = 8
# The small model learns from it what an answer looks like, and answers briefly: with token probabilities
# llama-cpp-python takes a quarter of a second for each token.
SYSTEM_PROMPT = 'Did a partner hurt V? Answer with one JSON object, such as {"detected": false, "confidence": 0.9}'


def prepare(project: Project, url: str, name: str = MODEL_NAME, narratives: int = NARRATIVES, **changes: Any) -> None:
    """Write a workbook of so many narratives in two shards, and params for the model `name` at `url`."""
    project.write_workbook(cases(narratives // 2))
    describe(project, url, name, **changes)


def describe(project: Project, url: str, name: str = MODEL_NAME, **changes: Any) -> None:
    """Write params for the model `name` at `url`; `changes` are sections laid over them."""
    sections: dict[str, Any] = {
        "model": {"name": name, "max_tokens": 40, "structured_output": "plain"},
        "prompt": {"system_prompt": SYSTEM_PROMPT},
        "run": {"max_in_flight": 2, "timeout_s": 60, "give_up_after_s": 30},
        "shards": {"count": 2},
    }
    for section, values in changes.items():
        sections[section] = sections.get(section, {}) | values
    project.write_params(url, **sections)


def outcomes(project: Project) -> Counter[str]:
    """How many rows of the record are answers, and how many errors of each category."""
    rows = project.query("SELECT coalesce(error_category, 'answered'), count(*) FROM narrative_results GROUP BY 1")
    return Counter(dict(rows))


def assert_answered(project: Project, narratives: int = NARRATIVES) -> None:
    """Every narrative was asked until the model answered, even if some of its answers cannot be read."""
    found = outcomes(project)
    assert set(found) <= {"answered", "parse_error"}, found
    assert found.total() == narratives and found["answered"] >= 1, found
    fingerprints = [entry["fingerprint"] for entry in project.journal_entries()]
    assert len(fingerprints) == len(set(fingerprints)) == narratives


def assert_one_is_too_long(project: Project, url: str) -> None:
    """Of a workbook with one text longer than the context this one is a data_error, and the others are answered."""
    rows = cases(NARRATIVES // 2)
    rows[2][1] = "word " * 2 * CONTEXT_TOKENS
    describe(project, url)
    project.write_workbook(rows)
    result = project.snakemake()
    print(result.stdout)
    assert result.returncode == 0
    refused = project.query(
        "SELECT incident_id, narrative_type FROM narrative_results WHERE error_category = 'data_error'"
    )
    assert refused == [("0002", "cme")]
    assert outcomes(project)["answered"] + outcomes(project)["parse_error"] == NARRATIVES - 1
