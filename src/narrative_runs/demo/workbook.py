"""Writes the demo's workbook: `python -m narrative_runs.demo.workbook data/narratives.xlsx`.

About half of the incidents are plain and half are hard. Real reports hold both. Hard ones alone would bring a small
model down to chance, so that its metrics would say nothing; with plain ones alone a search for keywords would do as
well as a model.

The same bytes at every call, so that the checksum that DVC tracks stays true.
"""

import sys
from datetime import datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pandas as pd
from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.xml.functions import tostring

from narrative_runs.demo import no_partner_abuse, partner_abuse
from narrative_runs.demo.incident import Narrative

_WRITTEN_AT = datetime(2024, 1, 1)
_FIRST_YEAR, _YEARS = 2016, 5
_FIRST_SITE, _SITES = 11, 4


def incidents() -> pd.DataFrame:
    """The 24 invented incidents in the labelled layout, a row each.

    Columns: IncidentID [text], IncidentYear [year], SiteID [number of the reporting site], NarrativeCME and
    NarrativeLE [text, missing where blank], ipv_manualCME, ipv_manualLE [0/1, missing where the narrative is
    blank], ipv_manual [0/1, 1 if either is 1]. Incidents with and without partner abuse alternate, plain and hard
    ones of each, so that a pilot of the first four holds all.
    """
    alternating = chain.from_iterable(
        zip(partner_abuse.PLAIN, no_partner_abuse.HARD, partner_abuse.HARD, no_partner_abuse.PLAIN, strict=True),
    )
    rows = [
        {
            "IncidentID": f"{index + 1:04d}",
            "IncidentYear": _FIRST_YEAR + index % _YEARS,
            "SiteID": _FIRST_SITE + index % _SITES,
            "NarrativeCME": _text(incident.cme),
            "NarrativeLE": _text(incident.le),
            "ipv_manualCME": _label(incident.cme),
            "ipv_manualLE": _label(incident.le),
            "ipv_manual": max(_label(incident.cme) or 0, _label(incident.le) or 0),
        }
        for index, incident in enumerate(alternating)
    ]
    labels = ["ipv_manualCME", "ipv_manualLE", "ipv_manual"]
    return pd.DataFrame(rows).astype(dict.fromkeys(labels, "Int64"))


def write(path: Path) -> None:
    """Write the incidents to the XLSX file `path`, the same bytes at every call; makes its folder."""
    book = Workbook()
    sheet = book.active
    sheet.title = "narratives"
    table = incidents()
    sheet.append(list(table.columns))
    for row in table.astype(object).where(table.notna(), None).itertuples(index=False):
        sheet.append(list(row))
    as_saved = BytesIO()
    book.save(as_saved)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_clock(as_saved))


def _text(narrative: Narrative | None) -> str | None:
    return narrative.text if narrative else None


def _label(narrative: Narrative | None) -> int | None:
    return int(narrative.partner_abuse) if narrative else None


def _without_clock(as_saved: BytesIO) -> bytes:
    """The same workbook with one fixed time everywhere that saving stamps the clock."""
    # Stored, not deflated: compressed bytes differ between builds of zlib.
    properties = DocumentProperties(creator="narrative-runs", created=_WRITTEN_AT, modified=_WRITTEN_AT)
    packed = BytesIO()
    with ZipFile(as_saved) as source, ZipFile(packed, "w", ZIP_STORED) as target:
        for name in source.namelist():
            content = tostring(properties.to_tree()) if name == "docProps/core.xml" else source.read(name)
            target.writestr(ZipInfo(name, _WRITTEN_AT.timetuple()[:6]), content)
    return packed.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m narrative_runs.demo.workbook FILE.xlsx")
    write(Path(sys.argv[1]))
