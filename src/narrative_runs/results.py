"""From a narrative and its journal entry to a row of results: the one place where this is decided."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any

from narrative_runs.asking import answer, reply
from narrative_runs.asking.probabilities import probabilities
from narrative_runs.asking.refusal import is_refusal
from narrative_runs.codebook.coded import coded_columns, coded_without_answer, values_lost
from narrative_runs.codebook.values import Value
from narrative_runs.codebook.variables import Codebook
from narrative_runs.source.shards import Narrative

ERROR_CATEGORIES = ("api_error", "rate_limit", "timeout", "parse_error", "data_error", "unknown")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one narrative, as it stands in the shards and in the record.

    indicators: JSON list; response_sec: seconds; times: `YYYY-MM-DD HH:MM:SS`, local where it was asked;
    error_category: one of ERROR_CATEGORIES, or None;
    attempt_count: passes over this narrative, not requests; p_detected: 0 to 1; model_answered: as the server named
    it; fingerprint: of what was asked; source_row: its row in the workbook; coded: what stands in the columns beside
    those of the record, by their names.
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
    coded: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """The result by the names of its columns, with those beside the record's."""
        return dict(zip(RESULT_COLUMNS, values_of(self), strict=True)) | dict(self.coded)


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
RESULT_COLUMNS = tuple(each.name for each in fields(Result) if each.name != "coded")
# The values of a result, in the order of these columns.
values_of = attrgetter(*RESULT_COLUMNS)


def result_of(narrative: Narrative, entry: dict[str, Any], codebook: Codebook) -> Result:
    """The result that a journal entry gives for its narrative, read by the experiment's codebook."""
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
        return Result(**common, **_failed(codebook, entry["error"]["category"], entry["error"]["message"]))
    return Result(**common, **_answered(entry["response"], codebook, narrative.narrative_text))


def is_answer(entry: dict[str, Any], codebook: Codebook) -> bool:
    """Whether a journal entry holds an answer, in which at least one variable can be read; an error is none."""
    if "adopted" in entry:
        return entry["adopted"]["error_category"] is None
    if "response" not in entry:
        return False
    parts = reply.read(entry["response"])
    try:
        return not parts.refusal and bool(_counting(parts, codebook))
    except answer.Unreadable:
        return False


def replaces(again: Result, before: Result, codebook: Codebook) -> bool:
    """Whether the result of a retry takes the place of the one before: as a whole, as values of two answers are never
    mixed in one row, and only if all that was readable before is readable again."""
    return not values_lost(before.coded, again.coded, codebook)


def last_that_counts(narrative: Narrative, entries: Sequence[dict[str, Any]], codebook: Codebook) -> tuple[int, Result]:
    """The index of the pass that counts among all passes over a narrative, oldest first, and its result: of the last
    pass that took the place of the one before. Its `attempt_count` counts all passes."""
    if codebook.fits_the_record:
        return len(entries) - 1, result_of(narrative, entries[-1], codebook)
    counts, result = 0, result_of(narrative, entries[0], codebook)
    last = result
    for index, entry in enumerate(entries[1:], start=1):
        last = result_of(narrative, entry, codebook)
        if replaces(last, result, codebook):
            counts, result = index, last
    return counts, replace(result, attempt_count=last.attempt_count, last_attempt_at=last.last_attempt_at)


def is_cut_off(body: dict[str, Any]) -> bool:
    """Whether a reply ended because its tokens were used up."""
    return (reply.finish_reason_of(body) or "").strip().lower() in _CUT_OFF


def tokens_of(entry: dict[str, Any]) -> int:
    """Prompt and completion tokens of a journal entry together; 0 where nobody counted."""
    adopted = entry.get("adopted")
    return int(adopted["tokens_used"] or 0) if adopted else reply.tokens_used(entry.get("response") or {})


def _answered(body: dict[str, Any], codebook: Codebook, narrative_text: str) -> dict[str, Any]:
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
        return _failed(codebook, "data_error", REFUSED, counted)
    try:
        values = _counting(parts, codebook)
    except answer.Unreadable as problem:
        return _failed(codebook, *_why_unreadable(parts, problem), counted)
    wrong = [value.missing for value in values.values() if value.is_error and value.missing]
    likely = probabilities(parts, codebook)
    first = codebook.first_binary
    return {
        "detected": values[first].value if first else None,
        "confidence": values[first].confidence if first else None,
        "indicators": json.dumps(list(_value_of(values, "indicators") or ()), ensure_ascii=False),
        "rationale": _value_of(values, "rationale"),
        "p_detected": likely.get(first or ""),
        "error_occurred": bool(wrong),
        "error_message": "; ".join(wrong) or None,
        "error_category": "parse_error" if wrong else None,
        "coded": coded_columns(codebook, values, likely, narrative_text),
        **counted,
    }


def _value_of(values: Mapping[str, Value], name: str) -> Any:
    return values[name].value if name in values else None


def _counting(parts: reply.Reply, codebook: Codebook) -> Mapping[str, Value]:
    """What was answered, which counts in a text that was broken off only if it is whole and no draft."""
    located = answer.located(parts.written, codebook)
    if parts.is_at_its_end or (located.is_final and not parts.is_draft_open):
        return located.values
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


def _failed(codebook: Codebook, category: str, message: str, counted: dict[str, Any] | None = None) -> dict[str, Any]:
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
        "coded": coded_without_answer(codebook),
        **nothing,
        **(counted or {}),
    }
