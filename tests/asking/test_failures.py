import json
import math
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking import failures
from narrative_runs.asking.failures import Failure, Kind

FIXTURES = Path(__file__).parent / "fixtures"
ASKED = {"model": "m", "messages": [], "response_format": {"type": "json_schema"}, "logprobs": True}
KINDS = {
    "model_not_found": Kind.REFUSED,
    "no_model_loaded": Kind.REFUSED,
    "bad_address": Kind.REFUSED,
    "bad_key": Kind.REFUSED,
    "context_too_long": Kind.REFUSED,
    "context_too_long_flat": Kind.REFUSED,
    "content_policy": Kind.REFUSED,
    "format_unsupported": Kind.REFUSED,
    "logprobs_unsupported": Kind.REFUSED,
    "rate_limit": Kind.RATE_LIMITED,
    "rate_limit_without_time": Kind.RATE_LIMITED,
    "crashed": Kind.SERVER_FAULT,
    "overloaded": Kind.SERVER_FAULT,
    "loading": Kind.SERVER_FAULT,
}


def errors_of(server: str) -> dict[str, Any]:
    """The error replies of a server, by name: status, headers and body."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{server}_errors.json").read_text(encoding="utf-8"))
    return found


ERRORS = {
    f"{server}-{name}": (name, told)
    for server in ("lm_studio", "ollama", "vllm", "llama_cpp", "openai")
    for name, told in errors_of(server).items()
}


def of(
    status: int, body: bytes = b"", asked: dict[str, Any] = ASKED, has_narrative: bool = True, seconds: float = 0.0
) -> Failure:
    """The failure that a reply means."""
    return failures.of_reply(status, [], body, asked, has_narrative, seconds).failure


def failure_of(told: dict[str, Any]) -> Failure:
    """The failure that an error reply of a fixture means."""
    body = told["body"] if isinstance(told["body"], str) else json.dumps(told["body"])
    headers = [(name.encode(), value.encode()) for name, value in told["headers"].items()]
    return failures.of_reply(told["status"], headers, body.encode(), ASKED, False).failure


def asked_of(narrative: str) -> dict[str, Any]:
    """A request that holds this narrative."""
    return {"messages": [{"role": "user", "content": f"Narrative: {narrative}"}]}


@pytest.mark.parametrize(("name", "told"), ERRORS.values(), ids=ERRORS)
def test_the_errors_of_every_server_are_told_apart(name: str, told: dict[str, Any]) -> None:
    """Each server's errors are of the right kind, name the status, and only those about a length seem too long."""
    failure = failure_of(told)
    assert failure.kind is KINDS[name]
    assert f"HTTP {told['status']}" in failure.message
    assert failure.seems_too_long == name.startswith("context_too_long")


def test_a_rate_limit_says_how_long_to_wait() -> None:
    """The seconds of the Retry-After header come along, and None where the server gives none."""
    waits = [failure_of(errors_of("openai")[name]) for name in ("rate_limit", "rate_limit_without_time")]
    assert [wait.retry_after for wait in waits] == [7.0, None]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 301, 307, 308])
def test_a_refusal_is_no_conclusion_about_its_cause(status: int) -> None:
    """Whether a refusal is the narrative's fault or the run's, its status alone does not tell."""
    assert of(status).kind is Kind.REFUSED
    assert not of(status).passes


@pytest.mark.parametrize("status", [408, 409, 425, 498, 499, 500, 502, 503, 504, 529, 204])
def test_what_may_pass_is_the_fault_of_the_server(status: int) -> None:
    """A server that fails for now is asked again, whatever its words are."""
    failure = of(status, b'{"error": {"message": "model not found, context length, response_format"}}')
    assert failure.kind is Kind.SERVER_FAULT
    assert failure.passes
    assert not failure.seems_too_long


def test_a_request_that_is_too_large_seems_too_long() -> None:
    """413 is about the size of the request, whatever is said with it."""
    assert of(413, b"<html>").seems_too_long


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!doctype html><title>Login</title>", "web page"),
        (b"data: {}\n\ndata: [DONE]\n\n", "stream"),
        (b'{"error": "no such endpoint"}', "error"),
        (b'{"status": "ok"}', "no chat completion"),
    ],
)
def test_a_success_that_is_no_answer_is_told_for_what_it_is(body: bytes, words: str) -> None:
    """A login page, a stream or an error that comes with HTTP 200 is none of the narrative's doing."""
    failure = of(200, body)
    assert failure.kind is Kind.NO_CHAT
    assert words in failure.message


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"[]", b'{"choices": []}', b"null", b"[" * 100_000])
def test_a_broken_success_may_pass(body: bytes) -> None:
    """An empty or broken reply is asked for again."""
    assert of(200, body).kind is Kind.SERVER_FAULT


def test_a_proxy_that_waits_no_longer_is_named_with_its_seconds() -> None:
    """504 is a time limit in front of the server, and the message says how long it is and where it is set."""
    message = of(504, seconds=60.2).message
    assert "60 s" in message
    assert "proxy_read_timeout" in message


PATTERNS = (
    "context length",
    "maximum context",
    "too long",
    "n_ctx",
    "input length",
    "the model 1911 pistol was not found",
    "unstructured, guided by staff",
    "invalid api key",
    "insufficient_quota",
    "logprobs",
)


@pytest.mark.parametrize("said", PATTERNS)
@pytest.mark.parametrize("key", ["message", "code", "type"])
def test_the_narratives_own_words_are_no_evidence(said: str, key: str) -> None:
    """Whatever of a narrative the server repeats in its error, nothing is concluded from it, and nothing of it told."""
    narrative = f"V wrote that {said} in her diary."
    body = json.dumps({"error": {key: f"cannot take: {narrative}"}}).encode()
    failure = of(400, body, asked_of(narrative))
    assert not failure.seems_too_long
    assert (failure.code, failure.words) == ("", "")
    assert failure.message == "HTTP 400"
    one_word = json.dumps({"error": {key: said.split()[-1]}}).encode()
    assert of(400, one_word, asked_of(narrative)).code == ""


def test_words_that_were_not_sent_are_evidence() -> None:
    """The server's own words about a length count, also beside a narrative that it repeats."""
    body = json.dumps({"error": {"message": "maximum context length is 4096 tokens: V was found dead"}}).encode()
    assert of(400, body, asked_of("V was found dead")).seems_too_long


def test_the_servers_words_are_told_where_no_narrative_was_sent() -> None:
    """Of a question about nothing the server's words come along, as one line; of a narrative they do not."""
    body = b'{"error": {"message": "Unsupported\\nparameter"}}'
    assert of(400, body, has_narrative=False).words == "Unsupported parameter"
    assert of(400, body, has_narrative=True).words == ""


@given(st.integers(200, 599), st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_reply_is_some_failure(status: int, body: bytes) -> None:
    """Whatever body comes with it, a reply is told as a failure with its status."""
    assert f"HTTP {status}" in of(status, body).message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code", "type"]), inner),
)


@given(st.sampled_from([200, 400, 429, 500]), json_values)
def test_any_json_is_some_failure(status: int, value: Any) -> None:
    """An error body of any form is told as a failure."""
    assert "HTTP " in of(status, json.dumps(value).encode()).message


@given(st.floats(0, 1e6))
def test_seconds_to_wait_are_read(seconds: float) -> None:
    """A number in the header is that many seconds, under any spelling of its name."""
    for name in (b"Retry-After", b"retry-after"):
        assert failures.retry_after([(b"x", b"1"), (name, f" {seconds!r} ".encode())]) == seconds


@given(st.integers(60, 1000))
def test_a_date_to_wait_for_is_read(seconds: int) -> None:
    """A date in the header is the time until then, and 0 when it is past."""
    now = time.time()
    later = failures.retry_after([(b"retry-after", formatdate(now + seconds, usegmt=True).encode())])
    assert later is not None
    assert 0 < later <= seconds
    assert failures.retry_after([(b"retry-after", formatdate(now - seconds, usegmt=True).encode())]) == 0


@given(
    st.one_of(
        st.text(st.characters(max_codepoint=255)),
        st.sampled_from(
            ["inf", "-inf", "nan", "1e999", "Infinity", "-5", "Fri, 31 Dec 9999 23:59:59 -2359", "1 Jan 1"]
        ),
        st.from_regex(
            r"(Mon|Sun), [0-9]{1,2} (Jan|Feb) [0-9]{1,5} [0-9]{2}:[0-9]{2}:[0-9]{2} ([+-][0-9]{4}|GMT)", fullmatch=True
        ),
    )
)
def test_any_header_is_a_time_to_wait_or_none(value: str) -> None:
    """Whatever the header says, the wait has an end, or there is none."""
    found = failures.retry_after([(b"retry-after", value.encode("latin-1"))])
    assert found is None or (math.isfinite(found) and found >= 0)


def test_no_header_is_no_wait() -> None:
    """Without the header nobody knows how long to wait."""
    assert failures.retry_after([]) is None


def test_every_failure_has_a_category_of_the_record() -> None:
    """What a failure is filed under is one of the categories that the record knows."""
    categories = {Failure(kind, "").category for kind in Kind}
    assert categories == {"api_error", "timeout", "rate_limit", "data_error"}


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5120 tokens.", 4096),
        ("the request exceeds the available context size (8192 tokens), try increasing it", 8192),
        ("the model is loaded with context length of only 2048 tokens, which is too short", 2048),
        ("prompt is too long", None),
    ],
)
def test_the_context_is_told_in_tokens(words: str, tokens: int | None) -> None:
    """Where the server says how long its context is, that number is kept, and none that the narrative holds itself."""
    body = json.dumps({"error": {"code": "context_length_exceeded", "message": words}}).encode()
    assert failures.of_reply(400, [], body, ASKED, True).failure.context_tokens == tokens
    quoted = {**ASKED, "messages": [{"role": "user", "content": words}]}
    failure = failures.of_reply(400, [], body, quoted, True).failure
    assert failure.seems_too_long and failure.context_tokens is None and failure.words == ""
