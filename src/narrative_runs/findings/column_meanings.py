"""What the columns of results.xlsx mean, one sentence each, for its sheet `columns`."""

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import RECORD_COLUMNS, columns_beside
from narrative_runs.codebook.variables import Codebook

FROM_THE_WORKBOOK = "From the workbook, as it is there."

# In every sheet that has a row for a narrative.
OF_NARRATIVES = {
    **{column.name: column.meaning for column in RECORD_COLUMNS},
    "source_sheet": "The sheet of the workbook in which the narrative stands, where several sheets were read.",
    "disagreement": (
        "How answer and label differ: a false positive is a narrative with the answer yes and the label no, a false "
        "negative one with the answer no and the label yes."
    ),
    "reviewer_verdict": "Empty, for a reviewer's own verdict, such as positive, negative or unclear.",
    "reviewer_notes": "Empty, for a reviewer's notes.",
}

# In the sheets of variables, whatever their titles.
OF_VARIABLES = {
    "label": (
        "The narrative's own label of the variable, given by a person, as the answer would say it; empty where there "
        "is none, or where by the labels the variable does not apply."
    ),
    "answer": "The model's answer for the variable that the sheet is about; empty without one.",
    "incident_label": (
        "The incident's label of the variable: its own, or what the labels of all its narratives give; empty where "
        "there is none, or where by the labels the variable does not apply."
    ),
    "incident_answer": (
        "What the model's answers for the narratives of the incident give together; empty where they give none."
    ),
    "outcome": (
        "How answer and label of the narrative agree: false positive, false negative or wrong where they do not, true "
        "positive, true negative or right where they do, and else why they cannot be compared, such as no label or "
        "unclear."
    ),
    "incident_outcome": (
        "The same for the incident: where answer and label of an incident do not agree, all its narratives are listed."
    ),
}

# In one sheet alone, which is none of a variable.
OF_OTHER_SHEETS = {
    "results": {},
    "disagreements": {},
    "read_first": {
        "rank": "The place in the list, from 1: what to read first.",
        "why": (
            "Why to read it: the answer contradicts the label, the most certain ones first, or the model doubts its "
            "answer."
        ),
    },
    "metrics": {
        "scope": (
            "What is measured, by its name in metrics.json: experiment is the experiment as a whole, overall all "
            "narratives, by_type those of one type, and incident the incidents."
        ),
        "metric": (
            "The name of the count or rate, such as n (in overall: answers with a label), tp (true positives) or "
            "recall."
        ),
        "value": (
            "The count, rate or text itself: shares lie between 0 and 1, kappa and mcc between -1 and 1; empty where "
            "it is undefined; fractions are rounded here, with all digits in metrics.json."
        ),
        "low": "The lower end of the rate's 95% interval; empty where there is no interval, as for counts.",
        "high": "The upper end of the rate's 95% interval; empty where there is no interval, as for counts.",
    },
    "data_quality": {
        "name": (
            "The fact about the workbook or the answers, by its name in data_quality.json; behind a dot stands a part "
            "of it, such as a narrative type."
        ),
        "value": "The count, name or text that was found; a list stands in square brackets, and empty is none.",
    },
}


def meaning_of(sheet: str, column: str, codebook: Codebook = DEFAULT) -> str:
    """What a column of a sheet of results.xlsx means; one that is not ours is from the workbook."""
    of_sheet = OF_OTHER_SHEETS.get(sheet, OF_VARIABLES)
    of_variables = {beside.name: beside.meaning for beside in columns_beside(codebook)}
    return of_sheet.get(column) or OF_NARRATIVES.get(column) or of_variables.get(column, FROM_THE_WORKBOOK)
