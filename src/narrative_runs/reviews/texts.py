"""The texts of narratives, also of those that were not asked about."""

from collections.abc import Collection

from narrative_runs.errors import ReviewsError
from narrative_runs.reviews.experiment_read import ToReview
from narrative_runs.source.shards import iterate

Key = tuple[str, str]


def texts_of(read: ToReview, keys: Collection[Key]) -> dict[Key, str]:
    """The text of each of these narratives, by incident and type.

    Raises:
        ReviewsError: one is not in the experiment's folder.
        SourceError: the narratives cannot be read.
    """
    folder, wanted = read.experiment.folder, set(keys)
    texts = {
        key: each.narrative_text
        for path in sorted(folder.narratives.glob("*-of-*.parquet"))
        for each in iterate(path)
        if (key := (each.incident_id, each.narrative_type)) in wanted
    }
    if missing := wanted - texts.keys():
        raise ReviewsError(
            f"{folder.narratives}: {len(missing)} of the narratives that were reviewed are not in it. Start the run of "
            f"{folder.slug} again: it is made anew, and nothing is asked."
        )
    return texts
