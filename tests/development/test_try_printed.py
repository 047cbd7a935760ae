import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from narrative_runs.development.configuration import Answered, Sample
from narrative_runs.development.measured import tried
from narrative_runs.development.printed import PrintedTry, print_shown, print_try
from narrative_runs.plain_console import PlainConsole
from tests.comparison.coded_finished import labels_of_incidents_alone
from tests.development.made_tries import configuration, results_of, sample_of, tries
from tests.result_tables import table_of

HOSTILE = "a\x1b[2J\x9b31m\u202e[bold]"


def printed(sample: Sample, answered: Sequence[Answered], console: Console | None = None) -> str:
    """All that is printed of a try, on 80 columns."""
    console = console or PlainConsole(width=80, highlight=False)
    with console.capture() as capture:
        PrintedTry([each.configuration for each in answered], console).show(
            tried(sample, answered), sample.n_in_workbook
        )
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3], [1, 2, 3, 4, 5, 6]])
@pytest.mark.slow
def test_all_of_a_try_can_be_read_on_80_columns(seeds: list[int]) -> None:
    """With any number of configurations and all types of variables no line is longer, no interval is broken, and no
    text of a narrative is shown."""
    sample, answered, _, _ = tries(40, seeds)
    text = printed(sample, answered)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("[") == text.count("]") > 10 * len(seeds)
    intervals = re.findall(r"\[[^\]]*\]", re.sub(r'\["[^\]]*\]|\[\]', "", text))
    assert all(re.fullmatch(r"\[[<>]?-?[\d.]+ [<>]?-?[\d.]+\]", each) for each in intervals) and len(intervals) > 9
    assert all(narrative.narrative_text not in text for narrative in sample.narratives)


def test_each_difference_is_read_in_words() -> None:
    """A difference that may be chance is called so, and one that is more says so; what it is, is explained once."""
    rows = [{"manual_flag_ind": number % 2, "detected": number % 2 == 1} for number in range(40)]
    right = table_of(*rows)
    tables = {
        "right": right,
        "nearly": right.assign(detected=right["detected"].where(right.index != 3, False)),
        "wrong": right.assign(detected=~right["detected"]),
    }
    answered = [Answered(configuration(name, None), results_of(table, None)) for name, table in tables.items()]
    lines = printed(sample_of(right), answered).splitlines()
    verdicts = {line.split()[0]: line for line in lines if line.endswith("chance")}
    assert verdicts["B"].endswith("1.000 may be chance") and verdicts["C"].endswith("<.001 more than chance")
    assert "better by" in " ".join(lines) and "were both" in " ".join(lines)
    assert "-.03 [" in verdicts["B"] and "-1.00 [" in verdicts["C"]


@pytest.mark.slow
def test_narratives_that_differ_are_listed_and_the_rest_counted() -> None:
    """The first rows are listed with their label and each one's value; how many more there are is said."""
    rows = [{"manual_flag_ind": number % 2, "detected": False} for number in range(30)]
    first = table_of(*rows)
    other = first.assign(detected=[number < 23 for number in range(30)])
    answered = [
        Answered(configuration(name, None), results_of(table, None)) for name, table in (("a", first), ("b", other))
    ]
    text = printed(sample_of(first), answered)
    assert "Where they differ: 23 narratives" in text and "… and 3 more; --csv FOLDER writes all." in text
    assert re.search(r"^2 +cme +detected yes +no +yes$", text, re.M)
    assert "No narrative has different values." in printed(sample_of(first), [answered[0], answered[0]])


def test_tokens_and_cost_are_shown_where_they_are_known() -> None:
    """With prices there is a cost of the sample and of the whole workbook, never 0 where it is not; where the server
    does not count, it says so."""
    table = table_of({"prompt_tokens": 1_000, "completion_tokens": 200, "manual_flag_ind": 1})
    priced = configuration("a", None, price_per_million_prompt_tokens=1_000.0)
    text = printed(sample_of(table, n_in_workbook=50), [Answered(priced, results_of(table, None))])
    assert re.search(r"^A +1,000 +200 +1\.5 +60,000 +1\.00 +50\.00$", text, re.M)
    cheap = configuration("a", None, price_per_million_completion_tokens=1.0)
    text = printed(sample_of(table, n_in_workbook=50), [Answered(cheap, results_of(table, None))])
    assert re.search(r"^A +1,000 +200 +1\.5 +60,000 +<0\.01 +0\.01$", text, re.M)
    uncounted = table_of({"manual_flag_ind": 1})
    text = printed(sample_of(uncounted), [Answered(configuration("a", None), results_of(uncounted, None))])
    assert "does not count tokens" in text and "cost" not in text


def test_no_name_or_id_steers_the_terminal() -> None:
    """Control sequences and markup in names, models and ids are written out."""
    rows = [{"incident_id": f"{number}{HOSTILE}", "manual_flag_ind": 1, "detected": False} for number in range(3)]
    first = table_of(*rows)
    answered = [
        Answered(replace(configuration(HOSTILE, None), name=HOSTILE), results_of(table, None))
        for table in (first, first.assign(detected=True))
    ]
    text = printed(sample_of(first), answered, PlainConsole(width=300, highlight=False))
    assert all(mark >= " " or mark == "\n" for mark in text) and not {"\x7f", "\x9b", "\u202e"} & {*text}
    assert "[bold]" in text and "\\u001b[2J" in text


def test_shown_narratives_stand_with_answer_label_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """Each narrative is shown in the order of the sample with its text, answer, label and reasons; one that is wrong is
    called so in its title and at its answer, and the agreement so far stands at the end."""
    rows = [
        {"incident_id": "7", "narrative_text": "He shot her.", "manual_flag_ind": 1, "detected": False},
        {"incident_id": "8", "narrative_text": "She fell.", "manual_flag_ind": 0, "detected": False},
        {"incident_id": "9", "narrative_text": "Nobody knows.", "detected": True},
        {"incident_id": "10", "narrative_text": "A gun.", "manual_flag_ind": 1, "detected": None},
    ]
    table = table_of(*rows).iloc[[1, 0, 2, 3]].reset_index(drop=True)
    print_shown(sample_of(table), Answered(configuration("a", None), results_of(table, None)))
    text = capsys.readouterr().out
    titles = [line for line in text.splitlines() if " of 4" in line]
    assert titles == ["1 of 4, 8 CME", "2 of 4 (WRONG: detected), 7 CME", "3 of 4, 9 CME", "4 of 4, 10 CME"]
    assert "outcome     WRONG (false negative)" in text and "answer      error (timeout): no answer" in text
    assert re.search("She fell.+He shot her.+label +positive.+- threat.+Because.+Nobody knows.+A gun", text, re.S)
    assert "  detected  1 of 2 narratives right: 0.50 (" in text


def test_each_variable_of_a_codebook_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """With a codebook every variable stands with its value, its label, and whether it is right."""
    sample, answered, tables, labels = tries(12, [3])
    print_shown(sample, answered[0])
    text = capsys.readouterr().out
    cells = tables[0]["weapon"].fillna("")
    n_wrong = sum(bool(one and two) and one != two for one, two in zip(labels["weapon"].narrative, cells, strict=True))
    shown = re.findall(r"^  weapon +(\w+); label (\w+); (right|WRONG)", text, re.M)
    assert [value == given for value, given, _ in shown] == [word == "right" for *_, word in shown]
    assert sum(word == "WRONG" for *_, word in shown) == n_wrong > 0
    assert sum("WRONG" in line and "weapon" in line for line in text.splitlines() if " of " in line) == n_wrong
    assert text.count("  persons ") == len(tables[0]) + 1


@pytest.mark.slow
def test_labels_of_incidents_are_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the workbook labels incidents alone, label and outcome are those of the incident."""
    sample, answered, tables, labels = tries(12, [3])
    of_incidents = labels_of_incidents_alone(labels, tables[0])
    print_shown(sample, replace(answered[0], labels=of_incidents))
    text = capsys.readouterr().out
    assert re.search(r"^  weapon +\w+; label \w+ \(of the incident\); (right|WRONG)", text, re.M)
    assert re.search(r"^  weapon +\d+ of \d+ incidents right: ", text, re.M)


def test_no_text_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control sequences in narratives, ids and reasons are written out."""
    row = dict.fromkeys(("incident_id", "narrative_text", "rationale"), HOSTILE)
    table = table_of({**row, "indicators": f'["{HOSTILE[3:]}"]'})
    print_shown(sample_of(table), Answered(configuration("a", None), results_of(table, None)))
    text = capsys.readouterr().out
    assert all(mark >= " " or mark == "\n" for mark in text) and not {"\x9b", "\u202e"} & {*text}
    assert "  a\\u001b[2J\\u009b31m\\u202e[bold]" in text


def test_a_try_is_printed_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """`print_try` prints all tables, with the number of narratives of the workbook."""
    sample, answered, _, _ = tries(10, [1, 2], None)
    print_try(sample, answered)
    text = capsys.readouterr().out
    for part in ("Configurations", "1,000 narratives", "Sensitivity", "Differences from A", "Where they differ"):
        assert part in text


def test_the_usual_question_is_shown_with_the_label_of_the_incident(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the workbook labels incidents alone, label and outcome of each narrative are those of its incident, and are
    called so; one detection makes the incident right."""
    rows = [
        {"incident_id": number, "narrative_type": kind, "manual_flag": label, "detected": detected}
        for number, kind, label, detected in (
            ("1", "cme", 1, True),
            ("1", "le", 1, False),
            ("2", "cme", 0, True),
            ("3", "cme", None, False),
        )
    ]
    table = table_of(*rows)
    print_shown(sample_of(table), Answered(configuration("a", None), results_of(table, None)))
    text = capsys.readouterr().out
    assert text.count("label       positive (of the incident)") == 2
    assert text.count("label       negative (of the incident)") == text.count("label       none") == 1
    assert text.count("outcome     true positive (of the incident)") == 2
    assert "outcome     WRONG (false positive) (of the incident)" in text
    assert "  detected  1 of 2 incidents right: 0.50 (" in text
