from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest
from tests.coded_tables import CODEBOOK, case
from tests.result_tables import labelled_by_incident, table_at_random

from narrative_runs.findings.metrics import measure
from narrative_runs.findings.suppression import MASKED, masked_metrics
from narrative_runs.page.findings import of_record as record_findings
from narrative_runs.page.findings.sections import Findings, errors, matrices, sections, unseen
from narrative_runs.page.narrative_links import NarrativeLinks
from narrative_runs.page.tables import Cell, Section, Table
from narrative_runs.report.cells import rate


def findings(metrics: dict[str, Any], **known: Any) -> Findings:
    return Findings("cases", metrics, **known)


def cells(of: list[Section]) -> Iterator[tuple[Table, Cell]]:
    """Each cell of each table, parts of sections among them."""
    for section in of:
        for table in section.tables:
            yield from ((table, cell) for row in table.rows for cell in row)
        yield from cells(list(section.parts))


def leading(of: list[Section]) -> dict[tuple[tuple[str, str], ...], int]:
    """The counts that lead to narratives, by the filters of their addresses."""
    found = {}
    for _, cell in cells(of):
        if cell.address:
            parts = urlsplit(cell.address)
            assert parts.path == "/experiments/cases/narratives"
            found[tuple(sorted(parse_qsl(parts.query)))] = int(cell.words.split()[-1].replace(",", ""))
    return found


def grouped(results: pd.DataFrame) -> pd.DataFrame:
    """A group of each narrative's incident, with characters that an address must not hold as they are."""
    ids = results["incident_id"].astype(str)
    groups = ids.map({each: ["F & M", "50% <x>"][at % 2] for at, each in enumerate(sorted(ids.unique()))})
    return pd.DataFrame({"Sex?": groups.astype("string")}, index=results.index)


def test_each_count_of_a_matrix_leads_to_its_narratives() -> None:
    """The addresses under the cells of all narratives, each type, incidents and each group ask for exactly these, and
    each stands under the number of metrics.json."""
    results = table_at_random(80, 3)
    metrics = measure(results, "id", 1, grouped=grouped(results))
    found = leading(sections(findings(metrics)))
    scopes: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {
        (): metrics["overall"],
        (("level", "incident"),): metrics["incident"],
        **{(("type", kind),): scope for kind, scope in metrics["by_type"].items()},
        **{(("group.Sex?", name),): group for name, group in metrics["groups"]["Sex?"].items()},
    }
    for filters, scope in scopes.items():
        for cell in ("tp", "fp", "fn", "tn"):
            key = tuple(sorted((*filters, ("outcome", cell))))
            assert found.get(key, 0) == scope[cell], key
    assert sum(scope[cell] > 0 for scope in scopes.values() for cell in ("tp", "fp", "fn", "tn")) > 20


def test_incidents_are_compared_where_they_alone_have_labels() -> None:
    """Where no narrative has a label, the matrix of incidents stands alone, with the numbers of metrics.json and its
    links; where nothing has one, a sentence says so."""
    results = labelled_by_incident(table_at_random(80, 3))
    metrics = measure(results, "id", 1)
    section = matrices(findings(metrics))
    assert [table.caption for table in section.tables] == [f"Incidents, n = {metrics['incident']['n']}"]
    found = leading([section])
    for cell in ("tp", "fp", "fn", "tn"):
        assert found[("level", "incident"), ("outcome", cell)] == metrics["incident"][cell] > 0
    assert "Incidents alone have labels" in section.sentences[-1]
    nothing = matrices(findings(measure(results.assign(manual_flag=results["manual_flag_ind"]), "id", 1)))
    assert nothing.sentences == ["No labelled answers: nothing to compare with."] and not nothing.tables


def test_each_cell_of_a_variable_leads_to_its_narratives() -> None:
    """Of a binary variable the four outcomes, of others the label and the value are asked for, with its errors; texts
    have no matrix."""
    results, labels = case(60, 5)
    metrics = measure(results, "id", 1, codebook=CODEBOOK, labels=labels)
    found = leading(sections(findings(metrics, variables=dict(CODEBOOK.variables))))
    threat = metrics["variables"]["threat"]
    for cell in ("tp", "fp", "fn", "tn"):
        assert found.get((("outcome", cell), ("variable", "threat")), 0) == threat["narrative"][cell]
    confusion = metrics["variables"]["weapon"]["narrative"]["confusion"]
    for label, row in zip(confusion["values"], confusion["counts"], strict=True):
        for value, count in zip(confusion["values"], row, strict=True):
            assert found.get((("label", label), ("value", value), ("variable", "weapon")), 0) == count
    assert found[(("outcome", "error"), ("variable", "age"))] == metrics["variables"]["age"]["n_errors"] > 0
    assert not [key for key in found if ("variable", "summary") in key and key[0][0] == "label"]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_masked_leads_nowhere(seed: int) -> None:
    """With a limit, no cell that is masked has an address, and no count below the limit stands in a matrix."""
    results, labels = case(40, seed)
    grouped_by = grouped(results)
    metrics = measure(results, "id", 1, codebook=CODEBOOK, labels=labels, grouped=grouped_by)
    shown = findings(masked_metrics(metrics, 11, CODEBOOK), below=11, variables=dict(CODEBOOK.variables))
    of_page = sections(shown)
    assert any(MASKED in cell.words for _, cell in cells(of_page))
    assert not [cell for _, cell in cells(of_page) if MASKED in cell.words and cell.address]
    for table, cell in cells([matrices(shown)]):
        assert not cell.address or int(cell.words.split()[-1]) >= 11, table.caption
    assert "report.suppress_below" in " ".join(of_page[0].sentences)


def test_measures_without_what_was_seen_stand_beside_all() -> None:
    """Where narratives were seen before, each rate stands beside that of all others; with masking it is left out."""
    results = table_at_random(60, 1)
    metrics = measure(results, "id", 1)
    rest = measure(table_at_random(40, 2), "id", 1)
    of_rest = {"n_seen_narratives": 30, "n_seen_incidents": 20, "n_labelled": rest["n_labelled"]}
    of_rest |= {name: rest[name] for name in ("overall", "by_type", "incident")}
    section = unseen(findings({**metrics, "unseen": of_rest}))
    assert section.sentences[0].startswith("30 narratives of 20 incidents")
    (recall,) = [row for row in section.tables[0].rows if row[0].words.startswith("Recall")]
    assert [cell.words for cell in recall[1:]] == [
        rate(metrics["overall"]["recall"]),
        rate(rest["overall"]["recall"]),
    ]
    assert [table.caption for table in section.tables] == ["All narratives", "CME", "LE", "Incidents"]
    assert not unseen(findings({**metrics, "unseen": of_rest}, below=5)).sentences
    assert not unseen(findings(metrics)).sentences


def test_errors_add_up() -> None:
    """The last row has all errors, over all narratives and of each type."""
    by_type = {"cme": {"timeout": 2}, "le": {"timeout": 1, "unknown": 3}}
    (table,) = errors({"timeout": 3, "unknown": 3}, by_type, NarrativeLinks("cases")).tables
    assert [[cell.words for cell in row] for row in table.rows] == [
        ["timeout", "3", "2", "1"],
        ["unknown", "3", "0", "3"],
        ["All", "6", "2", "4"],
    ]
    assert table.rows[0][2].address == "/experiments/cases/narratives?outcome=error&error=timeout&type=cme"
    assert errors({}, {}, NarrativeLinks("cases")).sentences == ["No narrative is an error."]


def test_an_experiment_without_files_shows_its_row() -> None:
    """The counts and rates of the record's row are shown, as of one of the R system, with the ways to narratives; what
    it lacks is a dash, and with a limit labels and answers are left out."""
    row = {"n_narratives_total": 90, "n_true_positive": 7, "n_false_positive": 2, "accuracy": 0.875}
    of_page = record_findings.sections("6f1d", row, {"timeout": 4})
    words = {row[0].words: row[1].words for section in of_page for table in section.tables for row in table.rows}
    assert (words["Narratives"], words["True positives (TP)"], words["Accuracy"]) == ("90", "7", "0.88")
    assert (words["Detected"], words["F1"], words["timeout"]) == ("–", "undefined", "4")
    addresses = {cell.address for _, cell in cells(of_page) if cell.address}
    assert "/experiments/6f1d/narratives?outcome=tp" in addresses
    masked = record_findings.sections("6f1d", row, {"timeout": 4}, below=5)
    assert "7" not in {cell.words for _, cell in cells(masked)} and "4" in {cell.words for _, cell in cells(masked)}
