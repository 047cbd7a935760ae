"""Nothing that the server does may cost answers, nor pass for them."""

import json
import os
import signal
import time

import pytest

from tests.fake_server import ODDITIES, answer_to, oddity_of
from tests.project import AT_LONGEST_S, Fake, Project, cases, fake_server, wait_until
from tests.variants import rest_is_long

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

STATUS = "SELECT status, n_narratives_processed FROM experiments"
ERRORS = "SELECT count(*) FROM narrative_results WHERE error_occurred"


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 2 shards on 4 slots."""
    project.write_workbook(cases(20))
    project.write_params(fake.url, shards={"count": 2})
    return project


@pytest.fixture
def many(ready: Project) -> Project:
    """200 narratives."""
    ready.write_workbook(cases(100))
    return ready


def assert_own_answers(project: Project, narratives: int = 40) -> None:
    """Every narrative has one row, and every row without error the answer to its own text."""
    rows = project.query("SELECT narrative_text, rationale FROM narrative_results WHERE NOT error_occurred")
    for text, rationale in rows:
        assert rationale == answer_to(f"Narrative: {text}")["rationale"]
    assert project.query("SELECT count(*) FROM narrative_results") == [(narratives,)]


@pytest.mark.long
def test_a_quarter_of_faults(many: Project, fake: Fake) -> None:
    """With a quarter of all requests failing in every way, and many replies without an answer, each narrative
    is asked until its reply, and has its own answer or the error of the right category."""
    fake.behave(fault_share=0.25, odd_share=0.15)
    many.write_params(fake.url, shards={"count": 2}, run={"max_in_flight": 8, "timeout_s": 2, "max_attempts": 20})
    result = many.snakemake()
    assert result.returncode == 0, result.stdout
    assert many.query(STATUS) == [("completed", 200)]
    texts = [f"{kind} text of case {number}." for number in range(100) for kind in ("CME", "LE")]
    oddities = {text: oddity_of(f"Narrative: {text}", 0.15) for text in texts}
    expected = {text: ODDITIES[oddity] for text, oddity in oddities.items() if oddity}
    assert set(oddities.values()) == {None, *ODDITIES}
    errors = many.query("SELECT narrative_text, error_category FROM narrative_results WHERE error_occurred")
    assert dict(errors) == expected
    assert_own_answers(many, 200)
    assert {times for text, times in fake.calls()["answered"].items() if "text of case" in text} == {1}
    log = (many.folder / "results/cases/logs/api_calls.log").read_text()
    for kind in ("ServerFault", "RateLimited", "Unreachable", "TimedOut"):
        assert kind in log


@pytest.mark.parametrize("death", rest_is_long([{"status": 503}, {"hang": True}, {"drop": True}]))
def test_dead_server_is_not_an_answer(ready: Project, fake: Fake, death: dict[str, object]) -> None:
    """A server that only fails, hangs or breaks off ends the run as failed, with open narratives and no error rows."""
    ready.write_params(fake.url, shards={"count": 2}, run={"timeout_s": 1, "give_up_after_s": 4})
    fake.behave(latency_s=0.8)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 10)
        fake.behave(**death)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 1
    assert "[WAITING]" in output and "give_up_after_s" in output and " to go." in output
    ((status, processed),) = ready.query(STATUS)
    assert status == "failed" and 0 < processed < 40
    assert "give_up_after_s" in ready.query("SELECT notes FROM experiments")[0][0]
    assert ready.query(ERRORS) == [(0,)]
    fake.behave()
    assert ready.snakemake().returncode == 0
    assert ready.query(STATUS) == [("completed", 40)]
    assert_own_answers(ready)


def test_server_that_comes_back(ready: Project) -> None:
    """While the server is away the run waits, and goes on by itself when it is back."""
    with fake_server(latency_s=0.8) as first:
        ready.write_params(first.url, shards={"count": 2})
        port = int(first.origin.rsplit(":", 1)[1])
        with ready.started("snakemake", "--cores", "4") as main:
            wait_until(lambda: first.asked >= 8)
            first.stop()
            time.sleep(3)
            with fake_server(port=port) as second:
                output, _ = main.communicate(timeout=AT_LONGEST_S)
                assert main.returncode == 0, output
                assert second.asked >= 20
    assert "[WAITING]" in output
    assert ready.query(ERRORS) == [(0,)]
    assert_own_answers(ready)


@pytest.mark.parametrize(
    ("status", "body", "word"),
    rest_is_long(
        [
            (401, '{"error": {"message": "bad key"}}', "LLM_API_KEY"),
            (404, '{"error": {"message": "model x not found", "code": "model_not_found"}}', "model.name"),
            (400, '{"error": {"message": "extra fields not permitted"}}', "rejects"),
        ]
    ),
)
def test_what_can_never_work(ready: Project, fake: Fake, status: int, body: str, word: str) -> None:
    """A bad key, an unknown model or a refused request stops the run at once, before a single error row."""
    fake.behave(status=status, body=body)
    result = ready.snakemake()
    assert result.returncode == 1
    assert word in result.stdout
    assert fake.asked <= 8
    assert ready.query("SELECT count(*) FROM narrative_results") == [(0,)]


def test_narrative_that_breaks_the_server(ready: Project, fake: Fake) -> None:
    """A narrative on which a living server always fails becomes an error row, even when it is the last one open."""
    fake.behave(only_if="LE text of case 7.", status=500)
    ready.write_params(fake.url, shards={"count": 2}, run={"max_attempts": 3})
    result = ready.snakemake()
    assert result.returncode == 0, result.stdout
    assert ready.query(
        "SELECT incident_id, narrative_type, error_category FROM narrative_results WHERE error_occurred"
    ) == [("0007", "le", "api_error")]
    assert_own_answers(ready)


@pytest.mark.long
def test_context_too_long_is_the_rows_own(ready: Project, fake: Fake) -> None:
    """A narrative that is too long is a data_error, even as the very first answer; the others are classified."""
    fake.behave(only_if="CME text of case 0.", status=400, body='{"error": {"code": "context_length_exceeded"}}')
    assert ready.snakemake().returncode == 0
    assert ready.query("SELECT incident_id, error_category FROM narrative_results WHERE error_occurred") == [
        ("0000", "data_error")
    ]


@pytest.mark.long
def test_first_narrative_may_be_rejected(ready: Project, fake: Fake) -> None:
    """A narrative that the server rejects is a data_error even when it is asked first and alone; the others follow."""
    fake.behave(only_if="CME text of case 0.", status=400, body='{"error": {"message": "cannot process this"}}')
    ready.write_params(fake.url, shards={"count": 1}, run={"max_in_flight": 1})
    assert ready.snakemake().returncode == 0
    assert ready.query("SELECT incident_id, error_category FROM narrative_results WHERE error_occurred") == [
        ("0000", "data_error")
    ]


@pytest.mark.long
def test_retry_after_is_honoured(ready: Project, fake: Fake) -> None:
    """After a 429 nothing is asked before the time that the server names."""
    fake.behave(only_if="CME text of case 5.", next_calls=1, status=429, headers={"retry-after": "4"})
    ready.write_params(fake.url, shards={"count": 1}, run={"max_in_flight": 1})
    begin = time.monotonic()
    assert ready.snakemake().returncode == 0
    calls = fake.calls()
    assert calls["longest_gap"] >= 3.9, time.monotonic() - begin
    assert ready.query(ERRORS) == [(0,)]


def test_budget_over_resumes(ready: Project, fake: Fake) -> None:
    """At the token budget the run stops cleanly and says what is spent; raised, the rest is asked, in any session."""
    ready.write_params(fake.url, shards={"count": 2}, run={"budget_tokens": 800})
    spent = 0
    for _ in range(2):
        result = ready.snakemake()
        assert result.returncode == 1
        assert "budget" in result.stdout and " to go." in result.stdout
        spent = ready.query("SELECT sum(tokens_used) FROM narrative_results")[0][0]
        assert 700 <= spent <= 800
    ready.write_params(fake.url, shards={"count": 2})
    assert ready.snakemake().returncode == 0
    assert_own_answers(ready)
    assert set(fake.calls()["asked"].values()) == {1}


@pytest.mark.long
def test_requests_per_minute(ready: Project, fake: Fake) -> None:
    """The rate holds over all jobs."""
    ready.write_params(fake.url, shards={"count": 2}, run={"requests_per_minute": 600, "max_in_flight": 8})
    assert ready.snakemake().returncode == 0
    calls = fake.calls()
    assert calls["last_at"] - calls["first_at"] >= 39 * 0.1 * 0.97


@pytest.mark.long
def test_another_model_stops_the_run(ready: Project, fake: Fake) -> None:
    """When the server begins to answer as another model, the run stops, and no such answer is kept."""
    fake.behave(latency_s=0.1)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        fake.behave(answers_as="impostor")
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 1 and "impostor" in output
    assert ready.snakemake().returncode == 1
    assert {entry["response"]["model"] for entry in ready.journal_entries()} == {"fake"}
    fake.behave()
    assert ready.snakemake().returncode == 0
    assert ready.query("SELECT DISTINCT model_answered FROM narrative_results") == [("fake",)]


@pytest.mark.long
def test_server_without_schemas_and_logprobs(ready: Project, fake: Fake) -> None:
    """A server that takes no JSON schema and gives no logprobs is asked in plain JSON, which is said once."""
    fake.behave(refuse_schema=400, refuse_logprobs=400)
    ready.write_params(fake.url, shards={"count": 2}, model={"logprobs": True})
    result = ready.snakemake()
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("JSON schemas") == 1 and result.stdout.count("token probabilities") == 1
    assert ready.query("SELECT count(*), count(p_detected) FROM narrative_results WHERE NOT error_occurred") == [
        (40, 0)
    ]


@pytest.mark.long
def test_cut_texts_are_no_answers(ready: Project, fake: Fake) -> None:
    """An answer to a narrative that the server cut without a word is a data_error."""
    rows = [[f"{number:04d}", "word " * (20 + 5 * number), "", "", "", ""] for number in range(40)]
    rows[30][1] = "word " * 3000
    ready.write_workbook(rows)
    fake.behave(context_tokens=500)
    assert ready.snakemake().returncode == 0
    assert ready.query("SELECT incident_id, error_category, detected FROM narrative_results WHERE error_occurred") == [
        ("0030", "data_error", None)
    ]


@pytest.mark.long
def test_laptop_that_slept(ready: Project, fake: Fake) -> None:
    """Requests in flight while the machine slept are asked again, and count neither as failures nor as errors."""
    fake.behave(latency_s=0.5)
    ready.write_params(fake.url, shards={"count": 2}, run={"timeout_s": 2, "max_attempts": 1})
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        fake.behave(hang=True)
        wait_until(lambda: fake.calls()["in_flight"] >= 4)
        os.killpg(main.pid, signal.SIGSTOP)
        time.sleep(9)
        fake.behave()
        os.killpg(main.pid, signal.SIGCONT)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0, output
    assert ready.query(ERRORS) == [(0,)]
    assert "TimedOut" not in (ready.folder / "results/cases/logs/api_calls.log").read_text()


@pytest.mark.long
def test_slots_are_shared_by_all_jobs(ready: Project, fake: Fake) -> None:
    """Never more requests are in flight than run.max_in_flight, over all jobs; one shard alone uses all slots."""
    fake.behave(latency_s=0.1)
    ready.write_params(fake.url, shards={"count": 2}, run={"max_in_flight": 5})
    assert ready.snakemake().returncode == 0
    assert fake.calls()["busiest"] == 5
    one = {"experiment": {"name": "One", "slug": "one"}, "shards": {"count": 1}, "run": {"max_in_flight": 7}}
    ready.write_params(fake.url, "one.yaml", **one)
    assert ready.snakemake("--configfile", "one.yaml").returncode == 0
    assert fake.calls()["busiest"] == 7


def test_error_patterns_are_told(ready: Project, fake: Fake) -> None:
    """A high share of errors and one message repeating are said on the screen and in the log."""
    nonsense = {"choices": [{"message": {"content": "no"}, "finish_reason": "stop"}], "model": "fake"}
    fake.behave(only_if="LE text", body=json.dumps(nonsense))
    result = ready.snakemake()
    assert result.returncode == 0
    assert "results are errors" in result.stdout and "The same error" in result.stdout
    assert "[ERRORS]" in (ready.folder / "results/cases/logs/experiment.log").read_text()


def test_no_narrative_text_in_logs(ready: Project, fake: Fake) -> None:
    """Logs and screen hold no narrative text, also when requests fail."""
    fake.behave(fault_share=0.3)
    ready.write_params(fake.url, shards={"count": 2}, run={"timeout_s": 2})
    result = ready.snakemake()
    told = [result.stdout, *(path.read_text() for path in (ready.folder / "results/cases/logs").iterdir())]
    assert all("text of case" not in text for text in told)


@pytest.mark.until("report")
def test_files_are_the_owners_alone(ready: Project, fake: Fake) -> None:
    """What a run writes under results/ only its owner can read."""
    assert ready.snakemake().returncode == 0
    for path in ready.written():
        assert (ready.folder / path).stat().st_mode & 0o077 == 0, path


def test_preflight(ready: Project, fake: Fake) -> None:
    """preflight asks five narratives, says what a run will take, and writes no result."""
    told = ready.run("narrative-runs", "preflight")
    assert told.returncode == 0, told.stdout
    assert fake.asked == 5
    assert "40 narratives" in told.stdout and "tokens" in told.stdout
    assert ready.written() == []
