"""The columns of a finished table of results, in their order, with their pandas types.

Behind them ride the workbook's other columns, as they are.
"""

from collections.abc import Iterable

# What may hit one group of the narratives more than others, by the column that says so.
TROUBLES = {"errors": "error", "refusals": "refused"}
OUTCOME_COLUMNS = ("is_true_positive", "is_true_negative", "is_false_positive", "is_false_negative")

RESULT_TYPES = {
    "row_num": "int64",
    "incident_id": "string",
    "narrative_type": "string",
    "narrative_text": "string",
    "manual_flag_ind": "Int64",
    "manual_flag": "Int64",
    "detected": "boolean",
    "confidence": "Float64",
    "indicators": "string",
    "rationale": "string",
    "reasoning_steps": "string",
    "raw_response": "string",
    "response_sec": "Float64",
    "processed_at": "string",
    "error_occurred": "bool",
    "error_message": "string",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "tokens_used": "Int64",
    **dict.fromkeys(OUTCOME_COLUMNS, "boolean"),
    "attempt_count": "int64",
    "first_error_message": "string",
    "last_attempt_at": "string",
    "error_category": "string",
    "p_detected": "Float64",
    "model_answered": "string",
    "fingerprint": "string",
    "source_row": "Int64",
}

# They depend on when and how fast the model was asked, not on what it said.
CLOCK_BOUND = ("response_sec", "processed_at", "last_attempt_at")

# What none of the workbook's other columns may be called: the columns of every file that they may stand in.
RESERVED = (
    *RESULT_TYPES,
    "experiment_id",
    "result_id",
    "disagreement",
    "stratum",
    "stratum_size",
    "sampling_weight",
    "reviewer_verdict",
    "reviewer_notes",
    "incident",
)


def other_columns(names: Iterable[str]) -> list[str]:
    """Those of the names of a table of results that are the workbook's other columns."""
    return [name for name in names if name not in RESULT_TYPES]
