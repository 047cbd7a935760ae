"""The titles of the numbers of a comparison; `{first}` and `{other}` stand for the experiments.

An indented title is a part of the one above it.
"""

from narrative_runs.data_columns import type_title

_SCOPE_TITLES = {"overall": "all narratives", "incident": "incidents"}
PAIR_COUNTS = {
    "n_only_first": "only in {first}",
    "n_only_other": "only in {other}",
    "n_other_text": "with another text",
    "n_error": "with an error",
    "n_compared": "compared",
    "both_detected": "  detected by both",
    "only_first_detected": "  only by {first}",
    "only_other_detected": "  only by {other}",
    "neither_detected": "  by neither",
    "n_other_label": "with another label",
    "n_labelled": "labelled",
    "both_right": "  right in both",
    "only_first_right": "  right only in {first}",
    "only_other_right": "  right only in {other}",
    "both_wrong": "  wrong in both",
}
VARIABLE_COUNTS = {
    "n_only_first": "only in {first}",
    "n_only_other": "only in {other}",
    "n_other_text": "with another text",
    "n_error": "with an error",
    "n_no_value": "without a value",
    "n_compared": "compared",
    "n_other_label": "with another label",
    "n_labelled": "labelled",
    "first_better": "  {first} is closer",
    "other_better": "  {other} is closer",
    "as_good": "  both as close",
}
LEVEL_TITLES = {"narrative": "narratives", "incident": "incidents"}


def scope_title(scope: str) -> str:
    """The scope of a measure in words: all narratives, those of a type, or incidents."""
    return _SCOPE_TITLES.get(scope) or type_title(scope)
