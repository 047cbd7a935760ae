"""The variables of a codebook on the whole page."""

import html
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case
from tests.html_elements import Elements
from tests.report.test_page import HOSTILE, params, quality
from tests.run_contexts import context_of

from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.metrics import measure
from narrative_runs.findings.suppression import MASKED, masked_metrics
from narrative_runs.params import check
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.cells import number, rate
from narrative_runs.report.contents import MOST_PASSAGES, PassagesNotInText, passages_not_in_text
from narrative_runs.report.header import header_of
from narrative_runs.report.page import Contents, Picture, page
from narrative_runs.report.variables import variable_findings

RATE = {"value", "low", "high"}
COLUMN = "Sex"


def measured(
    n_incidents: int = 150, seed: int = 1, names: tuple[str, str] = ("F", "M")
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Random answers with probabilities, and their metrics by group."""
    table, labels = case(n_incidents, seed)
    random = np.random.default_rng(seed)
    for column in ("p_weapon", "p_threat", "weapon_confidence"):
        table[column] = pd.array(random.random(len(table)).round(2), dtype="Float64")
    sex = np.where(table["incident_id"].astype("int64") % 2 == 0, *names)
    is_hit = (sex == names[0]) & (random.random(len(table)) < 0.3)
    table.loc[is_hit, "weapon"] = None
    table.loc[is_hit, "weapon_missing"] = "error: no such value"
    grouped = pd.DataFrame({COLUMN: sex}, index=table["row_num"].tolist(), dtype="string")
    return table, measure(table, "id", 1, codebook=CODEBOOK, labels=labels, grouped=grouped)


def page_of(
    metrics: dict[str, Any],
    below: int = 0,
    codebook: Codebook = CODEBOOK,
    passages: Mapping[str, list[PassagesNotInText]] | None = None,
) -> str:
    """The page of metrics of a codebook; passages: by variable those that do not stand in the text."""
    values = params(below=below).model_dump(mode="json", exclude_none=True) | {
        "codebook": codebook.model_dump(mode="json", exclude_none=True)
    }
    header = header_of(context_of(check(values, "the test"), experiment_id="id", source_md5="md5"), [])
    contents = Contents([], {}, [], [], None, [], [], passages or {})
    pictures = [Picture(name, caption, "A picture of nothing.", b"<svg/>") for name, caption in CAPTIONS.items()]
    return page(header, masked_metrics(metrics, below, codebook), quality(), contents, pictures)


def section(text: str, name: str) -> str:
    """One section of the page, by its id."""
    return text.partition(f'<section aria-labelledby="{name}">')[2].partition("</section>")[0]


def words(text: str) -> str:
    """The texts of a part of the page, in one line, each apart."""
    return " ".join(" ".join(Elements(text).texts).split())


@pytest.mark.slow
def test_groups_and_probabilities_have_their_tables() -> None:
    """Each variable has the main measure of each group and its share of errors, and the scores and the reliability of
    its probabilities, as metrics.json has them; that errors hit one group is said in a sentence."""
    _, metrics = measured()
    text = words(section(page_of(metrics), "variables"))
    for name, main in (("weapon", "macro_f1"), ("age", "within_tolerance"), ("evidence", "in_text")):
        for group in metrics["variables"][name]["groups"][COLUMN].values():
            assert rate(group["narrative"][main]) in text and rate(group["errors"]["rate"]) in text
            assert group["incident"] is None or rate(group["incident"][main]) in text
    for name, share in (("weapon", "right"), ("threat", "positive")):
        fit = metrics["variables"][name]["calibration"]["probability"]
        row = f"Token probability (p_{name}) {fit['n']} {fit['brier']:.2f} {fit['roc_auc']:.2f}"
        assert row in text
        for each in fit["reliability"]:
            assert f"{each['from']:.2f} to {each['to']:.2f} {number(each['mean_probability'])} {each['n']} " in text
            assert rate(each[share]) in text
    assert text.count("the highest threshold that still reaches a wanted recall") == 2
    assert "Errors of weapon hit Sex F more often than all others: " in text
    assert "Errors of age hit" not in text


@pytest.mark.slow
def test_the_page_of_a_codebook_can_be_read_without_eyes() -> None:
    """Nothing is left open, every table names its rows and columns, and no id stands twice."""
    table, metrics = measured()
    passages = {"evidence": passages_not_in_text(table, "evidence")}
    elements = Elements(page_of(metrics, passages=passages))
    assert not elements.open
    assert all(attributes.get("scope") in ("row", "col") for _, attributes in elements.all("th"))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    labels = [attributes["aria-labelledby"] for _, attributes in elements.found if "aria-labelledby" in attributes]
    assert len(ids) == len(set(ids)) and set(labels) <= set(ids)


@pytest.mark.slow
def test_passages_are_listed_only_where_narratives_may_be_shown() -> None:
    """The first passages that do not stand in the text are listed by row and incident where that is asked for; else
    their number stands there, and the column that has them."""
    table, metrics = measured(400)
    strangers = table[table["evidence_not_in_text"].fillna("[]") != "[]"].sort_values("row_num")
    assert len(strangers) == metrics["variables"]["evidence"]["n_with_passages_not_in_text"] > MOST_PASSAGES
    listed = passages_not_in_text(table.sample(frac=1, random_state=1), "evidence")
    assert [each.row_num for each in listed] == strangers["row_num"].head(MOST_PASSAGES).tolist()
    assert [each.passages for each in listed] == [
        json.loads(cell) for cell in strangers["evidence"].head(MOST_PASSAGES)
    ]
    sentence = f"Narratives with a passage that does not stand in the text: {len(strangers)} of "
    for passages in ({}, {"evidence": listed}):
        text = section(page_of(metrics, passages=passages), "variables")
        assert sentence in text and "<code>evidence_not_in_text</code>" in text
        assert text.count("<q>") == (MOST_PASSAGES if passages else 0)
        assert ("the first 25 narratives" in text) == bool(passages)


@pytest.mark.slow
def test_no_word_of_a_codebook_or_a_passage_becomes_markup() -> None:
    """Hostile names of groups, definitions, values and passages are shown as they are."""

    def elements(word: str) -> Elements:
        _, metrics = measured(40, names=(word, "M"))
        variables = deepcopy(CODEBOOK.model_dump(mode="json", exclude_none=True))
        variables["variables"]["detected"] |= {"definition": word, "label": word}
        passages = {"evidence": [PassagesNotInText(1, word, "cme", [word, word])]}
        return Elements(page_of(metrics, codebook=Codebook.model_validate(variables), passages=passages))

    harmless, hostile = elements("word"), elements(HOSTILE)
    assert [name for name, _ in hostile.found] == [name for name, _ in harmless.found]
    assert not hostile.open and not hostile.all("script")
    assert "".join(hostile.texts).count(HOSTILE) - "".join(harmless.texts).count(HOSTILE) >= 14


@pytest.mark.slow
def test_the_codebook_says_what_the_overview_does_not() -> None:
    """The table of the codebook has definition, values, conditions and labels, and no count."""
    text = page_of(measured(40)[1])
    assert words(section(text, "codebook")) == (
        "Codebook Variable Definition Values Only if Where the text does not tell Labels "
        "detected – yes, no – a finding of its own – weapon – low, middle, high – a finding of its own – "
        "severity – low, middle, high detected: yes a finding of its own – persons – low, middle, high – a finding of "
        "its own – age – – – a finding of its own – evidence – – – – – summary – – – – – "
        "threat – yes, no detected: yes a finding of its own –"
    )
    assert '<th scope="col">Measure</th>' in section(text, "variables") and "Against labels" not in text


def test_the_usual_question_written_out_has_its_page() -> None:
    """An experiment whose codebook asks the usual question has no part for variables, and its codebook has types."""
    usual = {"detected": {"type": "binary", "confidence": True, "unclear": "error", "label": {"cme": "A", "le": "B"}}}
    table, _ = case(20, 1)
    text = page_of(measure(table, "id", 1), codebook=Codebook.model_validate({"variables": usual}))
    assert not section(text, "variables")
    assert words(section(text, "codebook")).endswith("detected binary – yes, no – an error cme: A; le: B")


@pytest.mark.parametrize("masks_tables", [False, True])
@pytest.mark.slow
def test_what_is_masked_is_called_so(masks_tables: bool) -> None:
    """Where every number, rate or table of the variables is masked, the page shows no digit of them."""
    _, metrics = measured()
    variables = {name: masked(of_variable, masks_tables) for name, of_variable in metrics["variables"].items()}
    text = section(page_of(metrics | {"variables": variables}), "variables")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text, re.S)
    assert len(cells) > 100 and cells.count(MASKED) > 50
    assert not [cell for cell in cells if has_digits(html.unescape(cell))]
    assert "None stands out" in text
    for each in variable_findings(variables, CODEBOOK.variables):
        sentences = [each.values, each.labelled, each.measure, each.not_in_text, *each.warnings]
        sentences += [f"{level.title} {level.n}" for level in each.levels]
        assert not [sentence for sentence in sentences if has_digits(sentence)]


@pytest.mark.slow
def test_a_masked_page_has_its_variables() -> None:
    """With report.suppress_below the variables are on the page, with what is masked, and without curves."""
    text = section(page_of(measured(600)[1], below=11), "variables")
    assert text.count("<h3 id=") == 1 + len(CODEBOOK.variables) and text.count(MASKED) > 20
    assert "How far probabilities that the answer is right can be believed" in text
    assert "what was said, and how often it held" not in text and "wanted recall" not in text


def has_digits(text: str) -> bool:
    """Whether there is a digit in a text, but for that in the name of F1."""
    return any(character.isdigit() for character in text.replace("F1", ""))


def masked(value: Any, masks_tables: bool) -> Any:
    """A part of the metrics with each number and rate masked; masks_tables: and with whole tables masked as one."""
    if isinstance(value, dict):
        tables = ("distribution", "by_value", "confusion", "calibration", COLUMN)
        return (
            MASKED
            if set(value) == RATE
            else {
                key: MASKED if masks_tables and key in tables and each is not None else masked(each, masks_tables)
                for key, each in value.items()
            }
        )
    if isinstance(value, list):
        return [masked(each, masks_tables) for each in value]
    return MASKED if isinstance(value, int | float) and not isinstance(value, bool) else value
