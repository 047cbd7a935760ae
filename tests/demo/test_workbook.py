import re
from datetime import datetime
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
from openpyxl import load_workbook

from narrative_runs.demo import no_partner_abuse, partner_abuse
from narrative_runs.demo.workbook import incidents, write

PARTNER = (
    r"husband|wife|boyfriend|girlfriend|partner|fianc|spouse|companion|dating|relationship|the man (?:V|she)"
    r"|father of her child"
)
VIOLENCE = (
    r"abus|violen|assault|threat|stalk|chok|strangl|bruis|fracture|beat|shove|push|struck|hurt|broken|stab"
    r"|pull|burn|swollen|marks|lock|arrest|shelter|refuge|order"
)
PLAIN_VERBS = r"\b(?:hit|beat|chok|strangl|abus|assault|threat|stalk|slap|kick|punch)"
KEYWORD_RULES = {
    "abuse in plain words": (r"abus|violen|assault|batter",),
    "court orders and shelters": (r"restraining|protective order|court order|shelter|refuge",),
    "injuries": (r"bruis|fracture|swollen|chok|strangl|split lip|finger marks",),
    "threats and fear": (r"threat|afraid|fear|stalk|follow|control",),
    "partners": (PARTNER,),
    "violence of any kind": (VIOLENCE,),
    "a partner and violence": (PARTNER, VIOLENCE),
    "plain verbs": (PLAIN_VERBS,),
    "a partner and plain verbs": (PARTNER, PLAIN_VERBS),
}


def narratives() -> pd.DataFrame:
    """A row a narrative: text [text], label [0/1]."""
    table = incidents()
    parts = [
        table[[f"Narrative{kind}", f"ipv_manual{kind}"]].set_axis(["text", "label"], axis=1) for kind in ("CME", "LE")
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="text")


def test_counts() -> None:
    """The demo has 24 incidents with 45 narratives, of which 18 show abuse by a partner."""
    told = narratives()
    assert len(incidents()) == 24
    assert len(told) == 45
    assert told["label"].sum() == 18


def test_half_plain_half_hard() -> None:
    """Half of the incidents are plain and half hard, and the first four hold both kinds with and without abuse."""
    kinds = (partner_abuse.PLAIN, no_partner_abuse.HARD, partner_abuse.HARD, no_partner_abuse.PLAIN)
    assert [len(kind) for kind in kinds] == [6, 6, 6, 6]
    firsts = [(kind[0].cme or kind[0].le) for kind in kinds]
    table = incidents().head(4)
    told = table["NarrativeCME"].fillna(table["NarrativeLE"])
    assert told.tolist() == [first.text for first in firsts if first]
    assert table["ipv_manual"].tolist() == [1, 0, 1, 0]


def test_unique() -> None:
    """No incident id and no text occurs twice."""
    assert incidents()["IncidentID"].is_unique
    assert narratives()["text"].is_unique


def test_lengths() -> None:
    """Every narrative has 40 to 110 words."""
    words = narratives()["text"].map(lambda text: len(text.split()))
    assert words.between(40, 110).all(), words.agg(["min", "max"]).to_dict()


def test_blank_narratives_have_no_label() -> None:
    """A label is blank exactly where its narrative is."""
    table = incidents()
    for kind in ("CME", "LE"):
        assert (table[f"Narrative{kind}"].isna() == table[f"ipv_manual{kind}"].isna()).all()


def test_incident_label() -> None:
    """An incident is labelled 1 exactly when either of its narratives is."""
    table = incidents()
    either = (table["ipv_manualCME"] == 1).fillna(False) | (table["ipv_manualLE"] == 1).fillna(False)
    assert (table["ipv_manual"] == either.astype("Int64")).all()


def test_narratives_of_one_incident_differ() -> None:
    """In some incidents the coroner alone tells of the abuse, in others law enforcement alone."""
    table = incidents()
    differences = set((table["ipv_manualCME"] - table["ipv_manualLE"]).dropna())
    assert {-1, 1} <= differences


@pytest.mark.parametrize("rule", KEYWORD_RULES)
def test_no_keyword_rule_is_enough(rule: str) -> None:
    """A keyword rule, however generous, is wrong on at least a fifth of the 45 narratives."""
    told = narratives()
    says_abuse = pd.Series(True, index=told.index)
    for pattern in KEYWORD_RULES[rule]:
        says_abuse &= told["text"].str.contains(pattern, flags=re.IGNORECASE)
    wrong = (says_abuse.astype(int) != told["label"]).sum()
    assert wrong >= 9, f"only {wrong} wrong"


def test_bytes_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workbook has the same bytes whenever it is written."""
    write(tmp_path / "now.xlsx")
    monkeypatch.setattr("time.time", lambda: datetime(2031, 5, 6).timestamp())
    write(tmp_path / "later.xlsx")
    assert (tmp_path / "now.xlsx").read_bytes() == (tmp_path / "later.xlsx").read_bytes()


def test_no_clock_in_the_file(tmp_path: Path) -> None:
    """Neither the document's properties nor the archive's entries hold the time of writing."""
    path = tmp_path / "demo.xlsx"
    write(path)
    fixed = datetime(2024, 1, 1)
    properties = load_workbook(path).properties
    assert (properties.created, properties.modified) == (fixed, fixed)
    with ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2024, 1, 1, 0, 0, 0)}


def test_read_back(tmp_path: Path) -> None:
    """What is read from the written workbook is what was to be written, ids as text with their zeros."""
    path = tmp_path / "folder" / "demo.xlsx"
    write(path)
    sheet = load_workbook(path).active
    rows = list(sheet.iter_rows(values_only=True))
    table = incidents()
    expected = table.astype(object).where(table.notna(), None)
    assert list(rows[0]) == list(table.columns)
    assert [list(row) for row in rows[1:]] == expected.values.tolist()
    assert rows[1][0] == "0001"
