from typing import Any

import pytest

from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Variable
from narrative_runs.export.review import choices_of, review_sheet
from narrative_runs.export.sample import STRATA, sample
from narrative_runs.findings.tables import finish
from tests.result_tables import others_of, table_of

NARRATIVES: list[dict[str, Any]] = [
    {"detected": bool(number % 2), "manual_flag_ind": number // 2 % 2, "rationale": "Telling.", "p_detected": 0.25}
    for number in range(12)
]


def test_a_reviewer_sees_the_answer_the_weight_and_room_for_a_verdict() -> None:
    """Each row has its stratum, size and weight, what the model said, and two empty columns at its end."""
    sheet = review_sheet(sample(finish(table_of(*NARRATIVES)), 8, seed=1), blind=False)
    assert list(sheet.columns)[:3] == ["stratum", "stratum_size", "sampling_weight"]
    assert list(sheet.columns)[-2:] == ["reviewer_verdict", "reviewer_notes"]
    assert {"narrative_text", "detected", "confidence", "rationale", "manual_flag_ind"} <= set(sheet.columns)
    assert sheet[["reviewer_verdict", "reviewer_notes"]].isna().all(axis=None)


def test_a_blind_reviewer_sees_the_narrative_alone() -> None:
    """The same rows in the same order, without label, answer, rationale, stratum, or a number that tells one."""
    drawn = sample(finish(table_of(*NARRATIVES)), 8, seed=1)
    blind, seeing = review_sheet(drawn, blind=True), review_sheet(drawn, blind=False)
    assert list(blind["row_num"]) == list(seeing["row_num"])
    shown = blind.astype(str).to_csv()
    assert not [told for told in (*STRATA, "Telling.", "True", "False", "0.9", "0.25", "threat") if told in shown]
    assert "Text of narrative" in shown


def test_other_columns_of_the_workbook_stand_before_the_verdict() -> None:
    """A reviewer sees those that are given, blind or not, and no others."""
    results = finish(table_of(*NARRATIVES))
    drawn = sample(results.merge(others_of(results), on="row_num"), 8, seed=1)
    for blind in (True, False):
        sheet = review_sheet(drawn, blind, ["Sex", "Age"])
        assert list(sheet.columns)[-4:] == ["Sex", "Age", "reviewer_verdict", "reviewer_notes"]
        assert "Veteran" not in sheet


@pytest.mark.parametrize(
    ("variable", "choices"),
    [
        (Binary(), ["positive", "negative", "unclear"]),
        (Category(values={"gun": "", "rope": ""}), ["gun", "rope", "unclear"]),
        (Ordinal(values={"low": "", "unclear": ""}, unclear="error"), ["low", "unclear"]),
        (Category(values={"gun, any": "", "rope": ""}), []),
        (Category(values={'a "gun"': "", "rope": ""}), []),
        (Category(values={"g" * 124: "", "r" * 123: ""}), []),
        (Category(values={"g" * 123: "", "r" * 123: ""}), ["g" * 123, "r" * 123, "unclear"]),
        (Multi(values={"gun": "", "rope": ""}), []),
        (Number(), []),
    ],
)
def test_a_reviewer_chooses_among_the_values(variable: Variable, choices: list[str]) -> None:
    """The column to be filled in offers the values and `unclear`, where a list in a cell can hold them: no comma, no
    quotation mark, and 255 characters with the commas between them."""
    assert {name: list(each) for name, each in choices_of(variable).items()} == (
        {"reviewer_verdict": choices} if choices else {}
    )
