"""What the user reads if the server refuses everything: its status, code and words, and what to do."""

import re
from collections.abc import Collection, Mapping

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.request import PARTS
from narrative_runs.params import Model

# What is said of each part of a request that the server does not take.
UNSUPPORTED = {
    "schema": "The server does not accept JSON schemas; it is asked for plain JSON.",
    "logprobs": "The server returns no token probabilities; p_detected stays empty.",
}

# The words that follow are the server's own.
SERVER_SAYS = ". The server says: "

_KEY = re.compile(r"api[ _-]?key|unauthori[sz]ed|authenticat|invalid token|no_db_connection", re.IGNORECASE)
_MODEL = re.compile(
    r"model_not_found|no such model|(?:unknown|invalid) model|no models? (?:is )?loaded"
    r"|model\b.{0,80}(?:not found|not exist|not loaded|not supported)",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"insufficient_quota|billing|quota|credit|payment", re.IGNORECASE)


def advised(failure: Failure, ways_to_leave_out: Mapping[str, str], blamed: Collection[str], has_key: bool) -> str:
    """The last message of a run that the server refuses.

    failure: of a question that holds no narrative; ways_to_leave_out: keys of the request, each with how to leave it
    out; blamed: keys or parts without which the question was answered; has_key: whether an API key was sent.
    """
    said = f'{SERVER_SAYS}"{failure.words}"' if failure.words else ""
    return f"{failure.message}: {_advice(failure, ways_to_leave_out, blamed, has_key)}{said}"


def _advice(failure: Failure, ways: Mapping[str, str], blamed: Collection[str], has_key: bool) -> str:
    words = f"{failure.code} {failure.words}"
    if blamed:
        return _of_keys({PARTS.get(part, part) for part in blamed}, ways)
    if failure.kind is Kind.NO_CHAT:
        return _of_no_chat(failure)
    if failure.status == 402 or (failure.status in (400, 403, 429) and _ACCOUNT.search(words)):
        return "the account has no credit left. Top it up, then start the same command again"
    if failure.status == 401 or (failure.status in (400, 403) and _KEY.search(words)):
        return _of_key(has_key)
    if failure.status == 403:
        return _of_key(True) if has_key else "something in front of the server denies access. Correct model.api_url"
    if 300 <= failure.status < 400:
        return "the server redirects to another address, and redirects are not followed. Correct model.api_url"
    if failure.status in (400, 404, 422) and _MODEL.search(words):
        return "the server does not know this model. Correct model.name, or load it there"
    if failure.status in (404, 405):
        return "this address does not offer chat completions. Correct model.api_url; for most servers it ends in /v1"
    if named := {key for key in ways if re.search(rf"\b{re.escape(key)}\b", failure.words)}:
        return _of_keys(named, ways)
    if failure.passes:
        return "the server failed"
    return "the server rejects this request even without a narrative"


def _of_keys(keys: Collection[str], ways: Mapping[str, str]) -> str:
    return "; ".join(
        f"the server does not accept {key}. To leave it out: {ways[key]}" for key in sorted(keys) if key in ways
    )


def _of_key(has_key: bool) -> str:
    if has_key:
        return "the server refuses the key. Set LLM_API_KEY to a valid one"
    return "the server needs a key. Set LLM_API_KEY to yours"


def _of_no_chat(failure: Failure) -> str:
    if "web page" in failure.message:
        return (
            "this address returns a login page or another web page. Correct model.api_url (for most servers it ends "
            "in /v1), or log in there"
        )
    if "stream" in failure.message:
        return "this server can only stream, which is not supported. Use another server, or turn streaming off there"
    return "this address does not offer chat completions. Correct model.api_url; for most servers it ends in /v1"


def of_another_name(asked: Model, model: str) -> str:
    """What to say if the server answers as `model`, and another name was asked for; empty if it is the same."""
    same = {asked.name.lower(), f"{asked.name.lower()}:latest", *(name.lower() for name in asked.answers_as)}
    if asked.embedded or model.lower() in same:
        return ""
    return (
        f"[MODEL] The server answers as {model}, but model.name is {asked.name}. If that is another model, "
        "stop the run and correct model.name; else add it to model.answers_as, so that any other name stops a run."
    )
