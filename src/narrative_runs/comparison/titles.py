"""The titles of the numbers of a comparison, in the order in which they are shown.

`{first}` and `{other}` stand for the experiments. An indented title is a part of the one above it.
"""

from collections.abc import Iterator, Mapping

from narrative_runs.codebook.labels import INCIDENT
from narrative_runs.data_columns import type_title

_SCOPE_TITLES = {"overall": "all narratives", "incident": "incidents"}
PAIR_TITLES = {
    "n_only_first": "only in {first}",
    "n_only_other": "only in {other}",
    "n_other_text": "with another text",
    "n_error": "with an error",
    "n_compared": "compared",
    "both_detected": "  detected by both",
    "only_first_detected": "  only by {first}",
    "only_other_detected": "  only by {other}",
    "neither_detected": "  by neither",
    "kappa": "  kappa",
    "n_other_label": "with another label",
    "n_labelled": "labelled",
    "both_right": "  right in both",
    "only_first_right": "  right only in {first}",
    "only_other_right": "  right only in {other}",
    "both_wrong": "  wrong in both",
    "p_value": "  p (McNemar, exact)",
    "p_holm": "  p (Holm)",
}
VARIABLE_TITLES = {
    "n_only_first": "only in {first}",
    "n_only_other": "only in {other}",
    "n_other_text": "with another text",
    "n_error": "with an error",
    "n_no_value": "without a value",
    "n_compared": "compared",
    "same": "  with the same value",
    "n_other_label": "with another label",
    "n_labelled": "labelled",
    "first_better": "  {first} is closer",
    "other_better": "  {other} is closer",
    "as_good": "  both as close",
    "score": "  score",
    "difference": "  {first} is better by",
    "p_value": "  p (sign flips)",
    "p_holm": "  p (Holm)",
}
LEVEL_TITLES = {"narrative": "narratives", "incident": "incidents"}


def titled_fields(titles: Mapping[str, str], level: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(field of a test, title) of each row of a table of tests.

    titles: PAIR_TITLES or VARIABLE_TITLES; level: one of LEVEL_TITLES; names: of the experiments, `first` and `other`.
    """
    for field, title in titles.items():
        # An incident has the text of each of its narratives.
        is_of_texts = field == "n_other_text" and level == INCIDENT
        yield field, "with other texts" if is_of_texts else title.format(**names)


def scope_title(scope: str) -> str:
    """The scope of a measure in words: all narratives, those of a type, or incidents."""
    return _SCOPE_TITLES.get(scope) or type_title(scope)
