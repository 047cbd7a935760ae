"""The tables of a comparison narrative by narrative, made by a separate program beside the page.

`python -m narrative_runs.page.history.compared_tables LABEL LABEL …` writes it to its standard output, pickled for the
page. It reads all results of the experiments, and needs much memory for a while, which the page need not have. It ends
with the page.
"""

import os
import pickle
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pandas as pd

from narrative_runs.comparison.compared import Compared, compared, read_named, variables_compared
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.titles import LEVEL_TITLES, PAIR_TITLES, VARIABLE_TITLES, scope_title, titled_fields
from narrative_runs.comparison.variable_pairs import INCIDENT, VariablePair, VariableTest
from narrative_runs.comparison.variables_beside import COUNTS, MeasureBeside
from narrative_runs.errors import NarrativeRunsError
from narrative_runs.finished import Finished
from narrative_runs.page.addresses import address_of
from narrative_runs.page.history.comparisons import ComparedTables
from narrative_runs.page.tables import Cell, Section, Table, in_cells
from narrative_runs.report.cells import chance, count, rate
from narrative_runs.report.measures import TITLES

MOST_CHANGES = 100
# By field of a test; all others are counts.
_SHOWN_AS: dict[str, Callable[[Any], str]] = {
    "kappa": rate,
    "same": rate,
    "difference": rate,
    "score": str,
    "p_value": chance,
    "p_holm": chance,
}


def compared_tables(comparison: Compared, letters: Sequence[str]) -> ComparedTables:
    """The tables that the page shows of a comparison.

    letters: by which the page calls the experiments, in their order.
    """
    titles = [f"{letter}: {one.label}" for letter, one in zip(letters, comparison.experiments, strict=True)]
    return ComparedTables(
        {one.label: one.metrics for one in comparison.experiments},
        list(_measures(comparison.variables.measures, titles)),
        [_pair(comparison, index, letters) for index in range(1, len(comparison.experiments))],
    )


def _measures(measures: Sequence[MeasureBeside], titles: Sequence[str]) -> Iterator[Table]:
    for name, level in dict.fromkeys((row.variable, row.level) for row in measures):
        rows = [
            [
                COUNTS[row.measure].capitalize() if row.measure in COUNTS else TITLES[row.measure],
                *(_count(value) if row.measure in COUNTS else rate(value) for value in row.values),
            ]
            for row in measures
            if (row.variable, row.level) == (name, level)
        ]
        yield Table(f"{name}, {LEVEL_TITLES[level]}", ["Measure", *titles], in_cells(rows))


def _pair(comparison: Compared, index: int, letters: Sequence[str]) -> Section:
    """What changed from the first experiment to the one with this index, and whether that may be chance."""
    first, other = comparison.experiments[0], comparison.experiments[index]
    names = {"first": letters[0], "other": letters[index]}
    sentences, tables, parts = [], [], []
    tests = comparison.tests[index - 1]
    if comparison.has_pair(index):
        for level in LEVEL_TITLES:
            of_level = [test for test in tests if (test.scope == INCIDENT) == (level == INCIDENT)]
            if of_level:
                tables.append(_test_table(of_level, level, names))
        if tests[0].n_other_label:
            sentences.append("Labels differ: a narrative with another label counts in no test.")
        if tests[0].n_compared:
            changes = comparison.changes[index - 1]
            if len(changes):
                tables.append(_detections_changed(first, other, names, changes))
            else:
                sentences.append("No narrative changed.")
        else:
            sentences.append("Nothing could be compared: no narrative was answered in both, with the same text.")
    if (pair := comparison.variables.pairs.get(index)) is not None:
        parts.append(_variables(pair, first, other, names))
    return Section(f"pair-{names['other']}", f"{names['first']} and {names['other']}", sentences, tables, parts=parts)


def _test_table(tests: Sequence[PairTest], level: str, names: dict[str, str]) -> Table:
    return _tests_beside(PAIR_TITLES, level, names, {scope_title(test.scope): test for test in tests})


def _variables(pair: VariablePair, first: Finished, other: Finished, names: dict[str, str]) -> Section:
    tables = [
        _variable_table([test for test in pair.tests if test.level == level], level, names)
        for level in LEVEL_TITLES
        if any(test.level == level for test in pair.tests)
    ]
    columns = ["incident_id", "narrative_type", "value_first", "value_other", "label_first", "label_other"]
    tables += [
        _changed(f"{name}: ", first, other, names, changes[columns].itertuples(index=False, name=None), len(changes))
        for name, changes in pair.changed.items()
        if len(changes)
    ]
    sentences = []
    if pair.not_compared:
        reasons = (f"{name} ({reason.format(**names)})" for name, reason in pair.not_compared.items())
        sentences.append(f"Not compared: {', '.join(reasons)}.")
    return Section(f"variables-{names['other']}", "By variable", sentences, tables)


def _variable_table(tests: Sequence[VariableTest], level: str, names: dict[str, str]) -> Table:
    return _tests_beside(VARIABLE_TITLES, level, names, {test.variable: test for test in tests})


def _tests_beside(
    titles: dict[str, str], level: str, names: dict[str, str], tests: Mapping[str, PairTest | VariableTest]
) -> Table:
    """Tests beside each other, a column each under its head."""
    rows = [
        [_title(field, title), *(_SHOWN_AS.get(field, count)(getattr(test, field)) for test in tests.values())]
        for field, title in titled_fields(titles, level, names)
    ]
    heads = [LEVEL_TITLES[level].capitalize(), *tests]
    return Table(f"The same {LEVEL_TITLES[level]} in both", heads, in_cells(rows))


def _detections_changed(first: Finished, other: Finished, names: dict[str, str], changes: pd.DataFrame) -> Table:
    rows = (
        (
            row.incident_id,
            row.narrative_type,
            *("detected" if detected else "not detected" for detected in (row.detected_first, row.detected_other)),
            row.label_first,
            row.label_other,
        )
        for row in changes.itertuples(index=False)
    )
    return _changed("", first, other, names, rows, len(changes))


def _changed(
    about: str, first: Finished, other: Finished, names: dict[str, str], rows: Iterable[tuple[Any, ...]], number: int
) -> Table:
    """The first of the narratives that changed; each answer links to its narrative."""
    caption = f"{about}narratives that changed: {number:,}"
    if number > MOST_CHANGES:
        labels = " ".join(map(shlex.quote, (first.label, other.label)))
        caption += f", the first {MOST_CHANGES} (narrative-runs compare {labels} --csv FOLDER writes all)"
    shown = []
    for incident, narrative_type, *values, label_first, label_other in islice(rows, MOST_CHANGES):
        answers = [
            Cell(_label(value), _address(one, str(incident), str(narrative_type)), f"{incident}, {narrative_type}")
            for one, value in zip((first, other), values, strict=True)
        ]
        label = " or ".join(dict.fromkeys(map(_label, (label_first, label_other))))
        shown.append([Cell(str(incident)), Cell(str(narrative_type)), *answers, Cell(label)])
    columns = ["Incident", "Type", names["first"], names["other"], "Label"]
    return Table(f"{caption[0].upper()}{caption[1:]}", columns, shown, has_words=True)


def _address(experiment: Finished, incident: str, narrative_type: str) -> str:
    """The address of the narrative; empty for a snapshot, whose answers differ from today's."""
    if experiment.snapshot:
        return ""
    return address_of("narratives", experiment.folder.slug, incident, narrative_type)


def _title(field: str, title: str) -> str:
    # Whatever is indented on a terminal is part of the row above; here p values are rows of their own.
    is_part = title.startswith(" ") and _SHOWN_AS.get(field) is not chance
    return f"– {title.strip()}" if is_part else title.strip()


def _count(value: int | None) -> str:
    return "–" if value is None else count(value)


def _label(label: Any) -> str:
    return "–" if pd.isna(label) else str(label)


def main(words: Sequence[str]) -> None:
    """Compare, and write the tables; words: the letter and label of each experiment, such as `A=ipv@pilot`.

    If the user made a mistake, its message is written instead.
    """
    named = [word.partition("=") for word in words]
    try:
        experiments = read_named([label for _, _, label in named])
        comparison = compared(experiments, variables_compared(experiments))
        answer: ComparedTables | str = compared_tables(comparison, [letter for letter, _, _ in named])
    except NarrativeRunsError as error:
        answer = str(error)
    sys.stdout.buffer.write(pickle.dumps(answer))
    sys.stdout.buffer.flush()


def _end_with_the_page() -> None:
    """End this process when the page ends: standard input ends with it."""
    # Not by sys.stdin, whose lock would be held at the end.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_page, daemon=True).start()
    # A run beside it goes first.
    os.nice(5)
    main(sys.argv[1:])
