"""From a narrative and its journal entry to a row of results: the one place where this is decided."""

import json
from dataclasses import dataclass, fields
from typing import Any

from narrative_runs.asking import answer, reply
from narrative_runs.source.shards import Narrative


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one narrative, as it stands in the shards and in the record.

    indicators: JSON list; response_sec: seconds; times: `YYYY-MM-DD HH:MM:SS`, local where it was asked;
    error_category: api_error, rate_limit, timeout, parse_error, data_error, unknown, or None;
    attempt_count: passes over this narrative, not requests; p_detected: 0 to 1; model_answered: as the server named
    it; fingerprint: of what was asked; source_row: its row in the workbook.
    """

    row_num: int
    incident_id: str
    narrative_type: str
    narrative_text: str
    manual_flag_ind: int | None
    manual_flag: int | None
    detected: bool | None
    confidence: float | None
    indicators: str
    rationale: str | None
    reasoning_steps: str | None
    raw_response: str | None
    response_sec: float | None
    processed_at: str
    error_occurred: bool
    error_message: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_used: int | None
    attempt_count: int
    first_error_message: str | None
    last_attempt_at: str | None
    error_category: str | None
    p_detected: float | None
    model_answered: str | None
    fingerprint: str
    source_row: int | None


RESULT_COLUMNS = tuple(field.name for field in fields(Result))


def result_of(narrative: Narrative, entry: dict[str, Any]) -> Result:
    """The result that a journal entry gives for its narrative."""
    when = str(entry["asked_at"])[:19].replace("T", " ")
    common: dict[str, Any] = {
        "row_num": narrative.row_num,
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
        "narrative_text": narrative.narrative_text,
        "manual_flag_ind": narrative.manual_flag_ind,
        "manual_flag": narrative.manual_flag,
        "processed_at": when,
        "last_attempt_at": when,
        "response_sec": entry.get("response_sec"),
        "attempt_count": entry["attempt"],
        "first_error_message": entry["first_error_message"],
        "fingerprint": entry["fingerprint"],
        "source_row": narrative.source_row,
    }
    if "adopted" in entry:
        # The R system's own row: what it read from the reply stands, for the reply itself it did not always keep.
        return Result(**{**common, **entry["adopted"], "p_detected": None, "model_answered": None})
    if "error" in entry:
        return Result(**common, **_failed(entry["error"]["category"], entry["error"]["message"]))
    return Result(**common, **_answered(entry["response"]))


def tokens_of(entry: dict[str, Any]) -> int:
    """Prompt and completion tokens of a journal entry together; 0 where nobody counted."""
    adopted = entry.get("adopted")
    return int(adopted["tokens_used"] or 0) if adopted else reply.tokens_used(entry.get("response") or {})


def _answered(body: dict[str, Any]) -> dict[str, Any]:
    parts = reply.read(body)
    counted: dict[str, Any] = {
        "reasoning_steps": parts.thought,
        "raw_response": parts.written or parts.refusal,
        "prompt_tokens": parts.prompt_tokens,
        "completion_tokens": parts.completion_tokens,
        "tokens_used": reply.tokens_used(body) or None,
        "model_answered": parts.model,
    }
    if parts.refusal:
        return _failed("data_error", "the model refused to answer; its words are in raw_response", counted)
    if parts.finish_reason == "content_filter":
        return _failed("data_error", "the server's content filter withheld the answer", counted)
    try:
        answered = answer.read(parts.written)
    except answer.Unreadable as problem:
        return _failed("parse_error", _why_unreadable(parts, problem), counted)
    return {
        "detected": answered.detected,
        "confidence": answered.confidence,
        "indicators": json.dumps(answered.indicators, ensure_ascii=False),
        "rationale": answered.rationale,
        "p_detected": parts.p_detected,
        "error_occurred": False,
        "error_message": None,
        "error_category": None,
        **counted,
    }


def _why_unreadable(parts: reply.Reply, problem: answer.Unreadable) -> str:
    if parts.finish_reason != "length":
        return str(problem)
    if not parts.written and parts.thought:
        problem = answer.Unreadable("the reasoning used up all tokens before an answer")
    return f"{problem}; it was cut off (finish_reason: length). Ask with a higher model.max_tokens, in a new experiment"


def _failed(category: str, message: str, counted: dict[str, Any] | None = None) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(
        ("reasoning_steps", "raw_response", "prompt_tokens", "completion_tokens", "tokens_used", "model_answered")
    )
    return {
        "detected": None,
        "confidence": None,
        "indicators": "[]",
        "rationale": None,
        "p_detected": None,
        "error_occurred": True,
        "error_message": message,
        "error_category": category,
        **nothing,
        **(counted or {}),
    }
