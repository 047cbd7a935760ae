import json
import time

import pytest

from narrative_runs import journal
from tests.project import Project
from tests.real_servers.experiment import (
    assert_answered,
    assert_one_is_too_long,
    describe,
    outcomes,
    prepare,
)
from tests.real_servers.servers import FALLS_BACK, LIMITED, MASTER_KEY, MODEL_NAME, RealServer

pytestmark = [pytest.mark.real_servers, pytest.mark.embedded, pytest.mark.end_to_end]

# What a start of Snakemake takes, beside the ten seconds that may pass until the server is told as useless.
START_S = 8.0


@pytest.fixture
def project(project: Project) -> Project:
    """A copy of the project whose user has the right key."""
    project.environment["LLM_API_KEY"] = MASTER_KEY
    return project


def test_a_schema_that_the_server_behind_it_refuses(project: Project, litellm: RealServer) -> None:
    """Through a gateway with a key a server that answers each JSON schema with HTTP 500 is asked without one, which
    is said once, and gives token probabilities all the same."""
    prepare(project, litellm.url, narratives=4, model={"structured_output": "auto", "logprobs": True})
    result = project.snakemake()
    print(result.stdout)
    assert result.returncode == 0
    assert_answered(project, 4)
    assert project.status() == "completed"
    assert result.stdout.count("JSON schemas") == 1
    without = project.query("SELECT count(*) FROM narrative_results WHERE p_detected IS NULL AND NOT error_occurred")
    assert without == [(0,)]


def test_a_wrong_key_on_a_resume(project: Project, litellm: RealServer) -> None:
    """A key that is refused with HTTP 400 ends a resume with the key's name and without a row; with the right one the
    plain command finishes."""
    prepare(project, litellm.url, run={"max_narratives": 4})
    assert project.snakemake().returncode == 0
    describe(project, litellm.url)
    project.environment["LLM_API_KEY"] = "sk-a-wrong-key"
    refused = project.snakemake()
    print(refused.stdout)
    assert refused.returncode == 1 and "LLM_API_KEY" in refused.stdout
    assert outcomes(project).total() == 4 and set(outcomes(project)) <= {"answered", "parse_error"}
    project.environment["LLM_API_KEY"] = MASTER_KEY
    assert project.snakemake().returncode == 0
    assert_answered(project)


@pytest.mark.parametrize("key", ["sk-a-wrong-key", ""])
def test_a_wrong_key_at_the_first_start(project: Project, litellm: RealServer, key: str) -> None:
    """A first start with a wrong key, or with none, stops within ten seconds, names the key, and blames no port."""
    prepare(project, litellm.url)
    project.environment["LLM_API_KEY"] = key
    begin = time.monotonic()
    refused = project.snakemake()
    took = time.monotonic() - begin
    print(refused.stdout, f"{took:.1f} s")
    assert refused.returncode == 1 and "LLM_API_KEY" in refused.stdout
    assert "is the port right" not in refused.stdout
    assert took < 10 + START_S
    assert project.journal_entries() == []


def test_a_text_that_is_too_long(project: Project, litellm: RealServer) -> None:
    """A text that is told as too long in words alone, behind a gateway, is one data_error among answers."""
    assert_one_is_too_long(project, litellm.url)


def test_a_fallback_from_the_first_request_on(project: Project, litellm: RealServer) -> None:
    """Where a gateway lets another model answer from the first request on, both names are said in one line, the one
    that answered stands in the results, and the journal's head keeps it."""
    prepare(project, litellm.url, FALLS_BACK, narratives=4, run={"max_narratives": 2})
    first = project.snakemake()
    print(first.stdout)
    assert first.returncode == 0
    assert any(FALLS_BACK in line and MODEL_NAME in line for line in first.stdout.splitlines())
    describe(project, litellm.url, FALLS_BACK)
    assert project.snakemake().returncode == 0
    assert_answered(project, 4)
    assert project.query("SELECT DISTINCT model_answered FROM narrative_results") == [(MODEL_NAME,)]
    heads = journal.heads(project.folder / "results/cases/journal")
    assert any(MODEL_NAME in json.dumps(head) for head in heads)


def test_a_limit_a_minute(project: Project, litellm: RealServer) -> None:
    """A limit of requests a minute is waited out: every narrative is answered, and few requests are refused."""
    prepare(project, litellm.url, LIMITED, narratives=12, run={"give_up_after_s": 150})
    begin, refused_before = time.monotonic(), litellm.replies(429)
    result = project.snakemake()
    refused = litellm.replies(429) - refused_before
    print(result.stdout, f"{refused} requests refused in {time.monotonic() - begin:.0f} s")
    assert result.returncode == 0
    assert_answered(project, 12)
    assert refused <= 12
