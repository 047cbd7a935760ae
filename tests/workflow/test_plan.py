from typing import Any

import pytest

from narrative_runs.experiment import ExperimentState
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source import rules
from narrative_runs.workflow.command import typed
from narrative_runs.workflow.plan import Plan


def plan_of(state: ExperimentState | None = None, **data: Any) -> Plan:
    """The plan of an experiment with these values under `data`."""
    values = {
        "experiment": {"name": "Cases", "slug": "cases"},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"system_prompt": "Decide.", "user_template": "Narrative: <<TEXT>>"},
        "data": {"file": "data/cases.xlsx", **data},
    }
    params = check(values, "params.yaml")
    return Plan(params, ExperimentFolder("cases"), state, "md5", False, False, False, False)


def state_with(reading_rules: int) -> ExperimentState:
    """An experiment that reads its workbook by these rules."""
    return ExperimentState("a", "md5", {}, False, "2026-01-02 03:04:05", reading_rules)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200", 200),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("Narrative: <<TEXT>>", "Narrative: <<TEXT>>"),
        ("[x", "[x"),
        ("a # b", "a # b"),
        ("2024-05-01", "2024-05-01"),
    ],
)
def test_texts_are_only_what_they_plainly_are(text: str, value: Any) -> None:
    """Of what `--config` gives, numbers, booleans and null are taken as such, and every other text as it is."""
    assert typed({"run": {"x": text}}) == {"run": {"x": value}}


def test_the_workbook_is_read_again_when_it_is_to_be_read_otherwise() -> None:
    """Each param of the reading, and its rules, change the checksum by which the workbook is read again; no other."""
    ways = [
        plan_of(),
        plan_of(sheet="2024"),
        plan_of(sheet=["2024", "2025"]),
        plan_of(id=["SiteID", "IncidentID"]),
        plan_of(columns={"cme": "ExaminerText"}),
        plan_of(placeholders="skip"),
        plan_of(placeholders={"skip": ["no text"]}),
        *(plan_of(state_with(other)) for other in (rules.CURRENT.number - 1, rules.CURRENT.number + 1)),
    ]
    assert len({way.reading for way in ways}) == len(ways)
    assert plan_of(file="data/other.xlsx").reading == plan_of().reading
    assert plan_of(state_with(rules.CURRENT.number)).reading == plan_of().reading


@pytest.mark.parametrize(
    ("file", "inputs"),
    [
        ("data/my cases.xlsx", ["data/my cases.xlsx.dvc"]),
        ("data/{slug}.xlsx", []),
        ("{x}/cases.xlsx", []),
    ],
)
def test_a_brace_is_no_wildcard(file: str, inputs: list[str]) -> None:
    """Snakemake is told no path that it would take for a pattern."""
    assert plan_of(file=file).tracking_files == inputs
