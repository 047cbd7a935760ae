"""The faults of real servers and of what stands in front of them, by name: each is one reply instead of the sound one.

What a user reports is one more line here. Which requests get a fault is said by a `Scope`, which tests send to the fake
server as JSON.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# Makes a body from the user message and the sound reply, decoded.
Made = Callable[[str, dict[str, Any]], Any]

HTML = {"content-type": "text/html"}
STREAM = {"content-type": "text/event-stream"}


@dataclass(frozen=True)
class Fault:
    """One reply: its status, its body as it is or made from the request, its headers, and how long it takes."""

    status: int
    body: str | Made
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    def content(self, text: str, sound: dict[str, Any]) -> bytes:
        """The body for one request. text: the user message; sound: the reply without a fault, decoded."""
        if isinstance(self.body, str):
            return self.body.encode()
        made = self.body(text, sound)
        return (made if isinstance(made, str) else json.dumps(made)).encode()


@dataclass
class Scope:
    """Which requests get the fault with the name `fault`.

    narrative: text that the user message holds; at: which address; only_with: a key that the request holds; after: so
    many of these are spared first; every: of the others each n-th; for_s: until so many seconds after the first;
    sooner_than_s: only where the last one that was spared came less than so many seconds ago.
    """

    fault: str
    narrative: str = ""
    at: Literal["chat", "models", "everywhere"] = "chat"
    only_with: str = ""
    after: int = 0
    every: int = 1
    for_s: float | None = None
    sooner_than_s: float | None = None


class Planned:
    """A scope while it is used."""

    def __init__(self, scope: Scope) -> None:
        self.fault = FAULTS[scope.fault]
        self._scope = scope
        self._met = 0
        self._first_at: float | None = None
        self._spared_at = float("-inf")

    def hits(self, at: str, text: str, request: dict[str, Any], now: float) -> bool:
        """Whether a request that comes now gets the fault."""
        scope = self._scope
        is_there = scope.at in (at, "everywhere") and scope.narrative in text
        if not is_there or (scope.only_with and scope.only_with not in request):
            return False
        self._met += 1
        self._first_at = now if self._first_at is None else self._first_at
        is_hit = (
            self._met > scope.after
            and (self._met - scope.after) % scope.every == 0
            and (scope.for_s is None or now - self._first_at < scope.for_s)
            and (scope.sooner_than_s is None or now - self._spared_at < scope.sooner_than_s)
        )
        self._spared_at = self._spared_at if is_hit else now
        return is_hit


def error(status: int, message: str, **more: Any) -> Fault:
    """An error as the OpenAI API writes it."""
    return Fault(status, json.dumps({"error": {"message": message, **more}}))


def page(status: int, words: str) -> Fault:
    """A web page."""
    return Fault(status, f"<!DOCTYPE html>\n<html><head><title>{words}</title></head><body>{words}</body></html>", HTML)


def with_parts(**parts: Any) -> Fault:
    """The sound reply with other values at its top."""
    return Fault(200, lambda _, sound: {**sound, **parts})


def in_choice(**parts: Any) -> Fault:
    """The sound reply with other values in its choice."""
    return Fault(200, lambda _, sound: {**sound, "choices": [{**sound["choices"][0], **parts}]})


def in_message(**parts: Any) -> Fault:
    """The sound reply with other values in its message."""

    def made(_: str, sound: dict[str, Any]) -> dict[str, Any]:
        choice = sound["choices"][0]
        return {**sound, "choices": [{**choice, "message": {**choice["message"], **parts}}]}

    return Fault(200, made)


def counting(prompt_tokens: Any, **more: Any) -> Fault:
    """The sound reply with these counts."""
    return with_parts(usage={"prompt_tokens": prompt_tokens, "completion_tokens": 30, **more})


def saying(content: str, finish_reason: str = "stop") -> Fault:
    """The sound reply with another text."""
    message = {"role": "assistant", "content": content}
    return with_parts(choices=[{"index": 0, "message": message, "finish_reason": finish_reason}])


def with_token(**parts: Any) -> Fault:
    """The sound reply with token probabilities, of which the decision's has other values."""

    def made(_: str, sound: dict[str, Any]) -> dict[str, Any]:
        choice = sound["choices"][0]
        content = choice["message"]["content"]
        decision = "true" if '"detected": true' in content else "false"
        before, after = content.split(decision, 1)
        sure = {"token": decision, "logprob": -0.1, "top_logprobs": [{"token": decision, "logprob": -0.1}], **parts}
        tokens = [{"token": before, "logprob": 0}, sure, {"token": after, "logprob": 0}]
        return {**sound, "choices": [{**choice, "logprobs": {"content": tokens}}]}

    return Fault(200, made)


def answer_as_text(change: Callable[[str], str]) -> Fault:
    """The sound reply with its text changed."""

    def made(_: str, sound: dict[str, Any]) -> dict[str, Any]:
        choice = sound["choices"][0]
        message = {**choice["message"], "content": change(choice["message"]["content"])}
        return {**sound, "choices": [{**choice, "message": message}]}

    return Fault(200, made)


def echoing(status: int, **more: Any) -> Fault:
    """An error that repeats what was sent."""
    return Fault(status, lambda text, _: {"error": {"message": f"Cannot process: {text}", **more}})


def _rationale_that_repeats(text: str, sound: dict[str, Any]) -> dict[str, Any]:
    choice = sound["choices"][0]
    answer = {**json.loads(choice["message"]["content"]), "rationale": text}
    return {**sound, "choices": [{**choice, "message": {**choice["message"], "content": json.dumps(answer)}}]}


def _text_in_parts(text: str, sound: dict[str, Any]) -> dict[str, Any]:
    choice = sound["choices"][0]
    parts = [{"type": "text", "text": choice["message"]["content"]}]
    return {**sound, "choices": [{**choice, "message": {"role": "assistant", "content": parts}}]}


def _list_of(*names: str, **more: Any) -> Fault:
    return with_parts(data=[{"id": name} for name in names], **more)


def _nested(depth: int) -> Any:
    inner: Any = 1
    for _ in range(depth):
        inner = [inner]
    return inner


_DRAFT = '<|channel|>analysis<|message|>Perhaps {"detected": true, "confidence": 0.9} but the one who hit her was'
_FINAL = '{"detected": false, "confidence": 0.75, "indicators": [], "rationale": "her father"}'

FAULTS: dict[str, Fault] = {
    # Counts of tokens.
    "count as text": counting("40"),
    "count with a point": counting(40.0),
    "half a count": counting(40.5),
    "count that is no number": counting("n/a"),
    "negative count": counting(-3),
    "endless count": counting(10**30),
    "true as a count": counting(True),
    "usage as text": with_parts(usage="n/a"),
    "usage as a list": with_parts(usage=[40, 30]),
    "usage of null": with_parts(usage=None),
    "usage of nulls": counting(None, total_tokens=None),
    "count of infinity": Fault(200, lambda _, sound: json.dumps({**sound, "usage": {"prompt_tokens": float("inf")}})),
    "cached tokens": counting(4, prompt_tokens_details={"cached_tokens": 36}),
    "details as text": counting(40, prompt_tokens_details="none", completion_tokens_details=[1]),
    # Token probabilities.
    "token probabilities": with_token(),
    "alternatives as a mapping": with_token(top_logprobs={"true": -0.1, "false": -2}),
    "token of null": with_token(token=None),
    "probability as text": with_token(logprob="high", top_logprobs=[{"token": "true", "logprob": "high"}]),
    "probabilities as a list": in_choice(logprobs=[-0.1, -0.2]),
    "probabilities as text": in_choice(logprobs="none"),
    "probabilities of null": in_choice(logprobs={"content": None}),
    "probabilities of texts": in_choice(logprobs={"content": ["{", "true"]}),
    # Other places of a reply.
    "model of null": with_parts(model=None),
    "model that is a number": with_parts(model=7),
    "id that is a mapping": with_parts(id={"a": 1}, created="now"),
    "reason that is a number": in_choice(finish_reason=5),
    "reason of null": in_choice(finish_reason=None),
    "further members": with_parts(warnings=["slow"], timings={"predicted_ms": 1e300}),
    "deeply nested": with_parts(extra=_nested(60)),
    "half a character": in_message(reasoning_content="\ud83d alone"),
    "zero character": in_message(reasoning_content="a\x00b"),
    "parts instead of a text": Fault(200, _text_in_parts),
    # Answers that are none, and answers that look as if they were none.
    "draft that was cut off": saying(f"{_DRAFT} her father, so", "length"),
    "draft before the answer": saying(
        f"{_DRAFT} her father.<|end|><|start|>assistant<|channel|>final<|message|>{_FINAL}"
    ),
    "thinking without an end": saying('<think>Perhaps {"detected": true, "confidence": 0.9} but'),
    "thinking in fences": answer_as_text(lambda answer: f"<think>Is it so?</think>\n```json\n{answer}\n```"),
    "half an object, filtered": saying('{"detected": true, "confid', "content_filter"),
    "half an object, error": saying('{"detected": true, "confid', "error"),
    "refusal in words": saying("I cannot help with that request."),
    "nothing at all": saying(""),
    # The model is gone, or is another.
    "no model is loaded": error(400, "No models loaded. Please load a model in the developer page."),
    "proxy without its model": page(502, "502 Bad Gateway"),
    "upstream failed": error(400, "Upstream request failed", type="upstream_error"),
    "still loading": error(503, "Loading model", code=503, type="unavailable_error"),
    "shorter context": error(
        400, "This model's maximum context length is 12 tokens.", code="context_length_exceeded", type="invalid_request"
    ),
    "another model": with_parts(model="impostor"),
    # Key and account.
    "wrong key": error(401, "Incorrect API key provided.", code="invalid_api_key"),
    "wrong key, told as 400": error(400, "No connected db.", type="no_db_connection", code="400"),
    "account without money": error(402, "Insufficient credits. Add more.", code=402),
    "quota used up": error(
        429, "You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"
    ),
    # One request fails, or all do.
    "bad request": error(400, "cannot process this"),
    "bad request in plain words": Fault(400, "Bad Request", {"content-type": "text/plain"}),
    "unprocessable": Fault(422, '{"detail": [{"loc": ["body"], "msg": "value error", "type": "value_error"}]}'),
    "internal error": error(500, "Internal Server Error"),
    "internal error in plain words": Fault(500, "Internal Server Error", {"content-type": "text/plain"}),
    "not implemented": error(501, "not implemented"),
    "not found": error(404, "Not Found"),
    "moderated": error(403, "The input was flagged by moderation.", code="content_moderation"),
    "too many requests": error(429, "Rate limit reached.", code="rate_limit_exceeded"),
    "too many, come back at once": Fault(429, '{"error": {"message": "slow down"}}', {"retry-after": "0"}),
    "too many, come back in a second": Fault(429, '{"error": {"message": "slow down"}}', {"retry-after": "1"}),
    "too many, come back in a minute": Fault(429, '{"error": {"message": "slow down"}}', {"retry-after": "60"}),
    "too fast": page(503, "503 Service Temporarily Unavailable"),
    "proxy out of patience": Fault(504, page(504, "504 Gateway Time-out").body, HTML, delay_s=1.0),
    "empty reply": Fault(200, ""),
    "no answer": Fault(200, lambda _, sound: sound, delay_s=3600.0),
    # What was sent comes back.
    "echo, 400": echoing(400),
    "echo, 400 with type": echoing(400, type="invalid_request_error", code=None),
    "echo, 422": echoing(422),
    "echo, 404": echoing(404),
    "echo, 500": echoing(500),
    "echo as code": Fault(400, lambda text, _: {"error": {"message": text, "code": text.split()[-1].rstrip(".")}}),
    "echo in the answer": Fault(200, _rationale_that_repeats),
    # A part of the request is refused.
    "no temperature": error(
        400, "Unsupported parameter: 'temperature' is not supported with this model.", param="temperature"
    ),
    "no schema": error(400, "This response_format type is unavailable now", type="invalid_request_error"),
    "no probabilities": error(400, "logprobs is not supported by this model"),
    # Something else stands at the address.
    "no such endpoint": Fault(200, '{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'),
    "login page": page(200, "Sign in to continue"),
    "firewall": page(403, "Attention Required! Access denied"),
    "stream": Fault(
        200, 'data: {"choices": [{"delta": {"content": "{"}}]}\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n', STREAM
    ),
    # Lists of models.
    "slow list": Fault(200, '{"data": []}', delay_s=40.0),
    "list of others": _list_of("gpt-4o", "text-embedding-3-small"),
    "first page of a list": _list_of("another", has_more=True, last_id="another"),
    "name without its variant": _list_of("fake-base", "other"),
    "name in a folder": _list_of("models/fake"),
    "empty list": _list_of(),
    "list of null": with_parts(data=None),
    "list without names": with_parts(data=[{"name": "fake"}, "fake", None]),
    "list that is no JSON": Fault(200, "fake\n"),
}
