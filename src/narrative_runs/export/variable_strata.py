"""By what a sample for the review of one variable is drawn: its outcome, and where there is none, the answer."""

import pandas as pd

from narrative_runs.codebook.variables import (
    NO,
    YES,
    Binary,
    Category,
    Ordinal,
    Quote,
    Text,
    Variable,
    not_in_text_column,
)
from narrative_runs.export.sample import OUTCOME_STRATA, Strata
from narrative_runs.findings.by_variable.outcomes import NO_LABEL, RIGHT, UNCLEAR, WRONG
from narrative_runs.variable_outcomes import OF_INCIDENT

UNLABELLED, ANSWERED = "unlabelled", "answered"
ALL_IN_TEXT, SOME_NOT_IN_TEXT = "all in the text", "some not in the text"


def by_variable(name: str, variable: Variable, results: pd.DataFrame, outcome: pd.Series) -> Strata:
    """The strata of one variable. Errors, and narratives that were not asked, are in none.

    In: one row a narrative, with the variable's columns; the outcome of each in words, as `narrative_outcomes` gives
    it, by the same index.
    """
    has_no_outcome = outcome == NO_LABEL
    if isinstance(variable, Text):
        return Strata([ANSWERED], _word(has_no_outcome, ANSWERED))
    if isinstance(variable, Quote):
        all_stand = results[not_in_text_column(name)].fillna("[]") == "[]"
        passages = _word(has_no_outcome, SOME_NOT_IN_TEXT).mask(has_no_outcome & all_stand, ALL_IN_TEXT)
        return Strata([ALL_IN_TEXT, SOME_NOT_IN_TEXT], passages)
    names, unlabelled, unclear = [RIGHT, WRONG], [UNLABELLED], [UNCLEAR]
    of_answers = _word(has_no_outcome, UNLABELLED)
    if isinstance(variable, Binary):
        names, unclear = list(OUTCOME_STRATA), []
    if isinstance(variable, Binary | Category | Ordinal):
        values = results[name].map({True: YES, False: NO}) if isinstance(variable, Binary) else results[name]
        unlabelled = [f"{UNLABELLED}: {value}" for value in variable.value_names]
        of_answers = f"{UNLABELLED}: " + values.astype("string")
    of_incidents = sorted({word for word in outcome if word.startswith(OF_INCIDENT)})
    names += [*unlabelled, *of_incidents, *unclear]
    stratum = outcome.astype("string").mask(has_no_outcome, of_answers)
    return Strata(names, stratum.where(stratum.isin(names)))


def _word(rows: pd.Series, word: str) -> pd.Series:
    return pd.Series(pd.NA, index=rows.index, dtype="string").mask(rows, word)
