from itertools import product

import numpy as np
import pandas as pd
import pytest

from narrative_runs.export.masked_rows import LEFT_OUT, masked_rows
from narrative_runs.export.no_text import without_text
from narrative_runs.findings.tables import finish
from tests.result_tables import table_at_random

BELOW = 5
TYPES = ("cme", "le")


def rows_of(seed: int, incidents: int) -> pd.DataFrame:
    """Rows without text, with a column of groups of all sizes."""
    results = finish(table_at_random(incidents, seed))
    rng = np.random.default_rng(seed)
    sexes = rng.choice(["F", "M", "other", "unknown"], incidents, p=[0.5, 0.45, 0.03, 0.02])
    results["Sex"] = pd.array(sexes[results["incident_id"].astype("int64")], "string")
    return without_text(results, ["Sex"])


def cells(rows: pd.DataFrame) -> pd.Series:
    """How many labelled answers there are of each type, group, label and detection."""
    answered = rows[~rows["error_occurred"]]
    return answered.groupby(["narrative_type", "Sex", "manual_flag_ind", "detected"]).size()


@pytest.mark.parametrize(("seed", "incidents"), [*product(range(6), (60, 300, 1_500))])
@pytest.mark.slow
def test_no_small_count_is_found_in_the_rows(seed: int, incidents: int) -> None:
    """Of the groups, labels and detections that can be read, none is of few rows; and whoever knows the true number of
    a whole type or group finds out nothing small by counting what is left."""
    rows = rows_of(seed, incidents)
    masked = masked_rows(rows, ["Sex"], BELOW)
    assert len(masked) == len(rows)
    seen, truth = cells(masked), cells(rows)
    seen_classes, classes = (table.groupby(["narrative_type", "Sex"]).sum() for table in (seen, truth))
    hidden = [at for at in classes.index if seen_classes.get(at, 0) < classes[at]]
    assert not len(seen) or seen.min() >= BELOW
    sizes = masked.groupby(["narrative_type", "Sex"], dropna=False).size()
    assert sizes.min() >= BELOW or masked["Sex"].isna().all()
    # What a reader knows of all, of a type or of a group, less what is to be seen of it in the rows.
    for level in ([], ["narrative_type"], ["Sex"]):
        by = [*level, "manual_flag_ind", "detected"]
        known = truth.groupby(by).sum()
        left = (known - seen.groupby(by).sum().reindex(known.index, fill_value=0))[known >= BELOW]
        left = left[left > 0]
        for key, count in zip(left.index.tolist(), left, strict=True):
            # The classes among which what is left may be dealt.
            within = [at for at in hidden if not level or key[0] in at]
            assert len(within) > 1 and count >= BELOW, (by, key, count)


@pytest.mark.slow
def test_nothing_links_the_narratives_of_an_incident() -> None:
    """Neither a number nor the order of the rows tells which narratives are of one incident."""
    rows = rows_of(1, 300)
    masked = masked_rows(rows, ["Sex"], BELOW)
    assert not {*LEFT_OUT} & {*masked.columns}
    shuffled = masked_rows(rows.sample(frac=1, random_state=3), ["Sex"], BELOW)
    pd.testing.assert_frame_equal(masked, shuffled)


@pytest.mark.slow
def test_rows_of_which_nothing_is_rare_keep_what_they_say() -> None:
    """Where all counts are large, groups, labels and answers stay."""
    rows = rows_of(2, 6_000)
    common = rows[rows["Sex"].isin(["F", "M"])]
    masked = masked_rows(common, ["Sex"], BELOW)
    assert cells(masked).equals(cells(common))


def test_without_other_columns_labels_alone_may_be_masked() -> None:
    """The rows of a type with few false negatives lose their labels, and so do those of the other type."""
    rows = rows_of(3, 1_500).drop(columns="Sex")
    is_one = (rows["narrative_type"] == "cme").to_numpy(bool) & rows["is_false_negative"].fillna(False).to_numpy(bool)
    few = rows[~is_one | (is_one.cumsum() <= 2)]
    masked = masked_rows(few, [], BELOW)
    assert masked["manual_flag_ind"].isna().all() and masked["is_true_positive"].isna().all()
    assert masked["detected"].notna().sum() == few["detected"].notna().sum()
