"""The findings on the terminal: one table of metrics, and where the files are."""

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from rich.table import Table
from rich.text import Text

from narrative_runs.data_columns import type_title
from narrative_runs.findings.by_variable.main_measure import main_rate
from narrative_runs.findings.columns import TROUBLES
from narrative_runs.findings.few_labels import has_few_labels
from narrative_runs.findings.rounding import count_of, p_value, percent, shown
from narrative_runs.findings.suppression import MASKED
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.plain_console import PlainConsole

# Columns with intervals that fit into 80 characters, and the widest title of one.
_ABREAST = 4
_LEVELS = {"narratives": "overall", "incidents": "incident"}
_TITLE_WIDTH = 14
_MOST_GROUPS = 20
SIGNIFICANT = 0.05
RATES = ("accuracy", "precision", "recall", "f1", "specificity", "kappa", "mcc")


def print_summary(metrics: dict[str, Any], folder: ExperimentFolder) -> None:
    """Print the metrics of an experiment, and where its findings are."""
    console = PlainConsole(stderr=True, highlight=False)
    scopes = [
        ("all narratives", metrics["overall"]),
        *((type_title(kind), scope) for kind, scope in metrics["by_type"].items()),
        ("incidents", metrics["incident"]),
    ]
    about = f"{metrics['n_processed']} narratives, {metrics['n_errors']} errors; rates with 95% intervals"
    for line in warnings(metrics):
        console.print(f"WARNING: {line}", markup=False)
    for start in range(0, len(scopes), _ABREAST):
        console.print(_table("" if start else about, scopes[start : start + _ABREAST]))
    if "unseen" in metrics:
        console.print(_unseen_table(metrics))
    for column, groups in metrics.get("groups", {}).items():
        console.print(_groups_table(column, groups))
    if "variables" in metrics:
        console.print(_variables_table(metrics["variables"]))
        if "unseen" in metrics:
            console.print(_unseen_variables_table(metrics["variables"], metrics["unseen"]["variables"]))
    console.print(f"Findings: {folder.path}/ (report.html, results.xlsx, metrics.json)")
    console.print(f"Record:   {RECORD}")


def warnings(metrics: dict[str, Any]) -> list[str]:
    """Warnings to read before quoting the rates."""
    return [*_of_label_selection(metrics["labels"]), *_of_groups(metrics.get("groups", {}))]


def _of_label_selection(labels: dict[str, Any] | None) -> Iterator[str]:
    if labels is None or not labels["differ"]:
        return
    warning = "the labels are of a chosen part. "
    if labels["difference"] == MASKED:
        warning += "The model detects another share of the labelled narratives than of the others. "
    else:
        warning += (
            f"The model detects {_percent(labels['detected_labelled'])} of the {labels['n_labelled']:,} labelled "
            f"narratives, and {_percent(labels['detected_unlabelled'])} of the {labels['n_unlabelled']:,} others: "
            f"{_points(labels['difference'])}. "
        )
    yield warning + (
        "Recall and specificity hold for the labelled ones alone; for all, label a random sample. `narrative-runs "
        "estimate` gives prevalences of all incidents, from reviews of a sample (`export --review N --coders NAME`)."
    )


def _of_groups(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each group that errors or refusals hit more often, or less often, than all others."""
    for column, of_column in groups.items():
        for name, group in of_column.items():
            for what in TROUBLES:
                if sentence := trouble_in_words(what, f"{column} {name}", group[what]):
                    yield sentence


def trouble_in_words(what: str, group: str, trouble: Mapping[str, Any]) -> str:
    """The sentence that errors or refusals hit a group more often, or less often, than all others; empty where that may
    be chance.

    In: what hits it; the group's column and name; what `by_group` gives of it under `errors` or `refusals`.
    """
    chance = trouble["p_holm"]
    if not isinstance(chance, float) or chance >= SIGNIFICANT:
        return ""
    more = "more" if trouble["difference"]["value"] > 0 else "less"
    return (
        f"{what} hit {group} {more} often than all others: {_percent(trouble['rate'])} of its narratives against "
        f"{_percent(trouble['rate_of_others'])}, {_points(trouble['difference'])}; p = {p_value(chance)}, adjusted. "
        "Where these are left out, its rates are of the others alone."
    )


def _points(difference: Mapping[str, float]) -> str:
    value, low, high = (100 * difference[name] for name in ("value", "low", "high"))
    return f"a difference of {value:.1f} points ({low:.1f} to {high:.1f})"


def _percent(rate: Mapping[str, float]) -> str:
    return percent(rate["value"])


def column_title(title: str) -> str:
    """A title as the head of a column of rates: in several lines where it is long."""
    return "\n".join(wrap(title, _TITLE_WIDTH))


def shown_rate(rate: Mapping[str, float | None] | None) -> str:
    """A rate with its interval, as short as it can be, for a cell of a table; a dash where it is undefined."""
    if rate is None or rate["value"] is None:
        return "-"
    value, low, high = rate["value"], rate["low"], rate["high"]
    return _brief(value) if low is None or high is None else f"{_brief(value)} \\[{_brief(low)} {_brief(high)}]"


def _table(about: str, scopes: list[tuple[str, dict[str, Any]]]) -> Table:
    table = Table(title=about or None, box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for title, _ in scopes:
        table.add_column(column_title(title), justify="right", no_wrap=True)
    table.add_row("labelled", *(f"{scope['n']:,} of {scope['n_answered']:,}" for _, scope in scopes))
    for count in ("tp", "fp", "fn", "tn"):
        table.add_row(count.upper(), *(str(scope[count]) for _, scope in scopes))
    for rate in ("detection_rate", *RATES):
        name = rate.replace("detection_rate", "detected")
        table.add_row(name, *(shown_rate(scope[rate]) for _, scope in scopes))
    return table


def _unseen_table(metrics: Mapping[str, Any]) -> Table:
    unseen = metrics["unseen"]
    about = f"{_seen(unseen)} seen before the first answer, in preflight or try; the same without these incidents"
    wholes = {"": metrics, " unseen": unseen}
    scopes = [(level + which, whole[key]) for level, key in _LEVELS.items() for which, whole in wholes.items()]
    return _table(about, scopes)


def _seen(unseen: Mapping[str, Any]) -> str:
    """How much was seen, with its verb."""
    narratives, incidents = unseen["n_seen_narratives"], unseen["n_seen_incidents"]
    verb = "was" if narratives == 1 else "were"
    return f"{count_of(narratives, 'narrative')} of {count_of(incidents, 'incident')} {verb}"


def _unseen_variables_table(
    variables: Mapping[str, Mapping[str, Any]], unseen: Mapping[str, Mapping[str, Any]]
) -> Table:
    table = Table(title="variables; unseen is without the incidents that were seen", box=None, padding=(0, 1, 0, 0))
    for title in ("", "measure", "all", "unseen"):
        table.add_column(title, no_wrap=True)
    for name, of_variable in variables.items():
        if (main := main_rate(of_variable)) is not None:
            measure = main.measure.replace("_", " ") + (" (incidents)" if main.level == "incident" else "")
            without = unseen[name][main.level][main.measure]
            table.add_row(name, measure, shown_rate(main.rate), shown_rate(without))
    return table


def _variables_table(variables: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="answers by variable", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    counts = {"answered": "n_answered", "unclear": "n_unclear", "not asked": "n_not_asked", "errors": "n_errors"}
    for title in counts:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("measure", no_wrap=True)
    for name, of_variable in variables.items():
        table.add_row(name, *(f"{of_variable[count]:,}" for count in counts.values()), _main_measure(of_variable))
    return table


def _main_measure(of_variable: Mapping[str, Any]) -> str:
    """The measure that stands for a variable, over narratives where they have it, else over incidents."""
    if (main := main_rate(of_variable)) is None:
        return "-"
    title = main.measure.replace("_", " ")
    return f"{title} {shown_rate(main.rate)}" + (" (incidents)" if main.level == "incident" else "")


def _groups_table(column: str, groups: dict[str, Any]) -> Table:
    are_of_incidents = _has_labels_of_incidents_alone(groups)
    about = (
        f"by {column}{', incidents (errors: of narratives)' if are_of_incidents else ''}; * is a group of few labels"
    )
    if len(groups) > _MOST_GROUPS:
        about += f"; the first {_MOST_GROUPS} of {len(groups)}, report.html has all"
    table = Table(title=Text(about), box=None, padding=(0, 1, 0, 0))
    table.add_column(Text(column), overflow="fold")
    for title in ("answered", "detected", "recall", "precision", "errors"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, group in list(groups.items())[:_MOST_GROUPS]:
        measured = group["incident"] if are_of_incidents else group
        rates = (shown_rate(measured[key]) for key in ("detection_rate", "recall", "precision"))
        star = " *" if has_few_labels(measured) else ""
        errors = f"{group['errors']['n']} ({shown_rate({**group['errors']['rate'], 'low': None, 'high': None})})"
        table.add_row(Text(f"{name}{star}"), f"{measured['n_answered']:,}", *rates, errors)
    return table


def _has_labels_of_incidents_alone(groups: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether incidents in these groups have labels, and no narrative has one."""
    n_labelled = sum(group["n"] for group in groups.values())
    return n_labelled == 0 and any(group["incident"]["n"] > 0 for group in groups.values())


def _brief(number: float) -> str:
    # Without the zero, four columns with their intervals fit into 80 characters.
    return re.sub(r"^(-?)0\.", r"\1.", shown(number, 2))
