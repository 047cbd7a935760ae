"""Nothing false is kept, and nothing that is kept cannot be read, whatever a server answers."""

from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.fault_runs import (
    START_S,
    TOLD_WITHIN_S,
    assert_answered,
    assert_told_at_once,
    assert_within,
    describe,
    errors,
    evidence,
    run,
    with_a_narrative_for_each,
    with_cases,
)
from tests.fake_server import answer_to
from tests.project import Fake, Project
from tests.variants import rest_is_long

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

COUNTS: dict[str, int | None] = {
    "count as text": 40,
    "count with a point": 40,
    "half a count": None,
    "count that is no number": None,
    "negative count": None,
    "endless count": None,
    "true as a count": None,
    "usage as text": None,
    "usage as a list": None,
    "usage of null": None,
    "usage of nulls": None,
    "count of infinity": None,
    "cached tokens": 40,
    "details as text": 40,
}
PROBABILITIES = (
    "alternatives as a mapping",
    "token of null",
    "probability as text",
    "probabilities as a list",
    "probabilities as text",
    "probabilities of null",
    "probabilities of texts",
)
PLACES = (
    "model of null",
    "model that is a number",
    "id that is a mapping",
    "reason that is a number",
    "reason of null",
    "further members",
    "deeply nested",
    "half a character",
    "zero character",
    "parts instead of a text",
)


@pytest.mark.until("report")
def test_odd_counts_probabilities_and_places_are_kept_and_read(project: Project, fake: Fake) -> None:
    """Whatever stands beside an answer, it has its row, a count only where that can be read, and is asked for once."""
    odd = [*COUNTS, *PROBABILITIES, *PLACES, "token probabilities"]
    with_a_narrative_for_each(project, fake, odd, sound=4, model={"logprobs": True})
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, len(odd) + 4)
    tokens = dict(project.query("SELECT incident_id, prompt_tokens FROM narrative_results"))
    assert {name: tokens[name] for name in COUNTS} == COUNTS
    told = project.query("SELECT incident_id FROM narrative_results WHERE p_detected IS NOT NULL")
    assert ("token probabilities",) in told
    again = run(project, fake)
    assert again.code == 0 and "completed" in again.said
    assert fake.asked == len(odd) + 4
    assert sum("token counts look wrong" in line for line in ended.said.splitlines()) == 1, ended.said


@pytest.mark.until("report")
def test_drafts_and_broken_answers_beside_good_ones(project: Project, fake: Fake) -> None:
    """A draft, a text that was cut off and a refusal are errors of the right category; a final answer counts."""
    expected = {
        "draft that was cut off": "parse_error",
        "thinking without an end": "parse_error",
        "half an object, filtered": "data_error",
        "half an object, error": "parse_error",
        "refusal in words": "data_error",
        "nothing at all": "parse_error",
    }
    good = ["draft before the answer", "thinking in fences"]
    with_a_narrative_for_each(project, fake, [*expected, *good], sound=12)
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert errors(project) == expected
    final = "SELECT detected, rationale FROM narrative_results WHERE incident_id = 'draft before the answer'"
    assert project.query(final) == [(0, "her father")]
    assert project.read_json("results/cases/data_quality.json")["answers"]["refused"] == 1
    assert "refused to answer: 1" in (project.folder / "results/cases/report.html").read_text()


OUTAGES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "unloaded": ([{"fault": "no model is loaded"}], ["400", "No models loaded"]),
    "crashed behind a proxy": (
        [{"fault": "upstream failed", "every": 2}, {"fault": "proxy without its model"}],
        ["HTTP", "give_up_after_s"],
    ),
    "key expired": ([{"fault": "wrong key"}], ["401", "invalid_api_key", "LLM_API_KEY", "Incorrect API key"]),
    "key expired at LiteLLM": ([{"fault": "wrong key, told as 400"}], ["400", "LLM_API_KEY", "No connected db"]),
    "credit used up": ([{"fault": "account without money"}], ["402", "account", "Insufficient credits"]),
    "quota used up": ([{"fault": "quota used up"}], ["429", "insufficient_quota", "exceeded your current quota"]),
    "shorter context": ([{"fault": "shorter context"}], ["400", "context_length_exceeded"]),
}


@pytest.mark.parametrize("outage", rest_is_long(OUTAGES))
def test_an_outage_is_no_narratives_fault(project: Project, fake: Fake, outage: str) -> None:
    """When the server refuses everything after eight answers, the run ends as failed with the server's words and
    without a row for what it refused; afterwards the plain command asks what is left, and only that."""
    faults, words = OUTAGES[outage]
    with_cases(project, fake, run={"give_up_after_s": 6})
    fake.behave(faults=[{**fault, "after": 8} for fault in faults])
    ended = run(project, fake)
    assert ended.code == 1, ended.said
    assert project.status() == "failed"
    assert errors(project) == {}
    for word in words:
        assert word in ended.said, ended.said
    answered = {text for text, times in fake.calls()["answered"].items() if times}
    before = Counter(fake.calls()["asked"])
    fake.behave()
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project)
    assert not answered & set(Counter(fake.calls()["asked"]) - before)


@pytest.mark.parametrize("fault", ["bad request", "internal error"])
@pytest.mark.long
def test_one_replica_of_two_is_broken(project: Project, fake: Fake, fault: str) -> None:
    """Where every second request fails, no narrative pays for it, and once both replicas are well all are answered."""
    with_cases(project, fake)
    fake.behave(faults=[{"fault": fault, "every": 2}])
    run(project, fake)
    assert errors(project) == {}
    fake.behave()
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project)


@pytest.mark.parametrize("fault", rest_is_long(["bad request", "unprocessable"]))
def test_one_bad_narrative_among_good_ones(project: Project, fake: Fake, fault: str) -> None:
    """A narrative that the server refuses is one error row, at no more than two extra requests."""
    with_a_narrative_for_each(project, fake, [fault], sound=19)
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert errors(project) == {fault: "data_error"}
    assert fake.asked - 20 + evidence(fake) <= 2


@pytest.mark.parametrize(
    ("fault", "parts"),
    rest_is_long(
        [
            ("internal error in plain words", ["response_format"]),
            ("bad request in plain words", ["logprobs"]),
            ("unprocessable", ["response_format", "logprobs"]),
            ("not implemented", ["logprobs"]),
        ]
    ),
)
def test_a_part_that_the_server_cannot_do(project: Project, fake: Fake, fault: str, parts: list[str]) -> None:
    """A schema or token probabilities that the server refuses, with whatever status and words, are left out, which is
    said once; the rest of the request stays."""
    with_cases(project, fake, 8, model={"logprobs": True}, shards={"count": 1})
    fake.behave(faults=[{"fault": fault, "only_with": part} for part in parts])
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, 8)
    assert ended.said.count("JSON schemas") == ("response_format" in parts)
    assert ended.said.count("returns no token probabilities") == ("logprobs" in parts)
    sent = fake.calls()["keys_sent"]
    assert all(sent[part] == fake.asked for part in {"response_format", "logprobs"} - set(parts))


@pytest.mark.long
def test_a_run_without_one_answer_is_not_completed(project: Project, fake: Fake) -> None:
    """Where the server answers a short question but no narrative, the run fails, and nothing is completed."""
    with_cases(project, fake, 6)
    fake.behave(faults=[{"fault": "bad request", "narrative": "text of case"}])
    ended = run(project, fake)
    assert ended.code == 1, ended.said
    assert project.status() == "failed"
    fake.behave()
    assert run(project, fake).code == 0
    assert_answered(project, 6)


def test_one_narrative_that_is_refused_for_ever(project: Project, fake: Fake) -> None:
    """A rate limit, a forbidden access and an empty reply that one text each gets are its own error; all others are
    answered."""
    forever = {"too many requests": "rate_limit", "moderated": "data_error", "empty reply": "api_error"}
    with_a_narrative_for_each(project, fake, forever, sound=20)
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert errors(project) == forever
    assert project.status() == "completed"


def test_a_model_that_changes_behind_its_name(project: Project, fake: Fake) -> None:
    """When another model answers, the run ends with its name and keeps nothing of it; the right one finishes."""
    with_cases(project, fake, 12)
    fake.behave(faults=[{"fault": "another model", "after": 6}])
    ended = run(project, fake)
    assert ended.code == 1 and "impostor" in ended.said, ended.said
    assert {entry["response"]["model"] for entry in project.journal_entries()} == {"fake"}
    fake.behave()
    assert run(project, fake).code == 0
    assert_answered(project, 12)


@pytest.mark.parametrize("fault", rest_is_long(["wrong key", "firewall"]))
def test_who_may_not_ask_at_all_is_told_at_once(project: Project, fake: Fake, fault: str) -> None:
    """A refusal that holds for all ends the run at once."""
    project.environment["LLM_API_KEY"] = "sk-of-yesterday"
    with_cases(project, fake)
    fake.behave(faults=[{"fault": fault, "at": "everywhere"}])
    ended = run(project, fake)
    assert_told_at_once(ended, "LLM_API_KEY")
    assert fake.asked == 0
    assert "sk-of-yesterday" not in ended.said


# What the code looks for in errors and in answers, as it may stand in a narrative.
PATTERNS = [
    "The model 1911 pistol was not found",
    "No models loaded, the model was not supported",
    "unstructured interviews, guided by staff, with response_format json_schema",
    "she kept logprobs and a temperature chart, a seed and max_tokens",
    "maximum context length exceeded: too long, too many tokens, n_ctx",
    "context_length_exceeded",
    "insufficient_quota",
    "invalid api key, unauthorized, authentication failed, no_db_connection",
    "billing of the credit, payment and quota",
    "Loading model, unavailable_error, Upstream request failed",
    "Rate limit reached, please retry after 5 s",
    "<!DOCTYPE html> <html> login page",
    "data: stream of events",
    "I cannot help with that request",
    "</think> <|channel|>final<|message|> assistantfinal [/THINK]",
    'she wrote {"error": {"code": 401}} and {"detected": true, "confidence": 1}',
]
ECHOES = {
    "echo, 400": "data_error",
    "echo, 400 with type": "data_error",
    "echo, 422": "data_error",
    "echo, 404": "data_error",
    "echo, 500": "api_error",
    "echo as code": "data_error",
}


def test_words_of_a_narrative_prove_nothing(project: Project, fake: Fake) -> None:
    """Narratives made of all that the code looks for, repeated by the server in errors and in answers, change nothing
    but their own rows: the others are answered, with schema and token probabilities."""
    rows, faults, expected = [], [], {}
    for number, pattern in enumerate(PATTERNS):
        echo = list(ECHOES)[number % len(ECHOES)]
        refused, repeated = f"refused {number}. {pattern}", f"repeated {number}. {pattern}"
        rows += [[f"{number:03d}", refused, repeated, "", "", ""]]
        rows += [[f"{number:03d}-{other}", f"Sound text {number}, {other}.", "", "", "", ""] for other in range(4)]
        faults += [{"fault": echo, "narrative": refused}, {"fault": "echo in the answer", "narrative": repeated}]
        expected[f"{number:03d}"] = ECHOES[echo]
    project.write_workbook(rows)
    describe(project, fake.url, model={"logprobs": True}, run={"max_attempts": 3})
    fake.behave(faults=faults)
    ended = run(project, fake, max_attempts=3)
    assert ended.code == 0, ended.said
    assert errors(project) == expected
    answers = dict(project.query("SELECT narrative_text, rationale FROM narrative_results WHERE NOT error_occurred"))
    assert len(answers) == len(rows)
    for text, rationale in answers.items():
        asked = f"Narrative: {text}"
        assert rationale == (asked if text.startswith("repeated") else answer_to(asked)["rationale"])
    sent = fake.calls()["keys_sent"]
    assert sent["response_format"] == sent["logprobs"] == fake.asked


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    rest_is_long([("response_format", {"type": "json_object"}, "no schema"), ("logprobs", 5, "no probabilities")]),
)
@pytest.mark.parametrize("command", ["snakemake --cores 4", *rest_is_long(["narrative-runs preflight"], 0)])
def test_a_refused_key_of_extra_body_ends_at_once(
    project: Project, fake: Fake, command: str, key: str, value: Any, fault: str
) -> None:
    """What the user adds to the request and the server refuses ends run and preflight after a few requests, with the
    key to take out."""
    with_cases(project, fake, 6, model={"extra_body": {key: value}})
    fake.behave(faults=[{"fault": fault, "only_with": key}])
    ended = run(project, fake, *command.split())
    assert_told_at_once(ended, "model.extra_body", key)
    assert fake.asked + evidence(fake) <= 20


@pytest.mark.parametrize(
    ("fault", "after"),
    rest_is_long(
        [
            ("too many, come back at once", 0),
            ("too many, come back in a second", 6),
            ("too many, come back in a minute", 6),
        ]
    ),
)
def test_a_limit_that_never_passes_is_given_up(project: Project, fake: Fake, fault: str, after: int) -> None:
    """Pauses that the server asks for have a floor, and do not push the end away."""
    with_cases(project, fake, 12, run={"give_up_after_s": 5})
    fake.behave(faults=[{"fault": fault, "after": after}])
    ended = run(project, fake)
    assert ended.code == 1, ended.said
    assert "give_up_after_s" in ended.said and "429" in ended.said
    assert_within(ended, 5 + 2 * TOLD_WITHIN_S - START_S)
    assert fake.asked + evidence(fake) <= 40
    assert errors(project) == {}


@pytest.mark.long
def test_a_server_that_counts_requests_by_time(project: Project, fake: Fake) -> None:
    """The rate that a server bears is learned from what it refuses: nothing is lost, and little is asked twice."""
    with_cases(project, fake, 12)
    fake.behave(faults=[{"fault": "too fast", "sooner_than_s": 0.2}])
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, 12)
    assert fake.asked + evidence(fake) <= 36
