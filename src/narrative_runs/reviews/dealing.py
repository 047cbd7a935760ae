"""`narrative-runs export --review N`: a sample of incidents, dealt to coders.

Without `--coders` it is dealt to a reader without a name: whoever returns the sheet, or a copy of it, gives one.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from narrative_runs import __version__, review_file
from narrative_runs.codebook.result_columns import columns_by_variable
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Codebook, Variable
from narrative_runs.errors import FindingsError
from narrative_runs.export.export import ENDINGS
from narrative_runs.findings.by_variable.outcomes import UNASKED
from narrative_runs.findings.excel import REVIEWED
from narrative_runs.findings.rounding import count_of
from narrative_runs.paths import ExperimentFolder
from narrative_runs.plain_console import PlainConsole
from narrative_runs.review_file import DEALT, SAMPLE, Line
from narrative_runs.reviews import experiment_read
from narrative_runs.reviews.drawing import dealt, drawn, letters
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.reviews.population import Population, strata_in_order
from narrative_runs.reviews.sheet import about, checksum_of_text, review_sheet, write_review
from narrative_runs.reviews.texts import texts_of
from narrative_runs.shell import quoted
from narrative_runs.user_files import check_free, check_git_ignores

_CODER = re.compile(r"[^\W_][\w.-]{0,39}")
NOBODY = ""
_BLIND = ("row_num", "incident_id", "narrative_type", "narrative_text")
_DRAWN_AS = ["stratum", "stratum_size", "sampling_weight"]
TIME = "%Y-%m-%d %H:%M:%S"


def deal_review(
    which: str,
    count: int,
    seed: int,
    blind: bool,
    others: Sequence[str],
    output: Path | None,
    force: bool,
    variable: str,
    coders: Sequence[str],
    overlap: int,
) -> None:
    """Draw `count` incidents of an experiment (slug, id, or empty for the one started last), and write a sheet for each
    coder; the deal is written to `reviews.jsonl` first.

    others: the workbook's other columns that a blind coder sees; one who is not blind sees all; variable: the one that
    is reviewed, the first binary one where it is empty; coders: none for one sheet, of whoever reads it; overlap: how
    many incidents all coders read.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there are no findings or no such columns or variable, too few are asked for, a name is no name,
            or a file cannot be written.
        ReviewsError: the reviews cannot be read or written.
    """
    _check(coders, overlap, count)
    coders = list(coders) or [NOBODY]
    read = experiment_read.read(which, variable, list(others) if blind else None, is_whole=True)
    folder, name = read.experiment.folder, read.name
    # A sheet without a name of a coder is called after the variable that was named.
    by_name = "" if read.experiment.codebook.fits_the_record else variable if coders == [NOBODY] else name
    paths = {coder: _path_of(output, folder, by_name, coder) for coder in coders}
    check_free(list(paths.values()), force)
    for coder, path in paths.items():
        check_git_ignores(path, _path_of(None, folder, by_name, coder and "NAME"))
    draw = Draw(read.experiment.state.experiment_id, name, count, seed, coders, overlap, blind)
    deal = deal_of(read.population, read.variable, draw)
    shown = _shown(read, blind)
    texts = shown["narrative_text"].map(checksum_of_text)
    for row in deal["rows"]:
        row["text"] = texts[row["incident_id"], row["narrative_type"]]
    with review_file.opened(folder) as reviews:
        known = review_file.deals(reviews.lines).get(deal["deal"])
        if known is None:
            reviews.append([deal])
    for coder, path in paths.items():
        rows = rows_of(known or deal, coder)
        sheet = review_sheet(rows, shown, () if blind else _DRAWN_AS)
        write_review(sheet, read.variable, _about(read, deal, coder), path)
        n_incidents = rows["incident_id"].nunique()
        counts = f"{count_of(n_incidents, 'incident')}, {count_of(len(rows), 'narrative')}"
        print(f"{path}: {counts}, for {coder or 'whoever reads it'}.")
    if warning := _about_unasked(read):
        print(warning)
    n_drawn = len({row["incident_id"] for row in deal["rows"]})
    print(f"{name} in {folder.slug}: {count_of(n_drawn, 'incident')}, drawn with seed {seed}.")
    if n_drawn < count:
        print(f"There are only {n_drawn}: all were taken.")
    PlainConsole(highlight=False, markup=False).print(_table_of_strata(deal))
    command = f"narrative-runs review import {quoted(paths[coders[0]])} --coder"
    if coders == [NOBODY]:
        print(f"When it is filled in: `{command} NAME`, with the reader's name in the place of NAME.")
        print("Several people can each fill in a copy of it: bring each copy in under the name of its reader.")
    else:
        print(f"When a sheet is filled in: `{command} {coders[0]}`")


@dataclass(frozen=True)
class Draw:
    """The draw that the user asks for. count: of incidents; coders: only NOBODY where none was named; overlap: how many
    incidents all coders read; blind: whether a coder sees neither answer nor label."""

    experiment_id: str
    variable: str
    count: int
    seed: int
    coders: list[str]
    overlap: int
    blind: bool


def deal_of(population: Population, variable: Variable, draw: Draw) -> Line:
    """What is dealt, as `reviews.jsonl` keeps it, but for the checksums of texts; it follows from what is given, so
    that the same command deals the same rows under the same ids.

    Raises:
        FindingsError: there are fewer to draw than strata.
    """
    incidents = population.incidents
    strata = {
        stratum: incidents.index[incidents["stratum"] == stratum].tolist()
        for stratum in strata_in_order(variable, incidents["stratum"].unique().tolist())
    }
    sample = drawn(strata, draw.count, draw.seed)
    kept = kept_population(incidents)
    deal_id = letters(asdict(draw), kept)
    kinds = population.narratives.groupby("incident_id", sort=False)["narrative_type"].agg(list)
    rows: list[Line] = []
    for coder, ids in dealt(sample, draw.coders, draw.overlap, draw.seed).items():
        n_before: dict[str, int] = dict.fromkeys(strata, 0)
        for incident in ids:
            stratum = str(incidents["stratum"][incident])
            n_before[stratum] += 1
            rows += [
                {
                    "row": letters(deal_id, coder, incident, kind),
                    "coder": coder,
                    "incident_id": incident,
                    "narrative_type": kind,
                    "stratum": stratum,
                    "position": n_before[stratum],
                }
                for kind in kinds[incident]
            ]
    return {
        "line": DEALT,
        "deal": deal_id,
        **asdict(draw),
        "purpose": SAMPLE,
        "dealt_at": datetime.now().strftime(TIME),
        "software_version": __version__,
        "strata": {stratum: len(ids) for stratum, ids in strata.items()},
        "population": kept,
        "rows": rows,
    }


def kept_population(incidents: pd.DataFrame) -> dict[str, Any]:
    """The stratum and the checksum of each incident, in the order of their ids, as a line of `reviews.jsonl` holds
    them: numbers of four bytes, little-endian, as base64."""
    codes, names = pd.factorize(incidents["stratum"], sort=True)
    return {
        "n": len(incidents),
        "strata": [str(name) for name in names],
        "stratum": base64.b64encode(codes.astype("<u4").tobytes()).decode(),
        "checksum": base64.b64encode(incidents["checksum"].to_numpy("<u4").tobytes()).decode(),
    }


def population_kept(kept: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """The strata and the checksums that `kept_population` wrote, in the order of the ids."""
    codes = np.frombuffer(base64.b64decode(kept["stratum"]), "<u4")
    return [kept["strata"][code] for code in codes], np.frombuffer(base64.b64decode(kept["checksum"]), "<u4").tolist()


def rows_of(deal: Line, coder: str) -> pd.DataFrame:
    """The rows of a coder's sheet in their order, as they were dealt, with `stratum_size` and `sampling_weight`: what
    each stands for when all that was dealt is reviewed."""
    rows = pd.DataFrame([row for row in deal["rows"] if row["coder"] == coder])
    n_drawn = pd.DataFrame(deal["rows"]).groupby("stratum")["incident_id"].nunique()
    size = rows["stratum"].map(deal["strata"])
    return rows.assign(stratum_size=size, sampling_weight=size / rows["stratum"].map(n_drawn))


def _check(coders: Sequence[str], overlap: int, count: int) -> None:
    for coder in coders:
        if not _CODER.fullmatch(coder):
            raise FindingsError(
                f"--coders {','.join(coders)}: {coder!r} is not a valid coder name. Give names of letters, digits, "
                "dots and hyphens, with commas between them: --coders ana,ben"
            )
    if len({coder.casefold() for coder in coders}) < len(coders):
        raise FindingsError(f"--coders {','.join(coders)}: a name appears twice. Each coder gets one sheet.")
    if overlap and len(coders) == 1:
        raise FindingsError("--overlap needs several coders: with one coder there is nobody to compare with.")
    if overlap and not 0 < overlap <= count:
        raise FindingsError(f"--overlap {overlap}: give a number from 0 to {count}, which is what --review draws.")


def _path_of(output: Path | None, folder: ExperimentFolder, by_name: str, coder: str) -> Path:
    path = output or (folder.review.with_stem(f"{folder.review.stem}_{by_name}") if by_name else folder.review)
    if path.suffix.lower() not in ENDINGS:
        raise FindingsError(f"--output {path}: the file name must end in {' or '.join(ENDINGS)}.")
    return path.with_stem(f"{path.stem}_{coder}") if coder else path


def _shown(read: ToReview, blind: bool) -> pd.DataFrame:
    """The cells that a coder sees of each narrative, by incident and type; those that were not asked about have only a
    text."""
    experiment, name = read.experiment, read.name
    codebook, narratives = experiment.codebook, read.population.narratives
    shown, columns, others = experiment.results, list(REVIEWED), list(experiment.others)
    if not codebook.fits_the_record:
        label = f"{name}_label"
        clashing = f"workbook_{label}"
        labels = shown["row_num"].map(_labels(read.population))
        shown = shown.rename(columns={label: clashing}).assign(**{label: labels})
        others = [clashing if other == label else other for other in others]
        columns = [*_BLIND, label, *_columns_of(codebook, name)]
    columns = [*(_BLIND if blind else columns), *others]
    unasked = narratives.index.difference(pd.Index(shown["row_num"]))
    if len(unasked):
        rows = narratives.loc[unasked, ["incident_id", "narrative_type"]]
        keys = list(rows.itertuples(index=False, name=None))
        texts = texts_of(read, keys)
        cells = [(row_num, *key, texts[key]) for row_num, key in zip(rows.index, keys, strict=True)]
        shown = pd.concat([shown, pd.DataFrame(cells, columns=list(_BLIND)).astype(shown[list(_BLIND)].dtypes)])
    index = pd.MultiIndex.from_frame(shown[["incident_id", "narrative_type"]].astype(object), names=["of", "type"])
    return shown[list(dict.fromkeys(columns))].set_axis(index)


def _labels(population: Population) -> pd.Series:
    """The label of each narrative as text, by its row; its incident's where it has none of its own."""
    narratives = population.narratives
    of_incident = population.incidents["label"].reindex(narratives["incident_id"]).to_numpy()
    labels = [one if one is not None else other for one, other in zip(narratives["label"], of_incident, strict=True)]
    return pd.Series([written(label) for label in labels], narratives.index, dtype="string")


def _columns_of(codebook: Codebook, name: str) -> list[str]:
    """The columns of the results that hold a variable's answer."""
    columns = next(columns for columns in columns_by_variable(codebook) if columns.variable == name)
    return [column for column in columns if column]


def _about(read: ToReview, deal: Line, coder: str) -> list[tuple[str, str]]:
    facts = {
        "experiment": read.experiment.folder.slug,
        "experiment_id": deal["experiment_id"],
        "deal": deal["deal"],
        **({"coder": coder} if coder else {}),
        "variable": f"{read.name} ({read.variable.type})",
    }
    return about(read.variable, facts)


def _about_unasked(read: ToReview) -> str:
    """How many narratives the model was asked about, where these are not all; else an empty text."""
    n = len(read.population.narratives)
    n_asked = int(read.population.narratives.index.isin(read.experiment.results["row_num"]).sum())
    if n_asked == n:
        return ""
    return (
        f"Warning: the model was asked about {n_asked:,} of {count_of(n, 'narrative')}. Incidents with one of the "
        f"other {n - n_asked:,} are in the stratum `{UNASKED}`, without an answer. To deal from all answers, finish "
        "the run first."
    )


def _table_of_strata(deal: Line) -> Table:
    rows = pd.DataFrame(deal["rows"])
    n_drawn = rows.groupby("stratum")["incident_id"].nunique()
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("stratum")
    for name in ("incidents", "drawn", "weight"):
        table.add_column(name, justify="right")
    for name, size in deal["strata"].items():
        table.add_row(name, str(size), str(n_drawn[name]), f"{size / n_drawn[name]:,.1f}")
    return table
