import re
from dataclasses import fields

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import (
    OUTCOME_COLUMNS,
    READ_COLUMNS,
    RECORD_COLUMNS,
    Kind,
    Part,
    columns_beside,
    columns_of,
    names_of,
    reserved_beside,
)
from narrative_runs.codebook.variables import Codebook
from narrative_runs.results import RESULT_COLUMNS, Result

ALL_TYPES = Codebook.model_validate(
    {
        "variables": {
            "violence": {"type": "binary", "confidence": True, "definition": "By a partner."},
            "weapon": {"type": "category", "values": ["gun", "knife"]},
            "severity": {"type": "ordinal", "values": ["none", "injury"], "confidence": True},
            "relations": {"type": "multi", "values": ["partner", "friend"]},
            "age": {"type": "number"},
            "evidence": {"type": "quote"},
            "summary": {"type": "text"},
            "signs": {"type": "text", "many": True},
        }
    }
)


def test_the_usual_question_has_the_columns_of_the_record() -> None:
    """Where the record has a column for each variable, there is no other column."""
    assert columns_beside(DEFAULT) == () and columns_of(DEFAULT) == RECORD_COLUMNS


def test_each_variable_has_its_columns() -> None:
    """A variable has a column of its values and one that says why there is none, a confidence where it is asked for, a
    probability where it has few values, and for passages those that are not in the text."""
    assert [(column.name, column.kind) for column in columns_beside(ALL_TYPES)] == [
        ("violence", Kind.LOGICAL),
        ("violence_confidence", Kind.FRACTION),
        ("p_violence", Kind.FRACTION),
        ("violence_missing", Kind.TEXT),
        ("weapon", Kind.TEXT),
        ("p_weapon", Kind.FRACTION),
        ("weapon_missing", Kind.TEXT),
        ("severity", Kind.TEXT),
        ("severity_confidence", Kind.FRACTION),
        ("severity_missing", Kind.TEXT),
        ("relations", Kind.LIST),
        ("relations_missing", Kind.TEXT),
        ("age", Kind.FRACTION),
        ("age_missing", Kind.TEXT),
        ("evidence", Kind.LIST),
        ("evidence_not_in_text", Kind.LIST),
        ("evidence_missing", Kind.TEXT),
        ("summary", Kind.TEXT),
        ("summary_missing", Kind.TEXT),
        ("signs", Kind.LIST),
        ("signs_missing", Kind.TEXT),
    ]


def test_a_variable_of_the_record_has_its_column_there() -> None:
    """Of `detected` only what the record has no column for stands beside it."""
    codebook = Codebook.model_validate({"variables": {"detected": {"type": "binary"}, "age": {"type": "number"}}})
    assert names_of(columns_beside(codebook)) == ["detected_missing", "age", "age_missing"]


def test_every_column_is_explained() -> None:
    """Each column has a meaning that is a sentence, and no two have one name."""
    columns = columns_of(ALL_TYPES)
    assert all(re.fullmatch(r"[A-Z].+\.", column.meaning) for column in columns)
    assert len(set(names_of(columns))) == len(columns)


def test_a_result_has_what_the_table_says() -> None:
    """The fields of a result are the columns that are read from a reply, in their order; the outcomes follow later."""
    assert (
        names_of(READ_COLUMNS) == list(RESULT_COLUMNS) == [each.name for each in fields(Result) if each.name != "coded"]
    )
    assert all(column.part is Part.OUTCOME for column in RECORD_COLUMNS if column.name in OUTCOME_COLUMNS)


def test_what_a_model_wrote_freely_stays() -> None:
    """Texts and passages are not among the columns that may leave the network; values of lists are."""
    free = {column.name for column in columns_beside(ALL_TYPES) if column.is_free_of_text}
    assert not free & {"evidence", "evidence_not_in_text", "summary", "signs"}
    assert {"violence", "weapon", "severity", "relations", "age", "summary_missing"} <= free


def test_the_workbooks_columns_give_way() -> None:
    """A column of the workbook that is called as one of ours gets another name."""
    assert {"weapon", "weapon_missing", "detected"} <= set(reserved_beside(ALL_TYPES))
    assert "weapon" not in reserved_beside(DEFAULT)
