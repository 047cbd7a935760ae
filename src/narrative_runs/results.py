"""From a narrative and its journal entry to a row of results: the one place where this is decided."""

import json
import re
from dataclasses import dataclass, fields
from typing import Any

from narrative_runs.asking import answer, reply
from narrative_runs.asking.refusal import is_refusal
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


REFUSED = "the model refused to answer; its words are in raw_response"
WITHHELD = "the server's content filter withheld the answer"
_CUT_OFF = ("length", "max_tokens", "max_output_tokens", "model_length", "token_limit")
_FILTERS = (
    "content_filter",
    "content_filtered",
    "safety",
    "recitation",
    "prohibited_content",
    "blocklist",
    "sensitive",
)
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


def is_answer(entry: dict[str, Any]) -> bool:
    """Whether a journal entry holds an answer; an error is none."""
    if "adopted" in entry:
        return entry["adopted"]["error_category"] is None
    return "response" in entry and _answered(entry["response"])["error_category"] is None


def is_cut_off(body: dict[str, Any]) -> bool:
    """Whether a reply ended because its tokens were used up."""
    return (reply.finish_reason_of(body) or "").strip().lower() in _CUT_OFF


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
        return _failed("data_error", REFUSED, counted)
    try:
        answered = _counting(parts)
    except answer.Unreadable as problem:
        return _failed(*_why_unreadable(parts, problem), counted)
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


def _counting(parts: reply.Reply) -> answer.Answer:
    """The answer, which counts in a text that was broken off only if it is whole and no draft."""
    found = answer.located(parts.written)
    if parts.is_at_its_end or (found.is_final and not parts.is_draft_open):
        return found.answer
    raise answer.Unreadable("the answer is no whole JSON object")


def _why_unreadable(parts: reply.Reply, problem: answer.Unreadable) -> tuple[str, str]:
    """Category and message of the error."""
    reason = (parts.finish_reason or "").strip().lower()
    if reason in _FILTERS:
        return "data_error", WITHHELD if reason == "content_filter" else f"{WITHHELD} ({_ending(reason)})"
    if is_refusal(parts.written) or reason == "refusal":
        return "data_error", REFUSED
    if parts.is_at_its_end:
        return "parse_error", str(problem)
    if reason not in _CUT_OFF:
        return "parse_error", f"{problem}; it was broken off ({_ending(reason)})"
    if not parts.written and parts.thought:
        problem = answer.Unreadable("the reasoning used up all tokens before an answer")
    return (
        "parse_error",
        f"{problem}; it was cut off ({_ending(reason)}). Ask with a higher model.max_tokens, in a new experiment",
    )


def _ending(reason: str) -> str:
    # A server could put anything there, even a piece of the narrative.
    return f"finish_reason: {reason if re.fullmatch('[a-z0-9_.-]{1,40}', reason) else 'unknown'}"


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
