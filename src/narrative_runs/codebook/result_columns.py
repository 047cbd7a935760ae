"""The columns of a table of results: each declared once, with its type and its meaning, and made from the codebook.

The shards, results.parquet, results.csv, results.json, the workbook, the record, the report and the exports are all
made from this table. The columns of the R system, which every experiment has, come first; behind them stand those of
the variables for which the R system has none, and behind these the workbook's other columns, as they are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from narrative_runs.codebook.variables import (
    Binary,
    Category,
    Codebook,
    Multi,
    Number,
    Quote,
    Text,
    Variable,
    confidence_key,
    missing_column,
    not_in_text_column,
    probability_column,
)


class Kind(Enum):
    """What the values of a column are; any of them may be missing where the column is not needed."""

    TEXT = "text"
    LIST = "list"
    INTEGER = "integer"
    FRACTION = "fraction"
    LOGICAL = "logical"


class Part(Enum):
    """Where what stands in a column comes from."""

    WORKBOOK = "workbook"
    ANSWER = "answer"
    REPLY = "reply"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of a table of results.

    sql: its declaration in the record; is_needed: whether no row may lack it; follows_clock: whether it depends on when
    and how fast the model was asked, not on what it said; is_free_of_text: whether it may leave the network: neither a
    person nor a model wrote in it, and it tells of nobody.
    """

    name: str
    kind: Kind
    part: Part
    meaning: str
    sql: str = ""
    is_needed: bool = False
    follows_clock: bool = False
    is_free_of_text: bool = False


_TIME = "as YYYY-MM-DD HH:MM:SS, by the clock where it was asked."
_UNJUDGED = "FALSE elsewhere; empty without a label or an answer."
_ROUNDED = "rounded here, with all digits in results.parquet"
_SQL = {Kind.TEXT: "TEXT", Kind.LIST: "TEXT", Kind.INTEGER: "INTEGER", Kind.FRACTION: "REAL", Kind.LOGICAL: "INTEGER"}


def _column(name: str, kind: Kind, part: Part, meaning: str, *signs: str, sql: str = "") -> ResultColumn:
    return ResultColumn(
        name,
        kind,
        part,
        meaning,
        sql or _SQL[kind],
        is_needed="needed" in signs,
        follows_clock="clock" in signs,
        is_free_of_text="no text" in signs,
    )


# Of every experiment, in the order of the R system's table, and then ours.
RECORD_COLUMNS = (
    _column(
        "row_num",
        Kind.INTEGER,
        Part.WORKBOOK,
        "The number of the narrative, from 1, in the order of the workbook.",
        "needed",
    ),
    _column(
        "incident_id",
        Kind.TEXT,
        Part.WORKBOOK,
        "The id of the incident, which is a text: 0012 and 12 are two incidents.",
    ),
    _column(
        "narrative_type",
        Kind.TEXT,
        Part.WORKBOOK,
        "Which narrative of the incident it is, such as cme (coroner or medical examiner) or le (law enforcement).",
        "no text",
    ),
    _column("narrative_text", Kind.TEXT, Part.WORKBOOK, "The text of the narrative, about which the model was asked."),
    _column(
        "manual_flag_ind",
        Kind.INTEGER,
        Part.WORKBOOK,
        "The narrative's own label, given by a person: 1 for yes, 0 for no; empty where there is none.",
        "no text",
    ),
    _column(
        "manual_flag",
        Kind.INTEGER,
        Part.WORKBOOK,
        "The incident's label, given by a person: 1 for yes, 0 for no; empty where there is none; in a workbook with a "
        "row for each narrative and no labels of incidents, the highest label of the incident's narratives.",
        "no text",
    ),
    _column(
        "detected",
        Kind.LOGICAL,
        Part.ANSWER,
        "TRUE where the model's answer is yes, FALSE where it is no; empty where there is no answer.",
        "no text",
    ),
    _column(
        "confidence",
        Kind.FRACTION,
        Part.ANSWER,
        "How sure the model says it is of its answer, be it yes or no, from 0 to 1; empty where it gave no such "
        f"number; {_ROUNDED}.",
        "no text",
    ),
    _column(
        "indicators",
        Kind.LIST,
        Part.ANSWER,
        "What the model names as signs in the narrative, as a list in square brackets; [] where it names nothing or "
        "gave no answer.",
    ),
    _column(
        "rationale",
        Kind.TEXT,
        Part.ANSWER,
        "Why the model answered so, in its own words; empty where it gave no reason or no answer.",
    ),
    _column(
        "reasoning_steps",
        Kind.TEXT,
        Part.REPLY,
        "What the model thought before it answered; empty where the server tells no such thinking.",
    ),
    _column(
        "raw_response",
        Kind.TEXT,
        Part.REPLY,
        "All that the model wrote in its reply, without its thinking; the answer was read from it.",
    ),
    _column("response_sec", Kind.FRACTION, Part.REPLY, "How long the reply took, in seconds.", "clock"),
    _column("processed_at", Kind.TEXT, Part.REPLY, f"When the model was asked about the narrative, {_TIME}", "clock"),
    _column(
        "error_occurred",
        Kind.LOGICAL,
        Part.REPLY,
        "TRUE where the request or its answer failed for good, so that there is no answer and the row counts in no "
        "rate; FALSE elsewhere.",
        "needed",
        "no text",
        sql="INTEGER DEFAULT 0",
    ),
    _column("error_message", Kind.TEXT, Part.REPLY, "What went wrong, in words; empty without an error."),
    _column(
        "prompt_tokens",
        Kind.INTEGER,
        Part.REPLY,
        "The length of the question, prompt and narrative together, in tokens, as the server counts them; empty where "
        "it does not.",
        "no text",
    ),
    _column(
        "completion_tokens",
        Kind.INTEGER,
        Part.REPLY,
        "The length of the reply, thinking included, in tokens, as the server counts them; empty where it does not.",
        "no text",
    ),
    _column(
        "tokens_used",
        Kind.INTEGER,
        Part.REPLY,
        "The tokens of question and reply together; empty where the server does not count them.",
        "no text",
    ),
    _column(
        "is_true_positive",
        Kind.LOGICAL,
        Part.OUTCOME,
        f"TRUE where the model's answer is yes and so is the narrative's own label, {_UNJUDGED}",
        "no text",
    ),
    _column(
        "is_true_negative",
        Kind.LOGICAL,
        Part.OUTCOME,
        f"TRUE where the model's answer is no and so is the narrative's own label, {_UNJUDGED}",
        "no text",
    ),
    _column(
        "is_false_positive",
        Kind.LOGICAL,
        Part.OUTCOME,
        f"TRUE where the model's answer is yes but the narrative's own label is no, {_UNJUDGED}",
        "no text",
    ),
    _column(
        "is_false_negative",
        Kind.LOGICAL,
        Part.OUTCOME,
        f"TRUE where the model's answer is no but the narrative's own label is yes, {_UNJUDGED}",
        "no text",
    ),
    _column(
        "attempt_count",
        Kind.INTEGER,
        Part.REPLY,
        "In how many passes the narrative was asked about: 1, and one more for each time that errors were asked again; "
        "requests that were repeated within a pass are not counted.",
        "needed",
        "no text",
        sql="INTEGER DEFAULT 1",
    ),
    _column(
        "first_error_message",
        Kind.TEXT,
        Part.REPLY,
        "What went wrong in the first pass, in words, where the narrative was asked about again after an error; empty "
        "elsewhere.",
    ),
    _column(
        "last_attempt_at", Kind.TEXT, Part.REPLY, f"When the model was last asked about the narrative, {_TIME}", "clock"
    ),
    _column(
        "error_category",
        Kind.TEXT,
        Part.REPLY,
        "The kind of error: api_error (the server failed), rate_limit (too many requests), timeout (no answer in "
        "time), parse_error (the reply holds no answer), data_error (this text cannot be answered) or unknown; empty "
        "without an error.",
        "no text",
    ),
    _column(
        "p_detected",
        Kind.FRACTION,
        Part.ANSWER,
        "The probability of a yes against a no, from 0 to 1, that follows from the model's token probabilities; empty "
        f"where the server gives none; {_ROUNDED}.",
        "no text",
    ),
    _column(
        "model_answered",
        Kind.TEXT,
        Part.REPLY,
        "The name of the model that answered, as the server gives it; empty where it gives none.",
        "no text",
    ),
    _column(
        "fingerprint",
        Kind.TEXT,
        Part.REPLY,
        "A checksum of what was asked, by which the reply is found in the journal.",
    ),
    _column(
        "source_row",
        Kind.INTEGER,
        Part.WORKBOOK,
        "The row of the workbook in which the narrative stands, as a spreadsheet counts rows, header included; in a "
        "Parquet file they count from 1.",
    ),
)
RECORD_NAMES = tuple(column.name for column in RECORD_COLUMNS)
OUTCOME_COLUMNS = tuple(column.name for column in RECORD_COLUMNS if column.part is Part.OUTCOME)
# Those that a reply gives for its narrative: the outcomes follow from them, once all are there.
READ_COLUMNS = tuple(column for column in RECORD_COLUMNS if column.part is not Part.OUTCOME)
# What none of the workbook's other columns, and no variable, may be called: the columns of every file that they may
# stand in.
RESERVED = (
    *RECORD_NAMES,
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


def reserved_beside(codebook: Codebook) -> tuple[str, ...]:
    """What none of the workbook's other columns may be called in the results of an experiment with this codebook."""
    return (*RESERVED, *names_of(columns_beside(codebook)))


class VariableColumns(NamedTuple):
    """The names of a variable's columns, empty for those that it has not; probability: that of the record for the first
    binary variable."""

    variable: str
    missing: str
    confidence: str
    probability: str
    not_in_text: str


@lru_cache(maxsize=16)
def columns_by_variable(codebook: Codebook) -> tuple[VariableColumns, ...]:
    """The columns of each variable, in the order of the codebook; that of its values has its name."""
    first = codebook.first_binary
    return tuple(
        VariableColumns(
            name,
            missing_column(name),
            confidence_key(name) if variable.confidence else "",
            "p_detected"
            if name == first
            else probability_column(name)
            if isinstance(variable, Binary | Category)
            else "",
            not_in_text_column(name) if isinstance(variable, Quote) else "",
        )
        for name, variable in codebook.variables.items()
    )


@lru_cache(maxsize=16)
def columns_beside(codebook: Codebook) -> tuple[ResultColumn, ...]:
    """The columns of the variables, beside those of the record; none where the record has one for each variable."""
    if codebook.fits_the_record:
        return ()
    beside = (column for name, variable in codebook.variables.items() for column in _of_variable(name, variable))
    return tuple(column for column in beside if column.name not in RECORD_NAMES)


def columns_of(codebook: Codebook) -> tuple[ResultColumn, ...]:
    """All columns of the results of an experiment with this codebook, without the workbook's other ones."""
    return (*RECORD_COLUMNS, *columns_beside(codebook))


def names_of(columns: Iterable[ResultColumn]) -> list[str]:
    """The names of columns, in their order."""
    return [column.name for column in columns]


def _of_variable(name: str, variable: Variable) -> Iterator[ResultColumn]:
    yield _value_column(name, variable)
    if variable.confidence:
        yield _column(
            confidence_key(name),
            Kind.FRACTION,
            Part.ANSWER,
            f"How sure the model says it is of its value of {name}, from 0 to 1; empty where it gave no such number; "
            f"{_ROUNDED}.",
            "no text",
        )
    if isinstance(variable, Binary | Category):
        of_what = "a yes against a no" if isinstance(variable, Binary) else "the value against all others"
        yield _column(
            probability_column(name),
            Kind.FRACTION,
            Part.ANSWER,
            f"The probability of {of_what}, for {name}, from 0 to 1, that follows from the model's token "
            f"probabilities; empty where the server gives none; {_ROUNDED}.",
            "no text",
        )
    if isinstance(variable, Quote):
        yield _column(
            not_in_text_column(name),
            Kind.LIST,
            Part.ANSWER,
            f"Those passages of {name} that do not stand in the narrative, as a list; [] where all do.",
        )
    yield _column(
        missing_column(name),
        Kind.TEXT,
        Part.ANSWER,
        f"Why {name} has no value: unclear (the text does not tell), not asked (what it depends on is not met), or "
        "what is wrong with the answer; empty where it has one.",
        "no text",
    )


def _value_column(name: str, variable: Variable) -> ResultColumn:
    meaning = f"The model's answer for {name}" + (
        f" ({variable.definition.rstrip('.')})" if variable.definition else ""
    )
    match variable:
        case Binary():
            return _column(
                name, Kind.LOGICAL, Part.ANSWER, f"{meaning}: TRUE for yes, FALSE for no; empty without one.", "no text"
            )
        case Number():
            return _column(name, Kind.FRACTION, Part.ANSWER, f"{meaning}: a number; empty without one.", "no text")
        case Multi():
            return _column(
                name, Kind.LIST, Part.ANSWER, f"{meaning}: all values that apply, as a list; [] for none.", "no text"
            )
        case Quote():
            return _column(name, Kind.LIST, Part.ANSWER, f"{meaning}: passages of the narrative, as a list.")
        case Text():
            kind = Kind.LIST if variable.many else Kind.TEXT
            return _column(name, kind, Part.ANSWER, f"{meaning}, in the model's own words.")
        case _:
            return _column(name, Kind.TEXT, Part.ANSWER, f"{meaning}: one of its values; empty without one.", "no text")
