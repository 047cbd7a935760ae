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

FIXTURES = Path(__file__).parent / "fixtures"
ASKED = {"model": "m", "messages": [], "response_format": {"type": "json_schema"}, "logprobs": True}
KINDS: dict[str, tuple[type[failures.RequestFailed], str]] = {
    # the error's name: (what it means, what the message names)
    "model_not_found": (failures.Hopeless, "model.name"),
    "no_model_loaded": (failures.Hopeless, "model.name"),
    "bad_address": (failures.Hopeless, "model.api_url"),
    "bad_key": (failures.Hopeless, "LLM_API_KEY"),
    "context_too_long": (failures.NarrativeTooLong, "context"),
    "context_too_long_flat": (failures.NarrativeTooLong, "context"),
    "content_policy": (failures.NarrativeRejected, "content_filter"),
    "format_unsupported": (failures.FormatRejected, "schema"),
    "logprobs_unsupported": (failures.FormatRejected, "probabilities"),
    "rate_limit": (failures.RateLimited, "429"),
    "rate_limit_without_time": (failures.RateLimited, "429"),
    "crashed": (failures.ServerFault, "500"),
    "overloaded": (failures.ServerFault, "503"),
    "loading": (failures.ServerFault, "503"),
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


def failure_of(told: dict[str, Any], asked: dict[str, Any]) -> failures.RequestFailed:
    """The failure that an error reply means."""
    body = told["body"] if isinstance(told["body"], str) else json.dumps(told["body"])
    headers = [(name.encode(), value.encode()) for name, value in told["headers"].items()]
    return failures.of_status(told["status"], headers, body.encode(), asked)


@pytest.mark.parametrize(("name", "told"), ERRORS.values(), ids=ERRORS)
def test_the_errors_of_every_server_are_told_apart(name: str, told: dict[str, Any]) -> None:
    """Each server's way to say it is understood, and the message names the status and what to mend."""
    kind, named = KINDS[name]
    failure = failure_of(told, ASKED)
    assert type(failure) is kind
    assert named in str(failure)
    assert f"HTTP {told['status']}" in str(failure)


@pytest.mark.parametrize(("name", "told"), [error for error in ERRORS.values() if "unsupported" in error[0]])
def test_the_part_to_leave_out_is_named(name: str, told: dict[str, Any]) -> None:
    """A rejected form says which part to leave out; once it is left out, the same words reject the request."""
    part = "schema" if name == "format_unsupported" else "logprobs"
    failure = failure_of(told, ASKED)
    assert isinstance(failure, failures.FormatRejected)
    assert failure.part == part
    assert not isinstance(failure_of(told, {"model": "m", "messages": []}), failures.FormatRejected)


def test_a_rate_limit_says_how_long_to_wait() -> None:
    """The seconds of the Retry-After header come along, and None where the server gives none."""
    waits = [failure_of(errors_of("openai")[name], ASKED) for name in ("rate_limit", "rate_limit_without_time")]
    assert [wait.retry_after for wait in waits if isinstance(wait, failures.RateLimited)] == [7.0, None]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 301, 307, 308])
def test_what_can_never_work_ends_the_run(status: int) -> None:
    """A bad key, an empty account, a wrong address or a redirect is not held against a narrative."""
    assert isinstance(failures.of_status(status, [], b"", ASKED), failures.Hopeless)


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 529])
def test_what_may_pass_is_the_fault_of_the_server(status: int) -> None:
    """A server that fails for now is asked again, whatever its words are."""
    words = b'{"error": {"message": "model not found, context length, response_format"}}'
    assert type(failures.of_status(status, [], words, ASKED)) is failures.ServerFault


@pytest.mark.parametrize("status", [400, 413, 422])
def test_other_rejections_concern_one_narrative(status: int) -> None:
    """A request that a server rejects for reasons of its own is data_error of that narrative."""
    failure = failures.of_status(status, [], b'{"error": "no"}', ASKED)
    assert type(failure) is failures.NarrativeRejected
    assert failure.category == "data_error"


@given(st.integers(300, 599), st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_error_is_some_failure(status: int, body: bytes) -> None:
    """Whatever body comes with an error, it is told as a failure with its status."""
    failure = failures.of_status(status, [], body, ASKED)
    assert f"HTTP {status}" in str(failure)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code", "type"]), inner),
)


@given(st.sampled_from([400, 429, 500]), json_values)
def test_any_json_is_some_failure(status: int, value: Any) -> None:
    """An error body of any form is told as a failure."""
    assert f"HTTP {status}" in str(failures.of_status(status, [], json.dumps(value).encode(), ASKED))


@pytest.mark.parametrize("key", ["message", "code", "type"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_failure_repeats_the_narrative(status: int, key: str) -> None:
    """Servers may quote what they were sent; the message, which goes into logs, does not."""
    narrative = "V was struck by her boyfriend."
    body = json.dumps({"error": {key: f"cannot take: {narrative}"}}).encode()
    assert "boyfriend" not in str(failures.of_status(status, [], body, ASKED))


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
    categories = {
        kind.category
        for kind in (
            failures.Unreachable,
            failures.ServerFault,
            failures.TimedOut,
            failures.RateLimited,
            failures.NarrativeRejected,
            failures.NarrativeTooLong,
            failures.FormatRejected,
            failures.Hopeless,
        )
    }
    assert categories == {"api_error", "timeout", "rate_limit", "data_error"}
