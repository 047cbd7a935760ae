import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.html_elements import Elements
from tests.result_tables import table_at_random
from tests.run_contexts import context_of

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.read_first import read_first
from narrative_runs.findings.suppression import masked_metrics, masked_quality
from narrative_runs.findings.tables import finish
from narrative_runs.jobs.report import drawn
from narrative_runs.params import Params, check
from narrative_runs.report import contents
from narrative_runs.report.canvas import style
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.cells import rate
from narrative_runs.report.contents import ServerCount
from narrative_runs.report.header import ReportHeader, header_of
from narrative_runs.report.page import Contents, Picture, page

ResultTable = Callable[..., pd.DataFrame]

HOSTILE = (
    "\"'></title></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}&lt;\u202e"
)
# What a page does with figures does not hang on what they show, and drawing takes longer than all else.
NOT_DRAWN = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def params(word: str = "word", below: int = 0) -> Params:
    """Params in which every text is the word."""
    return check(
        {
            "experiment": {"name": word, "author": word, "notes": word, "slug": "cases"},
            "model": {"name": word, "provider": word, "api_url": "http://127.0.0.1:1/v1", "extra_body": {word: word}},
            "prompt": {"version": word, "system_prompt": word, "user_template": f"{word}<<TEXT>>"},
            "data": {"file": f"data/{word.replace('/', '')}.xlsx"},
            "report": {"suppress_below": below},
        },
        "the test",
    )


def quality(word: str = "word", types: Sequence[str] = ("cme", "le")) -> dict[str, Any]:
    """What data_quality.json of the first release holds of a workbook with this name and sheet."""
    counts = {"total": len(types) * 111, **dict.fromkeys(types, 111)}
    return {
        "file": word,
        "md5": "ab" * 16,
        "layout": word,
        "sheet": word,
        "rows_read": 2,
        "rows_empty": 0,
        "narratives": counts,
        "labelled": counts,
        "positive": counts,
        "blanks_skipped": counts,
        "duplicates_dropped": {"total": 1, "ids": [[word, word]]},
        "without_id": {"total": 0, "rows": []},
        "odd_labels": {"total": 0, "examples": []},
    }


def header(word: str = "word", below: int = 0) -> ReportHeader:
    """The header of an experiment of one session in which every text is the word."""
    told = {"session": 1, "session_began_at": word, "software_version": word, "git_commit": word}
    return header_of(context_of(params(word, below), experiment_id=word, source_md5=word), [told])


def report_of(
    results: pd.DataFrame,
    word: str = "word",
    shows_narratives: bool = False,
    types: Sequence[str] = ("cme", "le"),
    below: int = 0,
    grouped: pd.DataFrame | None = None,
    **known: Any,
) -> str:
    """The page on a table of results; known: what later releases know of its workbook."""
    finished = finish(results)
    metrics = masked_metrics(measure(results, "id", 1, types, grouped=grouped), below)
    with style():
        pictures = [
            Picture(name, CAPTIONS[name], drawing.words, NOT_DRAWN)
            for name, drawing in drawn(metrics, finished, finished["response_sec"], below).items()
        ]
    told = Contents(
        models=contents.models_answered(finished),
        errors=contents.error_counts(finished),
        indicators=contents.indicator_counts(
            finished, max(below, 1 if shows_narratives else contents.FEWEST_ROWS), below
        ),
        read_first=None if below else contents.to_read_first(finished, shows_narratives),
        wrong_answers=contents.wrong_answers(finished) if shows_narratives else None,
        servers=[] if below else [ServerCount(f"http://{word}/v1", 8, 2, 13)],
        error_patterns=[] if below else [f"12 of 13 errors came from the server {word}: put it right with `{word}`"],
        passages_not_in_text={},
    )
    found = masked_quality(quality(word, types) | known, below, metrics)
    return page(header(word, below), metrics, found, told, pictures)


@pytest.mark.slow
def test_no_word_from_outside_becomes_markup(result_table: ResultTable) -> None:
    """Hostile texts in every place make the same elements and attributes as harmless ones, and are shown as they
    are."""

    def elements(word: str) -> Elements:
        wrong = {
            "detected": True,
            "manual_flag_ind": 0,
            "incident_id": word,
            "narrative_text": word,
            "rationale": word,
            "indicators": json.dumps([word]),
            "model_answered": word,
        }
        unread = [{"name": word, "hidden": True, "layout": word}]
        cells = [{"column": word, "problem": word, "total": 1, "cells": [word]}]
        placeholders = {"handling": "ask", "total": 1, "examples": [{"text": word, "count": 1, "cell": word}]}
        known: dict[str, Any] = {"sheets_unread": unread, "unreadable_cells": cells, "placeholders": placeholders}
        return Elements(report_of(result_table(wrong), word, shows_narratives=True, **known))

    harmless, hostile = elements("word"), elements(HOSTILE)
    assert [(name, list(attributes)) for name, attributes in hostile.found] == [
        (name, list(attributes)) for name, attributes in harmless.found
    ]
    assert not hostile.open and not hostile.all("script", "iframe", "object", "form", "link")
    assert "".join(hostile.texts).count(HOSTILE) >= 19


@pytest.mark.parametrize("shows_narratives", [False, True])
@pytest.mark.slow
def test_narratives_are_shown_only_where_asked_for(random_results: ResultTable, shows_narratives: bool) -> None:
    """By default no text, rationale, id or rare indicator is on the page; else those of the wrong answers, with a
    warning."""
    results = random_results(60, seed=3)
    numbers = results["row_num"].astype(str)
    results = results.assign(
        narrative_text="Secret story " + numbers + ".",
        rationale="Secret reason " + numbers + ".",
        incident_id="id-" + results["incident_id"],
        indicators='["secret words ' + numbers + '"]',
    )
    results.loc[results["detected"].isna(), "indicators"] = "[]"
    text = report_of(results, shows_narratives=shows_narratives)
    shown = set(re.findall(r"Secret story (\d+)\.", text))
    finished = finish(results)
    wrong = finished[finished["is_false_positive"].fillna(False) | finished["is_false_negative"].fillna(False)]
    assert shown == (set(wrong["row_num"].astype(str)) if shows_narratives else set())
    assert len(shown) == text.count("Secret reason")
    assert ("This report shows narratives" in text) == shows_narratives
    assert (re.search("secret|id-[0-9]", text, re.I) is not None) == shows_narratives


@pytest.mark.slow
def test_the_published_example(result_table: ResultTable) -> None:
    """Counts, precision, recall and F1 of the page are those that one confusion matrix gives, with their intervals."""
    kinds = [(1, True)] * 42 + [(0, True)] * 14 + [(1, False)] * 6 + [(0, False)] * 338
    results = result_table(*({"manual_flag_ind": label, "detected": found} for label, found in kinds))
    overall = measure(results, "id", seed=1)["overall"]
    text = report_of(results)
    for name, value in (("precision", "0.75 ("), ("recall", "0.88 ("), ("f1", "0.81 (")):
        assert rate(overall[name]).startswith(value)
        assert rate(overall[name]) in text


@pytest.mark.slow
def test_what_is_undefined_is_called_so(result_table: ResultTable) -> None:
    """Without labels, and without a single row, rates are undefined: never 0, None or NaN."""
    for results in (result_table({"detected": True}, {"detected": False}), result_table()):
        text = "".join(Elements(report_of(results)).texts).partition("Skip to")[2]
        assert text.count("undefined") >= 28
        assert not re.search(r"\b(nan|NaN|None)\b", text)


@pytest.mark.slow
def test_the_page_needs_nothing_and_may_do_nothing(random_results: ResultTable) -> None:
    """All images are in the page, nothing is linked but its own parts, and its policy allows its own style alone."""
    text = report_of(random_results(30, seed=4))
    elements = Elements(text)
    for _, attributes in elements.found:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/svg+xml;base64,"))
    (css,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert "url(" not in css and "@import" not in css
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = next(each["content"] for _, each in elements.all("meta") if each.get("http-equiv"))
    assert policy is not None
    assert set(policy.split("; ")) == {
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    }


@pytest.mark.parametrize("shows_narratives", [False, True])
@pytest.mark.slow
def test_the_page_can_be_read_without_eyes(random_results: ResultTable, shows_narratives: bool) -> None:
    """Headings come in order, tables name rows and columns, figures are told in words, and every reference leads
    somewhere."""
    elements = Elements(report_of(random_results(50, seed=5), shows_narratives=shows_narratives))
    levels = [int(name[1]) for name, _ in elements.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    headers = [attributes for _, attributes in elements.all("th")]
    assert headers and all(attributes.get("scope") in ("row", "col") for attributes in headers)
    pictures = [attributes for _, attributes in elements.all("img")]
    assert len(pictures) == len(CAPTIONS) and all(len(each["alt"] or "") > 20 for each in pictures)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes.get("href") or "" for _, attributes in elements.all("a")]
    assert targets[0] == "#summary"
    labels = [attributes["aria-labelledby"] for _, attributes in elements.found if "aria-labelledby" in attributes]
    assert {*labels, *(target.removeprefix("#") for target in targets)} <= set(ids)


@pytest.mark.parametrize("types", [("examiner",), ("examiner", "police"), ("cme", "le", "toxicology")])
@pytest.mark.slow
def test_any_number_of_narrative_types_has_its_page(types: tuple[str, ...]) -> None:
    """Each type has its column of counts and of rates; agreement is there for two, and nobody else's type is named."""
    text = report_of(table_at_random(40, 2, types), types=types)
    columns = re.findall(r'<th scope="col" class="n">([^<]*)</th>', text)
    titles = [kind.upper() if kind in ("cme", "le") else kind for kind in types]
    assert columns[: 2 + len(types)] == ["All narratives", *titles, "Incidents"]
    assert columns[-1 - len(types) :] == ["All", *titles]
    assert text.count('<td class="n">111</td>') == 4 * len(types) + (4 if len(types) == 1 else 0)
    words = " ".join("".join(Elements(text).texts).split())
    assert ("Agreement of examiner and police" in words) == (len(types) == 2) == ('href="#agreed"' in text)
    assert ("CME" in words) == ("cme" in types)
    told = re.search(r"Incidents: 40(.*?)\.", words)
    assert told is not None
    assert [title in told[1] for title in titles] == [len(types) > 1] * len(types)


@pytest.mark.slow
def test_what_is_known_of_the_workbook_is_told(result_table: ResultTable) -> None:
    """What a reader should know of it has its own part of the page, where there is anything to know."""
    text = report_of(result_table({"detected": True}), probably_cut={"total": 1, "cells": ["C5"]})
    assert "The workbook</h3>" in text and "probably lost the rest: C5." in text
    assert "The workbook</h3>" not in report_of(result_table({"detected": True}), sheet=None)


def test_the_prompt_stands_there_in_full(result_table: ResultTable) -> None:
    """Both prompts are shown as they are, with the warning that they may quote cases."""
    text = "".join(Elements(report_of(result_table({"detected": True}), "Line one\n  line two\n")).texts)
    assert "Line one\n  line two\n<<TEXT>>" in text
    assert "If its examples quote real cases" in text


@pytest.mark.slow
def test_thresholds_are_shown_with_token_probabilities(random_results: ResultTable) -> None:
    """The table of thresholds is on the page where there is p_detected, and only there."""
    results = random_results(40, seed=6)
    assert "Thresholds of p_detected" in report_of(results)
    assert "Thresholds of p_detected" not in report_of(results.assign(p_detected=None))


def test_what_to_cite_is_a_whole_sentence(result_table: ResultTable) -> None:
    """Software, model, temperature, seed, prompt, source and experiment stand in one sentence that can be copied."""
    results = result_table({"detected": True, "model_answered": "answering"})
    text = " ".join("".join(Elements(report_of(results)).texts).split())
    assert (
        "Narratives were classified with narrative-runs word (commit word) and the model answering (asked for as "
        "word), temperature 0.0, seed 42, prompt word by word, on word. "
        "Source: data/word.xlsx, MD5 word; experiment word."
    ) in text


@pytest.mark.slow
def test_the_page_opens_with_sentences_that_can_be_quoted(result_table: ResultTable) -> None:
    """Who classified how much, when, and how right it is, with intervals, stand before all else."""
    kinds = [(1, True)] * 42 + [(0, True)] * 14 + [(1, False)] * 6 + [(0, False)] * 338
    results = result_table(*({"manual_flag_ind": label, "detected": found} for label, found in kinds))
    words = " ".join("".join(Elements(report_of(results)).texts).split())
    summary = words.partition("Summary Findings")[2].partition(" Summary ")[2].partition(" Findings ")[0]
    assert "classified 400 narratives of 400 incidents on word." in summary
    assert "of 400 labelled narratives, 48 of them positive, recall is 0.88 (0.75 to 0.94), precision 0.75" in summary
    assert "how many of them are right is not known" in report_of(result_table({"detected": True}))


@pytest.mark.slow
def test_what_to_read_first_is_listed_without_ids() -> None:
    """The most certain contradictions of a label are listed by row; incidents only where narratives may be shown."""
    results = table_at_random(60, seed=3).assign(incident_id="id-7")
    results["incident_id"] = "id-" + results["row_num"].astype("string")
    first = read_first(finish(results))["row_num"].tolist()
    for shows in (False, True):
        text = report_of(results, shows_narratives=shows).partition('id="first"')[2].partition("</section>")[0]
        assert re.findall(r'<th scope="row" class="n">(\d+)</th>', text) == [str(number) for number in first]
        assert ("id-" in text) == shows


@pytest.mark.slow
def test_groups_have_their_tables() -> None:
    """Each group has a row of narratives and one of incidents; what is small has a star; hostile names are texts."""
    results = table_at_random(40, seed=4)
    is_even = results["incident_id"].astype("int64") % 2 == 0
    grouped = pd.DataFrame({"S<b>x": np.where(is_even, "<i>", "M")}, index=results["row_num"].to_numpy())
    elements = Elements(report_of(results, grouped=grouped))
    assert not elements.all("i", "b")
    assert elements.texts.count("S<b>x") == 4
    assert (elements.texts.count("<i> *"), elements.texts.count("<i>")) == (1, 2)
    assert "Groups" not in report_of(results)


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.slow
def test_a_masked_page_shows_no_small_count(seed: int) -> None:
    """With report.suppress_below no cell of a table of people is a count below it, and no curve, threshold or single
    answer is there; the page says so."""
    results = table_at_random(1_200, seed)
    is_rare = results["incident_id"].astype("int64") % 100 == 0
    grouped = pd.DataFrame({"Sex": np.where(is_rare, "F", "M")}, index=results["row_num"].to_numpy())
    text = report_of(results, below=15, grouped=grouped)
    people = [text.partition(f'id="{name}"')[2].partition("</section>")[0] for name in ("findings", "groups", "agreed")]
    counts = [int(number) for part in people for number in re.findall(r'<td class="n">(\d+)</td>', part)]
    # Of refusals there is none at all: both groups say so.
    assert len(counts) > 10 and [number for number in counts if number < 15] == [0, 0]
    assert text.count("masked") > 30 and "Counts below 15 are masked" in text
    assert "Thresholds of p_detected" not in text and "Not listed: single answers" in text
    assert text.count("Not drawn: it would show counts") >= 3
