"""Draws the development sample of a workbook, or takes the one that was drawn, and says what it holds."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from narrative_runs.development.drawing import Candidate, Drawn, draw, most_with_hold_out
from narrative_runs.development.sample_file import KeptSample, keep_sample, read_sample
from narrative_runs.errors import DevelopmentError


def draw_kept(
    candidates: Sequence[Candidate], n: int, data_file: Path, source_md5: str, hold_out: bool | None = None
) -> tuple[Drawn, list[str]]:
    """The first `n` narratives of the workbook's development sample, which is extended where it has fewer.

    hold_out: whether all others are to stay unseen from now on; None for the choice made when the sample was drawn.
    Returns the drawn narratives, and lines that describe them.

    Raises:
        DevelopmentError: a hold-out sample has fewer narratives, or would leave too few of a label unseen; or the kept
            sample cannot be read.
    """
    if n < 1:
        raise DevelopmentError(f"{n} narratives: a development sample has at least one.")
    kept = read_sample(data_file) or KeptSample(str(data_file), source_md5, "")
    is_hold_out = kept.is_hold_out if hold_out is None else hold_out
    drawn = draw(candidates, n, kept.narratives, kept.seed)
    keys = [candidates[index][:2] for index in drawn.indices]
    is_extended = len(set(keys) - set(kept.narratives)) > 0
    if is_hold_out and _has_unseen(candidates, drawn, kept):
        _check_hold_out(candidates, min(n, len(candidates)), kept)
    if is_extended or is_hold_out != kept.is_hold_out or source_md5 != kept.source_md5:
        rest = [key for key in kept.narratives if key not in set(keys)]
        keep_sample(data_file, source_md5, [*keys, *rest], is_hold_out, kept.seed)
    return drawn, _described(candidates, drawn, n, is_hold_out)


def _has_unseen(candidates: Sequence[Candidate], drawn: Drawn, kept: KeptSample) -> bool:
    """Whether any was drawn that stayed unseen so far. Where incidents are drawn whole, the other narratives of a kept
    one are of a death that was seen."""
    keys, incidents = set(kept.narratives), {incident_id for incident_id, _ in kept.narratives}
    chosen = [candidates[index] for index in drawn.indices]
    return any(each[:2] not in keys and not (each.is_of_incident and each.incident_id in incidents) for each in chosen)


def _check_hold_out(candidates: Sequence[Candidate], n: int, kept: KeptSample) -> None:
    if kept.is_hold_out:
        raise DevelopmentError(
            f"The development sample of {kept.data_file} was drawn with --holdout, and has {len(kept.narratives)} "
            f"narratives: a larger one would use some that should stay unseen. Ask for at most {len(kept.narratives)} "
            "narratives, or give up the hold-out: `narrative-runs try` with --no-holdout."
        )
    most = most_with_hold_out(candidates, kept.seed)
    if n > most:
        raise DevelopmentError(
            f"A development sample of {n} narratives would leave less than half of the narratives of a label unseen. "
            f"With --holdout, {kept.data_file} allows at most {most}: give --sample {most} or less."
        )


def _described(candidates: Sequence[Candidate], drawn: Drawn, asked_for: int, is_hold_out: bool) -> list[str]:
    n = len(drawn.indices)
    chosen = [candidates[index] for index in drawn.indices]
    incidents, counts = len({each.incident_id for each in chosen}), Counter(each.label for each in chosen)
    are_of_incidents = any(each.is_of_incident for each in chosen)
    if are_of_incidents:
        counts = Counter({each.incident_id: each.label for each in chosen}.values())
    labels = ", ".join(f"{counts[label]} labelled {label}" for label in sorted(filter(None, counts), reverse=True))
    unlabelled = f"{counts['']} without a label" if counts[""] else ""
    of_labels = ", ".join(filter(None, [labels, unlabelled]))
    whose = "of these incidents " if are_of_incidents else ""
    lines = [f"Development sample: {n} narratives of {incidents} incidents ({whose}{of_labels})."]
    if n < asked_for:
        lines.append(f"The workbook has no more than these {n}.")
    if is_hold_out:
        rest = len({each.incident_id for each in candidates}) - incidents
        lines.append(f"Hold-out: the other {rest:,} incidents are kept unseen, to measure the chosen prompt on.")
    return lines
