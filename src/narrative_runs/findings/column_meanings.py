"""What the columns of results.xlsx mean, one sentence each, for its sheet `columns`."""

FROM_THE_WORKBOOK = "From the workbook, as it is there."

_TIME = "as YYYY-MM-DD HH:MM:SS, by the clock where it was asked."
_UNJUDGED = "FALSE elsewhere; empty without a label or an answer."
_ROUNDED = "rounded here, with all digits in results.parquet"

# In every sheet that has a row for a narrative.
OF_NARRATIVES = {
    "row_num": "The number of the narrative, from 1, in the order of the workbook.",
    "incident_id": "The id of the incident, which is a text: 0012 and 12 are two incidents.",
    "narrative_type": (
        "Which narrative of the incident it is, such as cme (coroner or medical examiner) or le (law enforcement)."
    ),
    "narrative_text": "The text of the narrative, about which the model was asked.",
    "manual_flag_ind": (
        "The narrative's own label, given by a person: 1 for yes, 0 for no; empty where there is none."
    ),
    "manual_flag": (
        "The incident's label, given by a person: 1 for yes, 0 for no; empty where there is none; in a workbook with a "
        "row for each narrative and no labels of incidents, the highest label of the incident's narratives."
    ),
    "detected": "TRUE where the model's answer is yes, FALSE where it is no; empty where there is no answer.",
    "confidence": (
        "How sure the model says it is of its answer, be it yes or no, from 0 to 1; empty where it gave no such "
        f"number; {_ROUNDED}."
    ),
    "indicators": (
        "What the model names as signs in the narrative, as a list in square brackets; [] where it names nothing or "
        "gave no answer."
    ),
    "rationale": "Why the model answered so, in its own words; empty where it gave no reason or no answer.",
    "reasoning_steps": "What the model thought before it answered; empty where the server tells no such thinking.",
    "raw_response": "All that the model wrote in its reply, without its thinking; the answer was read from it.",
    "response_sec": "How long the reply took, in seconds.",
    "processed_at": f"When the model was asked about the narrative, {_TIME}",
    "error_occurred": (
        "TRUE where the request or its answer failed for good, so that there is no answer and the row counts in no "
        "rate; FALSE elsewhere."
    ),
    "error_message": "What went wrong, in words; empty without an error.",
    "prompt_tokens": (
        "The length of the question, prompt and narrative together, in tokens, as the server counts them; empty where "
        "it does not."
    ),
    "completion_tokens": (
        "The length of the reply, thinking included, in tokens, as the server counts them; empty where it does not."
    ),
    "tokens_used": "The tokens of question and reply together; empty where the server does not count them.",
    "is_true_positive": f"TRUE where the model's answer is yes and so is the narrative's own label, {_UNJUDGED}",
    "is_true_negative": f"TRUE where the model's answer is no and so is the narrative's own label, {_UNJUDGED}",
    "is_false_positive": f"TRUE where the model's answer is yes but the narrative's own label is no, {_UNJUDGED}",
    "is_false_negative": f"TRUE where the model's answer is no but the narrative's own label is yes, {_UNJUDGED}",
    "attempt_count": (
        "In how many passes the narrative was asked about: 1, and one more for each time that errors were asked again; "
        "requests that were repeated within a pass are not counted."
    ),
    "first_error_message": (
        "What went wrong in the first pass, in words, where the narrative was asked about again after an error; empty "
        "elsewhere."
    ),
    "last_attempt_at": f"When the model was last asked about the narrative, {_TIME}",
    "error_category": (
        "The kind of error: api_error (the server failed), rate_limit (too many requests), timeout (no answer in "
        "time), parse_error (the reply holds no answer), data_error (this text cannot be answered) or unknown; empty "
        "without an error."
    ),
    "p_detected": (
        "The probability of a yes against a no, from 0 to 1, that follows from the model's token probabilities; empty "
        f"where the server gives none; {_ROUNDED}."
    ),
    "model_answered": "The name of the model that answered, as the server gives it; empty where it gives none.",
    "fingerprint": "A checksum of what was asked, by which the reply is found in the journal.",
    "source_row": (
        "The row of the workbook in which the narrative stands, as a spreadsheet counts rows, header included; in a "
        "Parquet file they count from 1."
    ),
    "source_sheet": "The sheet of the workbook in which the narrative stands, where several sheets were read.",
    "disagreement": (
        "How answer and label differ: a false positive is a narrative with the answer yes and the label no, a false "
        "negative one with the answer no and the label yes."
    ),
    "reviewer_verdict": "Empty, for a reviewer's own verdict, such as positive, negative or unclear.",
    "reviewer_notes": "Empty, for a reviewer's notes.",
}

# In one sheet alone.
OF_OTHER_SHEETS = {
    "read_first": {
        "rank": "The place in the list, from 1: what to read first.",
        "why": (
            "Why to read it: the answer contradicts the label, the most certain ones first, or the model doubts its "
            "answer."
        ),
    },
    "metrics": {
        "scope": (
            "What is measured, by its name in metrics.json: experiment is the experiment as a whole, overall all "
            "narratives, by_type those of one type, and incident the incidents."
        ),
        "metric": (
            "The name of the count or rate, such as n (in overall: answers with a label), tp (true positives) or "
            "recall."
        ),
        "value": (
            "The count, rate or text itself: shares lie between 0 and 1, kappa and mcc between -1 and 1; empty where "
            "it is undefined; fractions are rounded here, with all digits in metrics.json."
        ),
        "low": "The lower end of the rate's 95% interval; empty where there is no interval, as for counts.",
        "high": "The upper end of the rate's 95% interval; empty where there is no interval, as for counts.",
    },
    "data_quality": {
        "name": (
            "The fact about the workbook or the answers, by its name in data_quality.json; behind a dot stands a part "
            "of it, such as a narrative type."
        ),
        "value": "The count, name or text that was found; a list stands in square brackets, and empty is none.",
    },
}


def meaning_of(sheet: str, column: str) -> str:
    """What a column of a sheet of results.xlsx means; one that is not ours is from the workbook."""
    of_sheet = OF_OTHER_SHEETS.get(sheet, {})
    return of_sheet.get(column) or OF_NARRATIVES.get(column, FROM_THE_WORKBOOK)
