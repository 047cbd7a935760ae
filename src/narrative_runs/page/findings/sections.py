"""The sections of the page about an experiment's findings; nothing is computed here.

In: what may be published of metrics.json. Each count of a confusion matrix, and of errors, leads to its narratives.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from narrative_runs.codebook.variables import DETECTED, NO, YES, Variable
from narrative_runs.data_columns import type_title
from narrative_runs.findings.by_variable.main_measure import main_rate
from narrative_runs.findings.summary import warnings
from narrative_runs.findings.suppression import MASKED, counted
from narrative_runs.page.narrative_links import INCIDENT, NarrativeLinks
from narrative_runs.page.tables import Cell, Section, Table, count_cell, in_cells, plain_table
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.cells import UNDEFINED, chance, number, rate
from narrative_runs.report.estimates import EstimatesShown
from narrative_runs.report.measures import RATES, TITLES, scopes
from narrative_runs.report.variable_calibration import calibration_tables
from narrative_runs.report.variables import Level, VariableFindings, variable_findings, work_first

OUTCOMES = {"tp": "true positives", "fp": "false positives", "fn": "false negatives", "tn": "true negatives"}
# The cells of a two-by-two table, a row a label.
_TWO_BY_TWO = (("tp", "fn"), ("fp", "tn"))
_OF_GROUPS = ("detection_rate", "recall", "precision", "f1", "specificity")
_LEVELS = {"narrative": "", "incident": INCIDENT}
_TROUBLES = {"errors": "Errors", "refusals": "of them refusals"}


@dataclass(frozen=True)
class Findings:
    """The findings of an experiment.

    which: its slug or id; metrics: what may be published of them; below: the limit below which counts are masked;
    variables: those of the codebook, none where the usual question was asked; has_detections: whether there is a
    variable of yes or no; errors: how many by category; errors_by_type: the same of each narrative type, where that may
    be shown; summary: sentences; figures: the names of those that there are.
    """

    which: str
    metrics: Mapping[str, Any]
    below: int = 0
    variables: Mapping[str, Variable] = field(default_factory=dict)
    has_detections: bool = True
    errors: Mapping[str, int] = field(default_factory=dict)
    errors_by_type: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    summary: Sequence[str] = ()
    estimates: EstimatesShown | None = None
    figures: Sequence[str] = ()

    @property
    def links(self) -> NarrativeLinks:
        """The links to its narratives."""
        return NarrativeLinks(self.which)


def sections(findings: Findings) -> list[Section]:
    """The sections of the page, in their order; those that have nothing to show are left out."""
    shown = [_summary(findings)]
    if findings.has_detections:
        shown += [matrices(findings), metrics_section(findings)]
    shown += [
        unseen(findings),
        errors(findings.errors, findings.errors_by_type, findings.links),
        variables(findings),
        groups(findings),
    ]
    if findings.has_detections:
        shown.append(calibration(findings))
    shown.append(estimates(findings))
    return [each for each in shown if each.sentences or each.tables or each.figures or each.parts]


def _summary(findings: Findings) -> Section:
    sentences = [*findings.summary, *(f"{each[0].upper()}{each[1:]}" for each in warnings(dict(findings.metrics)))]
    if findings.below:
        sentences.append(
            f"Counts below {findings.below} are masked, with the rates that would reveal them, and so are others from "
            "which they could be computed (`report.suppress_below`). Curves and thresholds are left out."
        )
    return Section("summary", "Summary", sentences)


def matrices(findings: Findings) -> Section:
    """A two-by-two table for all narratives, for each type, and for incidents; for these alone where no narrative has a
    label."""
    metrics = findings.metrics
    parts: list[tuple[str, Mapping[str, Any], Mapping[str, str]]] = [
        ("All narratives", metrics["overall"], {}),
        *((type_title(kind), scope, {"type": kind}) for kind, scope in metrics["by_type"].items()),
        ("Incidents", metrics["incident"], {"level": INCIDENT}),
    ]
    only_of_incidents = []
    if metrics["overall"]["n"] == 0:
        if metrics["incident"]["n"] == 0:
            return Section("matrices", "Confusion matrices", ["No labelled answers: nothing to compare with."])
        only_of_incidents, parts = ["Incidents alone have labels: no narrative is compared."], parts[-1:]
    return Section(
        "matrices",
        "Confusion matrices",
        [
            "Manual labels in rows, the model's answers in columns. Each count leads to its narratives. An incident is "
            "positive if any of its narratives is; its count leads to all of them.",
            *only_of_incidents,
        ],
        [_two_by_two(title, scope, findings.links, filters) for title, scope, filters in parts],
    )


def _two_by_two(title: str, scope: Mapping[str, Any], links: NarrativeLinks, filters: Mapping[str, str]) -> Table:
    rows = [
        [
            Cell(f"Labelled {value}"),
            *(
                count_cell(scope[cell], links.of(cell, **filters), f"{OUTCOMES[cell]}, {title}")._replace(
                    words=f"{cell.upper()} {counted(scope[cell])}"
                )
                for cell in cells
            ),
        ]
        for value, cells in zip((YES, NO), _TWO_BY_TWO, strict=True)
    ]
    return Table(
        f"{title}, n = {counted(scope['n'])}", ["", f"Detected: {YES}", f"Detected: {NO}"], rows, is_matrix=True
    )


def metrics_section(findings: Findings) -> Section:
    """The rates of each scope with their intervals, and the agreement of two narratives of an incident."""
    by_scope = scopes(dict(findings.metrics))
    rows = [
        ["Labelled, of all answered", *(f"{counted(s['n'])} of {counted(s['n_answered'])}" for s in by_scope.values())],
        *([title, *(rate(scope[key]) for scope in by_scope.values())] for key, (title, _) in RATES.items()),
    ]
    sentences = [
        "Each rate with its 95% interval, in which the narratives of one incident are not taken as independent. "
        "Narratives without a label or with an error count in none, but for the detection rate, which needs no label."
    ]
    if (agreement := findings.metrics["agreement"]) is not None and agreement["n"]:
        both = " and ".join(map(type_title, findings.metrics["by_type"]))
        sentences.append(
            f"{both} of the same incident: of {counted(agreement['n'])} incidents with both, a share of "
            f"{rate(agreement['agreement'])} agree; Cohen's kappa is {rate(agreement['kappa'])}."
        )
    table = Table("Detections against manual labels", ["Metric", *by_scope], in_cells(rows))
    return Section("metrics", "Metrics", sentences, [table], _there(findings, "detection_rates"))


def unseen(findings: Findings) -> Section:
    """The measures of all incidents, beside those of the incidents that nobody saw before the first answer."""
    rest = findings.metrics.get("unseen")
    title = "Without what was seen before"
    if rest is None or rest == MASKED or findings.below:
        return Section("unseen", title)
    sentences = [
        f"{counted(rest['n_seen_narratives'])} narratives of {counted(rest['n_seen_incidents'])} incidents were shown "
        "or tried before the first answer, while the prompt could still be changed. Beside the measures of all stand "
        f"those without these incidents ({counted(rest['n_labelled'])} labelled narratives)."
    ]
    tables = []
    if findings.has_detections:
        apart = scopes(dict(rest))
        tables = [
            Table(
                name,
                ["Metric", "All", "Without"],
                in_cells(
                    [
                        ["Labelled", counted(scope["n"]), counted(apart[name]["n"])],
                        *([each, rate(scope[key]), rate(apart[name][key])] for key, (each, _) in RATES.items()),
                    ]
                ),
            )
            for name, scope in scopes(dict(findings.metrics)).items()
            if name in apart
        ]
    if rows := list(_unseen_variables(findings.metrics.get("variables", {}), rest.get("variables", {}))):
        tables.append(Table("Variables", ["Variable", "Measure", "All", "Without"], in_cells(rows)))
    return Section("unseen", title, sentences, tables)


def _unseen_variables(all_of: Mapping[str, Any], rest: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, of_variable in all_of.items():
        main = main_rate(of_variable)
        if main is not None and (apart := rest.get(name)) is not None:
            of_rest = (apart.get(main.level) or {}).get(main.measure)
            yield [name, TITLES[main.measure], rate(main.rate), rate(of_rest)]


def errors(by_category: Mapping[str, int], by_type: Mapping[str, Mapping[str, int]], links: NarrativeLinks) -> Section:
    """The errors by category, over all narratives and, where by_type has any, by narrative type."""
    name, title = "errors", "Errors by category"
    if not by_category:
        return Section(name, title, ["No narrative is an error."])
    rows = [
        [
            Cell(category),
            count_cell(number_of, links.of("error", error=category), f"errors of category {category}"),
            *(
                count_cell(
                    of_type.get(category, 0),
                    links.of("error", error=category, type=kind),
                    f"errors of category {category}, {type_title(kind)}",
                )
                for kind, of_type in by_type.items()
            ),
        ]
        for category, number_of in by_category.items()
    ]
    if len(rows) > 1:
        whole = [count_cell(sum(by_category.values()), links.of("error"), "all errors")]
        whole += [
            count_cell(sum(of_type.values()), links.of("error", type=kind), f"all errors, {type_title(kind)}")
            for kind, of_type in by_type.items()
        ]
        rows.append([Cell("All"), *whole])
    return Section(
        name,
        title,
        ["Narratives without a usable answer. They count in no rate."],
        [Table("Errors", ["Category", "All narratives", *map(type_title, by_type)], rows)],
    )


def variables(findings: Findings) -> Section:
    """The variables of the codebook: an overview, which need work first, and each by itself."""
    measured = findings.metrics.get("variables", {})
    known = variable_findings(measured, findings.variables)
    if not known:
        return Section("variables", "Variables")
    sentence = (
        "Each variable with the measure that counts for its type. Errors of a variable and unclear answers count in no "
        "rate of it; one that depends on others is measured where their labels say that it applies."
    )
    titles = ["Variable", "Type", "Answered", "Most frequent", "Labelled", "Measure", "Errors", "Unclear", "Not asked"]
    tables = [Table("All variables", titles, [_in_overview(each, findings.links) for each in known])]
    if needing := work_first(known):
        reasons = in_cells([each.name, "; ".join(each.needs_work)] for each in needing)
        tables.append(Table("Variables that need work first", ["Variable", "Why"], reasons, has_words=True))
    parts = [
        _variable(f"variable-{n}", each, measured[each.name], findings.links) for n, each in enumerate(known, start=1)
    ]
    return Section("variables", "Variables", [sentence], tables, parts=parts)


def _in_overview(known: VariableFindings, links: NarrativeLinks) -> list[Cell]:
    def leading(count: int | str, outcome: str) -> Cell:
        return count_cell(count, links.of(outcome, variable=known.name), f"{outcome}, {known.name}")

    words = [known.name, known.type, counted(known.n_answered), known.values, known.labelled, known.measure]
    return [
        *map(Cell, words),
        leading(known.n_errors, "error"),
        leading(known.n_unclear, "unclear"),
        leading(known.n_not_asked, "not-asked"),
    ]


def _variable(name: str, known: VariableFindings, of_variable: Mapping[str, Any], links: NarrativeLinks) -> Section:
    kind = known.type.capitalize()
    sentences = [f"{kind}: {known.definition}" if known.definition else f"{kind}."]
    if not known.levels:
        sentences.append("There is nothing to measure.")
    sentences += [*filter(None, [known.not_in_text]), *(f"{each[0].upper()}{each[1:]}" for each in known.warnings)]
    levels = [key for key in _LEVELS if of_variable[key] is not None]
    tables = [
        table
        for level, key in zip(known.levels, levels, strict=True)
        for table in _of_level(known.name, level, _LEVELS[key], links)
    ]
    groups_of = of_variable.get("groups", {})
    tables += [
        _with_links_of_errors(plain_table(table), known.name, column, groups_of[column], links)
        for table, column in zip(known.groups, groups_of, strict=True)
    ]
    return Section(name, known.name, sentences, [*tables, *map(plain_table, known.calibration)])


def _of_level(name: str, level: Level, level_filter: str, links: NarrativeLinks) -> Iterator[Table]:
    known = [[title, words] for title, words in level.rates.items() if words != UNDEFINED]
    if not known:
        return
    yield Table(f"{level.title}: {level.n}", ["Measure", level.title], in_cells(known))
    if level.by_value:
        rows = in_cells([value, *words] for value, words in level.by_value.items())
        yield Table(f"{level.title}, each value against all others", ["Value", *level.columns], rows)
    if level.matrix is None:
        return
    is_binary = list(level.matrix.values) == [YES, NO]
    rows = []
    for row, (label, counts) in enumerate(zip(level.matrix.values, level.matrix.counts, strict=True)):
        cells = [Cell(f"Label {label}")]
        for column, (value, count) in enumerate(zip(level.matrix.values, counts, strict=True)):
            filters = {"variable": name, "level": level_filter}
            if is_binary:
                address = links.of(_TWO_BY_TWO[row][column], **filters)
            else:
                address = links.of(label=label, value=value, **filters)
            cells.append(count_cell(count, address, f"{name}, {level.title.lower()}, label {label}, answer {value}"))
        rows.append(cells)
    columns = ["", *(f"Answer {value}" for value in level.matrix.values)]
    yield Table(f"{level.title}: labels in rows, answers in columns", columns, rows, is_matrix=True)


def _with_links_of_errors(
    table: Table, variable: str, column: str, groups_of: Mapping[str, Any] | str, links: NarrativeLinks
) -> Table:
    """A table of groups whose numbers of errors lead to their narratives."""
    if isinstance(groups_of, str):
        return table
    at = table.columns.index("Errors")
    rows = []
    for row, (group, of_group) in zip(table.rows, groups_of.items(), strict=True):
        address = links.of_group(column, group, "error", variable=variable)
        cell = count_cell(of_group["errors"]["n"], address, f"errors of {variable}, {column} {group}")
        rows.append([*row[:at], cell, *row[at + 1 :]])
    return table._replace(rows=rows)


def groups(findings: Findings) -> Section:
    """The same rates by the values of a workbook column, and the errors of each group."""
    columns = findings.metrics.get("groups", {})
    if not columns:
        return Section("groups", "Groups")
    sentence = (
        "By what stands in a column of the workbook (`report.groups`). A star marks groups of fewer than 30 labelled "
        "narratives, or fewer than 10 positive ones: their rates say little. The p values compare the share of errors, "
        "and that of refusals, with that of all other groups, by a permutation of incidents, adjusted for all groups "
        "(Holm)."
    )
    parts = [
        Section(
            f"group-{number_of}",
            column,
            (),
            list(_of_column(column, of_column, findings.links, findings.has_detections)),
        )
        for number_of, (column, of_column) in enumerate(columns.items(), start=1)
    ]
    return Section("groups", "Groups", [sentence], parts=parts)


def _of_column(
    column: str, of_column: Mapping[str, Any], links: NarrativeLinks, has_detections: bool
) -> Iterator[Table]:
    if has_detections:
        yield Table(
            f"{column}: narratives, labels against answers",
            [column, "Answered", "Labelled", *(cell.upper() for cell in OUTCOMES)],
            [
                [
                    Cell(_starred(group, of_group)),
                    Cell(counted(of_group["n_answered"])),
                    Cell(counted(of_group["n"])),
                    *(
                        count_cell(of_group[cell], links.of_group(column, group, cell), f"{words}, {column} {group}")
                        for cell, words in OUTCOMES.items()
                    ),
                ]
                for group, of_group in of_column.items()
            ],
        )
        heads = [column, *(RATES[key][0] for key in _OF_GROUPS)]
        rows = [[_starred(name, group), *(rate(group[key]) for key in _OF_GROUPS)] for name, group in of_column.items()]
        yield Table(f"{column}: rates of narratives", heads, in_cells(rows))
        rows = [
            [
                name,
                counted(group["incident"]["n_answered"]),
                counted(group["incident"]["n"]),
                *(rate(group["incident"][key]) for key in _OF_GROUPS),
            ]
            for name, group in of_column.items()
        ]
        about = f"{column}: rates of incidents of which all narratives are in the group"
        yield Table(about, [column, "Answered", "Labelled", *heads[1:]], in_cells(rows))
    heads = [column]
    for title in _TROUBLES.values():
        heads += [title, "Share", "Of all others", "p"]
    yield Table(
        f"{column}: narratives without an answer",
        heads,
        [
            [Cell(group), *(cell for key in _TROUBLES for cell in _trouble(key, column, group, of_group[key], links))]
            for group, of_group in of_column.items()
        ],
    )


def _starred(group: str, of_group: Mapping[str, Any]) -> str:
    return f"{group} *" if of_group["is_small"] is True else group


def _trouble(key: str, column: str, group: str, trouble: Mapping[str, Any], links: NarrativeLinks) -> list[Cell]:
    # Refusals are no category of errors: they are shown as the errors that they are among.
    address = links.of_group(column, group, "error") if key == "errors" else ""
    shares = (rate(trouble["rate"]), rate(trouble["rate_of_others"]), chance(trouble["p_holm"]))
    return [count_cell(trouble["n"], address, f"errors, {column} {group}"), *map(Cell, shares)]


def calibration(findings: Findings) -> Section:
    """Whether confidence and token probabilities can be believed, and what other thresholds would give."""
    fits = findings.metrics["calibration"]
    if not fits:
        is_masked = findings.metrics["overall"]["tp"] == MASKED
        why = "Masked, as the labels are." if is_masked else "No labelled answer has a probability: nothing to measure."
        return Section("calibration", "Confidence and probabilities", [why])
    measured = {
        "type": "binary",
        "calibration": {"confidence": fits["confidence"], "probability": fits["p_detected"]},
    }
    tables = [plain_table(table) for table in calibration_tables(DETECTED, measured)]
    if thresholds := (fits["p_detected"] or {}).get("thresholds"):
        tables.append(_thresholds(thresholds))
    figures = _there(findings, "confidence_by_outcome", "reliability", "roc_precision_recall")
    return Section("calibration", "Confidence and probabilities", (), tables, figures)


def _thresholds(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        "What precision and recall would be if all narratives of at least this probability were detections",
        ["Threshold", *(cell.upper() for cell in OUTCOMES), "Precision", "Recall"],
        in_cells(
            [
                number(row["threshold"]),
                *(counted(row[cell]) for cell in OUTCOMES),
                rate(row["precision"]),
                rate(row["recall"]),
            ]
            for row in rows
        ),
    )


def estimates(findings: Findings) -> Section:
    """The results of `narrative-runs estimate`."""
    shown = findings.estimates
    if shown is None:
        return Section("estimates", "Estimates")
    sentences = list(shown.warnings)
    if shown.tables:
        sentences.append(
            "How common each finding is among all incidents of the workbook, corrected by what people said of a "
            "sample; in brackets 95% intervals. The column of the model alone is no prevalence: it holds the model's "
            "errors."
        )
    if shown.methods:
        sentences.append(f"For the methods section: {shown.methods}")
    sentences += [f"Not estimated: {reason}" for reason in shown.refused]
    figures = [name for name in findings.figures if name == "estimates"] if shown.has_figure else []
    return Section("estimates", "Estimates", sentences, [plain_table(table) for table in shown.tables], figures)


def _there(findings: Findings, *names: str) -> list[str]:
    """Those of these figures that exist, in the order of the report."""
    return [name for name in CAPTIONS if name in names and name in findings.figures]
