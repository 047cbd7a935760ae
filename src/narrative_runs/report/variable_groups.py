"""The measures of a variable in each group of the narratives, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from narrative_runs.findings.by_variable.main_measure import MainRate, main_rate
from narrative_runs.findings.summary import trouble_in_words
from narrative_runs.findings.suppression import MASKED
from narrative_runs.report.cells import Table, count, rate
from narrative_runs.report.measures import TITLES

_SIZES = {"narrative": "Labelled", "incident": "Labelled incidents"}


def group_tables(of_variable: Mapping[str, Any]) -> list[Table]:
    """A table for each column of groups: narratives, labels and the measure that stands for the type, and errors.

    In: what `measure_variables` gives of one variable. The measure of incidents stands beside that of narratives, or
    alone where there are no labels of narratives.
    """
    main = main_rate(of_variable)
    levels = [level for level in _SIZES if main and (of_variable[level] or {}).get(main.measure) is not None]
    return [_table(column, groups, main, levels) for column, groups in of_variable.get("groups", {}).items()]


def group_warnings(name: str, of_variable: Mapping[str, Any]) -> list[str]:
    """A sentence for each group that errors of this variable hit more often, or less often, than all others."""
    sentences = (
        trouble_in_words(f"errors of {name}", f"{column} {group}", of_group["errors"])
        for column, groups in of_variable.get("groups", {}).items()
        if groups != MASKED
        for group, of_group in groups.items()
    )
    return [sentence for sentence in sentences if sentence]


def _table(column: str, groups: Mapping[str, Any] | str, main: MainRate | None, levels: list[str]) -> Table:
    titles = [column, "Narratives", *_titles(main, levels), "Errors", "Share of errors"]
    if isinstance(groups, str):
        rows = [["All groups", *[groups] * (len(titles) - 1)]]
    else:
        rows = [[_starred(name, group, main), *_cells(group, main, levels)] for name, group in groups.items()]
    of_incidents = "; incidents are those of which all narratives are in the group" if "incident" in levels else ""
    return Table(f"By {column}{of_incidents}", titles, rows)


def _titles(main: MainRate | None, levels: list[str]) -> Iterator[str]:
    if main:
        for level in levels:
            yield "Passages" if main.measure == "in_text" else _SIZES[level]
            yield TITLES[main.measure] + (" of incidents" if level == "incident" else "")


def _cells(group: Mapping[str, Any], main: MainRate | None, levels: list[str]) -> Iterator[str]:
    yield count(group["n_total"])
    if main:
        for level in levels:
            yield count(group[level]["n_passages" if main.measure == "in_text" else "n"])
            yield rate(group[level][main.measure])
    yield count(group["errors"]["n"])
    yield rate(group["errors"]["rate"])


def _starred(name: str, group: Mapping[str, Any], main: MainRate | None) -> str:
    """The name of a group, with a star where its rates say little; passages in the text need no label."""
    if main is None or main.measure == "in_text":
        return name
    return f"{name} *" if group["is_small"] is True else name
