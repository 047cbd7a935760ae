import pytest

from narrative_runs.codebook.variables import Binary, Category, Multi, Number, Ordinal, Variable
from narrative_runs.reviews.sheet import choices_of


@pytest.mark.parametrize(
    ("variable", "choices"),
    [
        (Binary(), []),
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
    """The column of verdicts offers the values and `unclear`, where a list in a cell can hold them: no comma, no
    quotation mark, and 255 characters with the commas between them; and none where people type yes and no in many
    ways."""
    assert {name: list(each) for name, each in choices_of(variable).items()} == (
        {"reviewer_verdict": choices} if choices else {}
    )
