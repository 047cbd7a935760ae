"""The tables of the page: counts over the rows, without any narrative's text unless that is asked for."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from narrative_runs.codebook.variables import not_in_text_column
from narrative_runs.findings.read_first import read_first
from narrative_runs.findings.suppression import MASKED
from narrative_runs.results import ERROR_CATEGORIES

# An indicator that few rows share may be a quotation from a narrative; one that many share is a category.
FEWEST_ROWS = 5
MOST_INDICATORS = 30
MOST_PASSAGES = 25


class IndicatorCount(NamedTuple):
    """An indicator, and in how many answers it is named: in all, in those that detect, and in the others."""

    indicator: str
    rows: int
    detected: int | str
    not_detected: int | str


class ServerCount(NamedTuple):
    """What one of several model servers did: narratives that it answered, error rows whose last request it had, and
    requests about all these narratives, to whichever server."""

    address: str
    answered: int
    errors: int
    requests: int

    @property
    def error_rate(self) -> float:
        """The share of its narratives that are error rows, 0 to 1."""
        return self.errors / (self.answered + self.errors)


class WrongAnswer(NamedTuple):
    """A false positive or false negative, with all that a reviewer needs."""

    kind: str
    incident_id: str
    narrative_type: str
    confidence: float | None
    p_detected: float | None
    indicators: list[str]
    rationale: str
    narrative_text: str


class ReadFirst(NamedTuple):
    """An answer that a person should read first: its number in the results, why, how certain the model is of it (0 to
    1, or None), what it answered, and its incident where that may be shown."""

    row_num: int
    narrative_type: str
    why: str
    answer: str
    certainty: float | None
    incident_id: str | None


class PassagesNotInText(NamedTuple):
    """The passages of one narrative that are not in its text."""

    row_num: int
    incident_id: str
    narrative_type: str
    passages: list[str]


def error_counts(results: pd.DataFrame) -> dict[str, int]:
    """Rows with an error by category, in the categories' order; those that did not occur are left out."""
    counts = results.loc[results["error_occurred"], "error_category"].fillna("unknown").value_counts()
    return {name: int(counts[name]) for name in ERROR_CATEGORIES if name in counts}


def indicator_counts(results: pd.DataFrame, fewest: int, below: int = 0) -> list[IndicatorCount]:
    """The most frequent indicators, at most MOST_INDICATORS, most frequent first.

    In: results with `indicators` (JSON list) and `detected`. An indicator counts once an answer; case and blanks around
    it make no difference. Those in fewer than `fewest` answers are left out; where the part that detects, or the other
    one, is below the limit `below`, both are masked.
    """
    rows: Counter[str] = Counter()
    in_detected: Counter[str] = Counter()
    answered = results[results["detected"].notna() & results["indicators"].notna()]
    for text, detected in zip(answered["indicators"], answered["detected"], strict=True):
        named = {" ".join(str(indicator).split()).lower() for indicator in json.loads(text)} - {""}
        rows.update(named)
        if detected:
            in_detected.update(named)
    # By name among equals: the order of the rows does not matter.
    frequent = sorted(((-count, name) for name, count in rows.items() if count >= fewest))[:MOST_INDICATORS]
    parts = {name: (in_detected[name], -count - in_detected[name]) for count, name in frequent}
    return [
        IndicatorCount(name, -count, *((MASKED, MASKED) if min(parts[name]) < below else parts[name]))
        for count, name in frequent
    ]


def wrong_answers(results: pd.DataFrame) -> list[WrongAnswer]:
    """The false positives, then the false negatives, each in row order."""
    wrong = []
    for column, kind in (("is_false_positive", "false positive"), ("is_false_negative", "false negative")):
        rows = results[results[column].fillna(False).astype(bool)].sort_values("row_num")
        wrong += [WrongAnswer(kind, **_shown(row)) for row in rows.to_dict("records")]
    return wrong


def to_read_first(results: pd.DataFrame, shows_ids: bool) -> list[ReadFirst]:
    """The answers to read first, in their order; with ids only where narratives are shown."""
    rows = results.set_index("row_num")
    return [
        ReadFirst(
            int(number),
            str(rows.at[number, "narrative_type"]),
            str(why),
            "detected" if rows.at[number, "detected"] else "not detected",
            None if pd.isna(certainty) else float(certainty),
            str(rows.at[number, "incident_id"]) if shows_ids else None,
        )
        for number, why, certainty in read_first(results).itertuples(index=False)
    ]


def passages_not_in_text(results: pd.DataFrame, variable: str) -> list[PassagesNotInText]:
    """The first MOST_PASSAGES narratives with a passage that is not in their text, in the order of `row_num`.

    In: results with `row_num`, `incident_id`, `narrative_type` and the variable's column of such passages (JSON lists).
    """
    column = not_in_text_column(variable)
    rows = results[results[column].fillna("[]") != "[]"].sort_values("row_num").head(MOST_PASSAGES)
    return [
        PassagesNotInText(int(row_num), str(incident), str(kind), [str(each) for each in json.loads(passages)])
        for row_num, incident, kind, passages in zip(
            *(rows[name] for name in ("row_num", "incident_id", "narrative_type", column)), strict=True
        )
    ]


def models_answered(results: pd.DataFrame) -> list[tuple[str, int]]:
    """The models as the server named them in its answers, each with its number of answers, most frequent first."""
    counts = results["model_answered"].dropna().value_counts()
    return sorted(((str(name), int(count)) for name, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))


def _shown(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "incident_id": row["incident_id"],
        "narrative_type": row["narrative_type"],
        "confidence": None if pd.isna(row["confidence"]) else float(row["confidence"]),
        "p_detected": None if pd.isna(row["p_detected"]) else float(row["p_detected"]),
        "indicators": [str(indicator) for indicator in json.loads(row["indicators"])],
        "rationale": "" if pd.isna(row["rationale"]) else str(row["rationale"]),
        "narrative_text": str(row["narrative_text"]),
    }


def server_counts(entries: Iterable[Mapping[str, Any]]) -> list[ServerCount]:
    """What each of several servers did, by its address; none where a run had only one.

    In: entries of journals, of which those of several servers name theirs.
    """
    answered, errors, requests = Counter[str](), Counter[str](), Counter[str]()
    for entry in entries:
        if "server" in entry:
            (answered if "response" in entry else errors)[entry["server"]] += 1
            requests[entry["server"]] += entry["requests"]
    return [ServerCount(server, answered[server], errors[server], requests[server]) for server in sorted(requests)]
