"""One narrative as its page shows it: text, answer, label, each variable, reasons and the raw reply."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.codebook.quotes import spans_of as spans_of_passage
from narrative_runs.codebook.variables import Codebook, Quote, Text
from narrative_runs.data_columns import type_title
from narrative_runs.findings.rounding import shown
from narrative_runs.page.narratives.highlighting import Piece, Span, pieces, readable
from narrative_runs.record.search_words import Term
from narrative_runs.record.search_words import spans_of as spans_of_words

# A longer value is shown as a text is.
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class VariableShown:
    """One variable of an answer.

    values: as texts; is_text: whether they may be words of the narrative, which are shown on demand; label: None
    without one; further: confidence, probability and what else there is to say.
    """

    name: str
    values: Sequence[str]
    is_text: bool
    label: str | None
    error: str | None
    further: dict[str, str]


@dataclass(frozen=True)
class NarrativeShown:
    """One narrative. facts: by what they are; texts: what the model wrote, by its heading, one or more to each."""

    title: str
    text: list[Piece]
    facts: dict[str, str]
    variables: list[VariableShown] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    raw_response: str = ""

    @property
    def has_passages(self) -> bool:
        """Whether passages are marked in the text."""
        return any(piece.is_passage for piece in self.text)


def narrative_shown(row: dict[str, Any], codebook: Codebook, terms: Sequence[Term]) -> NarrativeShown:
    """A narrative as its page shows it.

    row: as the record's `of_narrative` gives it; terms: the words that are marked in the text.
    """
    text = readable(row["narrative_text"])
    shown_variables = [_variable(coded, codebook) for coded in row["coded"]]
    indicators = listed(row["indicators"])
    passages = [value for variable in shown_variables if variable.is_text for value in variable.values] + indicators
    texts = {
        "What the model names as signs": indicators,
        "Why it gave this answer": [readable(row["rationale"])],
        "Reasoning before the answer": [readable(row["reasoning_steps"])],
    }
    return NarrativeShown(
        title_of(row),
        marked(text, terms, passages),
        facts_of(row),
        shown_variables,
        {heading: kept for heading, parts in texts.items() if (kept := list(filter(None, parts)))},
        readable(row["raw_response"]),
    )


def title_of(row: dict[str, Any]) -> str:
    """What a narrative is called."""
    return f"{readable(row['incident_id'])} {type_title(readable(row['narrative_type']))}"


def marked(text: str, terms: Sequence[Term], passages: Sequence[str]) -> list[Piece]:
    """A text with the words of a search and the passages that stand in it marked."""
    return pieces(text, spans_of_words(terms, text), passages_in(text, passages))


def passages_in(text: str, passages: Sequence[str]) -> list[Span]:
    """Where the passages are in a text; those that are not in it are left out."""
    return [span for passage in passages for span in spans_of_passage(passage, text)]


def facts_of(row: dict[str, Any]) -> dict[str, str]:
    """Label, answer and outcome of a narrative, and what else is known of its answer, by what they are; what is not
    there is left out."""
    facts: dict[str, str | None] = {}
    if row["outcome"] == "error":
        facts["Answer"] = "none, as it is an error"
        facts["Error"] = f"{row['error_category'] or 'unknown'}: {row['error_message'] or 'no message'}"
    elif row["detected"] is not None:
        facts["Answer"] = "detected" if row["detected"] else "not detected"
    facts["Label"] = {None: "none", 1: "positive", 0: "negative"}.get(row["manual_flag_ind"])
    facts["Outcome"] = row["outcome"] if row["outcome"] not in ("error", "no label", "no value") else None
    facts["Confidence"] = _number(row["confidence"], 2)
    facts["Probability of a yes"] = _number(row["p_detected"], 3)
    facts["Row of the workbook"] = None if row["source_row"] is None else f"{row['source_row']:,}"
    facts["Model"] = row["model_answered"]
    facts["Asked at"] = row["last_attempt_at"] or row["processed_at"]
    facts["Passes"] = str(row["attempt_count"]) if (row["attempt_count"] or 1) > 1 else None
    facts["First error"] = row["first_error_message"]
    return {name: readable(str(value)) for name, value in facts.items() if value not in (None, "")}


def listed(text: str | None) -> list[str]:
    """A JSON list as texts; a text that is none, as an older record may hold one, as it is."""
    try:
        values = json.loads(text or "[]")
    except ValueError:
        values = [text]
    return [readable(str(value)) for value in (values if isinstance(values, list) else [values])]


def as_words(value: str) -> str:
    """A value of a variable in words; several values one after the other."""
    return "; ".join(listed(value)) or "none" if value.startswith("[") else readable(value)


def _variable(coded: dict[str, Any], codebook: Codebook) -> VariableShown:
    variable = codebook.variables.get(coded["variable"])
    value = coded["value"]
    is_text = isinstance(variable, Quote | Text) or len(value or "") > _LONGEST_VALUE
    values = [] if value is None else listed(value) if value.startswith("[") else [readable(value)]
    missing = listed(coded["not_in_text"])
    further = {
        "confidence": _number(coded["confidence"], 2),
        "probability": _number(coded["probability"], 3),
        "not in the narrative": f"{len(missing)} of {len(values)}" if missing else None,
    }
    return VariableShown(
        readable(coded["variable"]),
        values,
        is_text,
        None if coded["label"] is None else as_words(coded["label"]),
        None if coded["error_message"] is None else readable(coded["error_message"]),
        {name: words for name, words in further.items() if words is not None},
    )


def _number(value: float | None, digits: int) -> str | None:
    return None if value is None else shown(value, digits)
