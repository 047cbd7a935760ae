import pandas as pd

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.answers_by_variable import counts_by_variable

CODEBOOK = Codebook.model_validate(
    {"variables": {"weapon": {"type": "category", "values": ["gun", "knife"]}, "evidence": {"type": "quote"}}}
)


def test_every_narrative_counts_once_for_each_variable() -> None:
    """Answered, unclear, not asked and errors add up to all narratives; passages that are not in the text are
    counted by narrative."""
    results = pd.DataFrame(
        {
            "weapon_missing": pd.array([None, "unclear", "not asked", "error: no answer", None], "string"),
            "evidence_missing": pd.array([None, None, None, "error: no answer", None], "string"),
            "evidence_not_in_text": pd.array(["[]", '["a", "b"]', "[]", None, '["c"]'], "string"),
        }
    )
    counts = counts_by_variable(results, CODEBOOK)
    assert counts == {
        "weapon": {"n_answered": 2, "n_unclear": 1, "n_not_asked": 1, "n_errors": 1},
        "evidence": {
            "n_answered": 4,
            "n_unclear": 0,
            "n_not_asked": 0,
            "n_errors": 1,
            "n_with_passages_not_in_text": 2,
        },
    }
