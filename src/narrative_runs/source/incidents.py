"""What a workbook says of its incidents, beyond their narratives: labels of their own, and labels of blank narratives.

An incident whose missing narrative is labelled 0 lacks nothing. One whose missing narrative is labelled 1 is
inconsistent: a person saw something that no model could read.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.source.repeats import KEY

_SCHEMA = pa.schema(
    [
        pa.field("incident_id", pa.string(), nullable=False),
        pa.field("label", pa.int64()),
        pa.field("is_inconsistent", pa.bool_(), nullable=False),
    ]
)


def labelled_blanks(cells: pd.DataFrame, is_skipped: pd.Series, kept: pd.DataFrame) -> pd.DataFrame:
    """The cells that are not narratives but have a label of their own, one per key.

    In: every text cell with an id, as `Collected.table` gives them; which of them are skipped; the rows that became
    narratives: a blank repeat of one of these is not a missing narrative.
    """
    blanks = cells[is_skipped & cells["manual_flag_ind"].notna()]
    narratives = pd.MultiIndex.from_frame(kept[KEY])
    is_missing = ~pd.MultiIndex.from_frame(blanks[KEY]).isin(narratives)
    # Of a repeated key the highest label counts.
    return blanks[is_missing].sort_values("manual_flag_ind", ascending=False, kind="stable").drop_duplicates(KEY)


def incidents_of(kept: pd.DataFrame, blanks: pd.DataFrame, have_own_labels: bool) -> pd.DataFrame:
    """One row per incident, in workbook order: `incident_id`, `label` (its own; Int64), `is_inconsistent` (bool).

    In: the narratives; what `labelled_blanks` gives; whether the workbook has a column of labels of incidents, and not
    those of their narratives alone.
    """
    own = kept.groupby("incident_id", sort=False)["manual_flag"].max()
    positive = blanks.loc[blanks["manual_flag_ind"] == 1, "incident_id"]
    return pd.DataFrame(
        {
            "incident_id": own.index,
            "label": own.to_numpy() if have_own_labels else pd.array([pd.NA] * len(own), "Int64"),
            "is_inconsistent": own.index.isin(positive),
        }
    )


def write_incidents(incidents: pd.DataFrame, path: Path) -> None:
    """Write them; the file is there whole or not at all."""
    with written_whole(path) as draft:
        pq.write_table(pa.Table.from_pandas(incidents, _SCHEMA, preserve_index=False), draft, compression="zstd")


def read_incidents(path: Path) -> pd.DataFrame:
    """What `write_incidents` wrote."""
    table: pd.DataFrame = pq.read_table(path).to_pandas()
    return table.astype({"incident_id": "string", "label": "Int64"})
