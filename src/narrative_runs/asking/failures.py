"""What one request can come back with instead of an answer, told apart.

RequestFailed
├── Unreachable        connection refused or reset, DNS, a reply cut short: says nothing about the narrative
├── ServerFault        5xx, or a body that is no reply
├── TimedOut           no reply within run.timeout_s
├── RateLimited        429, with what Retry-After says
├── NarrativeRejected  4xx for this narrative alone, as it seems
│   └── NarrativeTooLong
├── FormatRejected     the server takes no JSON schema, or gives no token probabilities
└── Hopeless           4xx that can never work: bad key, unknown model, wrong address
"""

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|maximum context|context_length|exceed_context|too (?:long|many tokens)"
    r"|n_ctx|num_ctx|prompt is too long|input length",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"response_format|json_schema|structured|grammar|guided", re.IGNORECASE)
_LOGPROBS = re.compile(r"logprob", re.IGNORECASE)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|no such model|model.{0,80}(?:not found|does not exist|not loaded|not exist)"
    r"|unknown model|invalid model|no models? loaded",
    re.IGNORECASE | re.DOTALL,
)


class RequestFailed(Exception):
    """One request gave no reply; the message holds no narrative text.

    category: error_category of the row, should this failure become one.
    """

    category = "unknown"


class Unreachable(RequestFailed):
    """The server was not reached, or broke off."""

    category = "api_error"


class ServerFault(RequestFailed):
    """The server answered that it failed."""

    category = "api_error"


class TimedOut(RequestFailed):
    """The server gave no reply in time."""

    category = "timeout"


class RateLimited(RequestFailed):
    """The server wants fewer requests; `retry_after` seconds where it says how long to wait."""

    category = "rate_limit"

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NarrativeRejected(RequestFailed):
    """The server cannot take this narrative; others it can."""

    category = "data_error"


class NarrativeTooLong(NarrativeRejected):
    """Prompt and narrative are longer than the model's context."""


class FormatRejected(RequestFailed):
    """The server does not know a part of the request that can be left out: `schema` or `logprobs`."""

    category = "api_error"

    def __init__(self, message: str, part: str) -> None:
        super().__init__(message)
        self.part = part


class Hopeless(RequestFailed):
    """No request can succeed as things are."""

    category = "api_error"


def of_status(status: int, headers: list[tuple[bytes, bytes]], body: bytes, asked: Any) -> RequestFailed:
    """The failure that an HTTP reply other than a success means.

    asked: the request's body, decoded; only its keys are looked at.
    """
    code, words = _told(body)
    message = f"HTTP {status}" + (f" ({code})" if code else "")
    if status >= 500 or status < 300 or status in (408, 409, 425):
        return ServerFault(message)
    if status == 402 or code in ("insufficient_quota", "billing_hard_limit_reached"):
        return Hopeless(f"{message}: the account is used up. Fill it, then start the same command again")
    if status == 429:
        return RateLimited(message, retry_after(headers))
    if status in (401, 403):
        return Hopeless(f"{message}: the server refuses the key. Set LLM_API_KEY to a valid one")
    if 300 <= status < 400:
        return Hopeless(f"{message}: the server points elsewhere; redirects are not followed. Mend model.api_url")
    if _UNKNOWN_MODEL.search(words):
        return Hopeless(f"{message}: the server does not know this model. Mend model.name")
    if _TOO_LONG.search(words):
        return NarrativeTooLong(f"{message}: prompt and narrative are longer than the model's context")
    if "logprobs" in asked and _LOGPROBS.search(words):
        return FormatRejected(f"{message}: the server gives no token probabilities", "logprobs")
    if "response_format" in asked and _FORMAT.search(words):
        return FormatRejected(f"{message}: the server takes no JSON schema", "schema")
    if status in (404, 405):
        return Hopeless(f"{message}: there is no chat completion at this address. Mend model.api_url")
    return NarrativeRejected(f"{message}: the server rejects this request")


def retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """Seconds to wait, from a Retry-After header in seconds or as a date (RFC 9110, 10.2.3)."""
    value = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _told(body: bytes) -> tuple[str, str]:
    """(the error's code or type, the server's words); the words may quote the narrative and are only searched."""
    words = body[:4000].decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        code = str(error.get("code") or error.get("type") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", words
    return (code if re.fullmatch(r"[\w.-]{1,60}", code) and not code.isdigit() else ""), words
