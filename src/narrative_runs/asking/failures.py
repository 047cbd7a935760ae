"""What a request can bring instead of an answer, distinguished by status, code and type.

Words of the server are no proof: servers echo what they were sent, so that the words may be the narrative's own.
Whether a failure is the narrative's fault or the run's is decided by evidence, in `inquiry`.
"""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

LONGEST_WORDS = 300
TOO_LONG = "prompt and narrative are longer than the model's context"
REJECTED = "the server rejects this request"
_TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|maximum context|too (?:long|many tokens)|n_ctx|num_ctx|input length",
    re.IGNORECASE,
)
# What OpenAI, vLLM, llama.cpp and LM Studio write of it: a number alone is none of the narrative's words.
_CONTEXT_TOKENS = re.compile(
    r"(?:context[_ ](?:length|size|window)|n_ctx)\b[^0-9]{0,12}(?:only )?\(?([0-9]{3,7})\b", re.IGNORECASE
)
_USED_UP_CODES = ("insufficient_quota", "billing_hard_limit_reached")
_PASSING_4XX = (408, 409, 425, 498, 499)
_OVERLOADED = (498, 503, 529)
_CODE = re.compile(r"[A-Za-z][\w.-]{0,59}")
_TAG = re.compile(r"<[^<>]{0,400}>")
_EVENT = re.compile(rb"\s*(?:data|event|id):")


class Kind(StrEnum):
    """The ways in which a request fails."""

    UNREACHABLE = "Unreachable"  # connection refused or reset, DNS, a reply that was cut short
    SERVER_FAULT = "ServerFault"  # 5xx, a 4xx that passes, or a reply that is empty or broken
    TIMED_OUT = "TimedOut"  # no reply within run.timeout_s
    RATE_LIMITED = "RateLimited"  # 429
    REFUSED = "Refused"  # any other status but 200
    NO_CHAT = "NoChat"  # 200 with something else than a chat completion: a web page, a stream, an error
    UNTRUSTED = "Untrusted"  # the server's certificate is not trusted
    UNSENDABLE = "Unsendable"  # the request cannot leave: a key or an address that is none


CATEGORIES = {
    Kind.UNREACHABLE: "api_error",
    Kind.SERVER_FAULT: "api_error",
    Kind.TIMED_OUT: "timeout",
    Kind.RATE_LIMITED: "rate_limit",
    Kind.REFUSED: "data_error",
    Kind.NO_CHAT: "api_error",
    Kind.UNTRUSTED: "api_error",
    Kind.UNSENDABLE: "api_error",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One request without an answer.

    message: what happened, without narrative text; status: HTTP status, 0 without a reply; code: the server's own code
    or type; retry_after: seconds to wait, if the server says so; seems_too_long: by code, status or words that were
    not sent; context_tokens: the longest context, if such words name it; words: the server's own, kept only if no
    narrative was sent; reason: what the user reads if this failure ends the run.
    """

    kind: Kind
    message: str
    status: int = 0
    code: str = ""
    retry_after: float | None = None
    seems_too_long: bool = False
    context_tokens: int | None = None
    words: str = ""
    reason: str = ""

    @property
    def category(self) -> str:
        """The error_category of the row, if this failure becomes one."""
        return CATEGORIES[self.kind]

    @property
    def passes(self) -> bool:
        """Whether the same request may be answered a moment later."""
        return self.kind in (Kind.UNREACHABLE, Kind.SERVER_FAULT, Kind.TIMED_OUT, Kind.RATE_LIMITED)

    @property
    def is_overload(self) -> bool:
        """Whether fewer requests at once may help."""
        return self.kind in (Kind.RATE_LIMITED, Kind.TIMED_OUT) or self.status in _OVERLOADED

    @property
    def is_key_or_account(self) -> bool:
        """Whether the server says that this key, or its account, may not ask: that does not pass by itself."""
        return self.status in (401, 402, 403) or self.is_used_up

    @property
    def is_used_up(self) -> bool:
        """Whether the server says that the account is used up: unlike other limits, this one does not pass."""
        return self.code in _USED_UP_CODES

    @property
    def alike(self) -> str:
        """Failures of the same nature have the same text."""
        return f"{self.kind} {self.status} {self.code}"


class RequestFailed(Exception):
    """One request gave no answer; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def failed(kind: Kind, message: str) -> RequestFailed:
    """A failure of which only kind and message are known."""
    return RequestFailed(Failure(kind, message))


def of_reply(
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    asked: Mapping[str, Any],
    has_narrative: bool,
    seconds: float = 0.0,
) -> RequestFailed:
    """The failure that an HTTP reply without a chat completion means.

    asked: the request's body, decoded; has_narrative: whether it holds one, so that the server's words may quote it;
    seconds: how long the reply took.
    """
    decoded = _decoded(body)
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else None
    sent = sent_text(asked).lower()
    code = _code(error, sent)
    words = _words(error, body)
    if status == 200:
        kind, message = _odd_success(decoded, body)
        inner = error.get("code") if isinstance(error, dict) else None
        if isinstance(inner, int) and 400 <= inner < 600:
            # Some gateways answer 200 and put the error's status into the body.
            return of_reply(inner, [], body, asked, has_narrative, seconds)
    else:
        kind, message = _kind(status), f"HTTP {status}" + (f" ({code})" if code else "")
        message += _of_proxy(status, seconds)
    is_said = any(match[0].lower() not in sent for match in _TOO_LONG.finditer(words))
    seems_too_long = kind is Kind.REFUSED and (code in _TOO_LONG_CODES or status == 413 or is_said)
    return RequestFailed(
        Failure(
            kind,
            message,
            status,
            code,
            retry_after(headers) if kind is Kind.RATE_LIMITED else None,
            seems_too_long,
            _context_tokens(words, sent) if seems_too_long else None,
            "" if has_narrative else words,
        )
    )


def _context_tokens(words: str, sent: str) -> int | None:
    matches = (match for match in _CONTEXT_TOKENS.finditer(words) if match[0].lower() not in sent)
    return next((int(match[1]) for match in matches), None)


def sent_text(asked: Mapping[str, Any]) -> str:
    """The whole text of a request's messages."""
    return "\n".join(str(message.get("content", "")) for message in asked.get("messages", []))


def retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """Seconds to wait, from a Retry-After header in seconds or as a date (RFC 9110, 10.2.3).

    Gateways pass on that of the server behind them under a longer name.
    """
    values = (value.decode("latin-1").strip() for name, value in headers if name.lower().endswith(b"retry-after"))
    value = next(values, "")
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


def _kind(status: int) -> Kind:
    if status == 429:
        return Kind.RATE_LIMITED
    if status >= 500 or status < 300 or status in _PASSING_4XX:
        return Kind.SERVER_FAULT
    return Kind.REFUSED


def _odd_success(decoded: Any, body: bytes) -> tuple[Kind, str]:
    """The kind of failure, and in words what came with HTTP 200 instead of a chat completion."""
    if isinstance(decoded, dict) and "choices" not in decoded and decoded:
        return Kind.NO_CHAT, "HTTP 200 with no chat completion in it, but " + (
            "an error" if "error" in decoded else "other JSON"
        )
    if _EVENT.match(body):
        return Kind.NO_CHAT, "HTTP 200 with a stream of events, though none was asked for"
    if body.lstrip()[:1] == b"<":
        return Kind.NO_CHAT, "HTTP 200 with a web page instead of an answer"
    if not body.strip():
        return Kind.SERVER_FAULT, "HTTP 200 with an empty reply"
    return Kind.SERVER_FAULT, "HTTP 200 with a reply that is no chat completion"


def _of_proxy(status: int, seconds: float) -> str:
    match status:
        case 502:
            return ": the proxy in front of the model server does not reach it"
        case 504:
            return (
                f": a proxy in front of the model server waits no longer than {seconds:.0f} s for an answer; raise its "
                "time limit (nginx: proxy_read_timeout; haproxy: timeout server)"
            )
        case _:
            return ""


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _code(error: Any, sent: str) -> str:
    """The error's code or type, if it is a single word that was not sent."""
    if not isinstance(error, dict):
        return ""
    for key in ("code", "type"):
        code = error.get(key)
        if isinstance(code, str) and _CODE.fullmatch(code) and code.lower() not in sent:
            return code
    return ""


def _words(error: Any, body: bytes) -> str:
    """What the server says about the failure, as one line."""
    if isinstance(error, dict):
        error = next((error[key] for key in ("message", "detail", "error") if isinstance(error.get(key), str)), error)
    text = error if isinstance(error, str) else _TAG.sub(" ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:LONGEST_WORDS]
