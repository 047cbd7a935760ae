"""The messages about an experiment that came over: what of it did, and what did not."""

from collections.abc import Iterator

from narrative_runs.migration.adoption import Adoption
from narrative_runs.migration.matching import Key, Matched
from narrative_runs.migration.r_params import LOCAL_SERVER
from narrative_runs.source.cells import text_of

NAMED = 20


def of(adoption: Adoption, matched: Matched, is_proved: bool) -> Iterator[str]:
    """The lines for the terminal. is_proved: whether the workbook's checksum was stored, and is the same."""
    row, params = adoption.row, adoption.params
    yield f"Experiment {params.experiment.name} ({adoption.experiment_id}), started {adoption.began_at} in the R system"
    yield (
        f"Workbook {params.data.file}: its checksum is the one that the R system stored."
        if is_proved
        else f"Workbook {params.data.file}: the R system stored no checksum, so each text was compared."
    )
    yield (
        f"{adoption.in_workbook:,} narratives in the workbook, {adoption.wanted:,} wanted: "
        f"{len(adoption.entries):,} results adopted, {adoption.errors:,} of them errors; "
        f"{adoption.left:,} are still to be asked."
    )
    yield from _named("not adopted, and asked again: the text in the workbook is different", matched.different_text)
    yield from _named("not adopted, and asked again: the text that was asked about is not known", matched.unproved)
    yield from _named("left out: not in the workbook", matched.not_in_workbook)
    if matched.without_id:
        yield f"{matched.without_id:,} left out: no incident id or narrative type"
    if matched.replaced:
        yield f"{matched.replaced:,} left out: a later result for the same narrative counts"
    status = text_of(row["status"])
    if adoption.status != status:
        yield f"Its status was {status}; it is {adoption.status} here, so that it can be continued."
    if not row.get("api_url"):
        yield f"The R system stored no api_url: using {LOCAL_SERVER}."
    yield f"Folder: results/{params.slug}/"


def _named(what: str, keys: list[Key]) -> Iterator[str]:
    if keys:
        shown = ", ".join(f"{incident_id} {kind}" for incident_id, kind in keys[:NAMED])
        more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
        yield f"{len(keys):,} {what}: {shown}{more}"
