from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

from narrative_runs import review_file
from narrative_runs.reviews.reviewed import reviewed
from tests.coded_experiment import CODEBOOK, FOLDER, write_experiment
from tests.reviewed_experiment import fill, run

HIDDEN = 6


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The results of a finished experiment with all types of variables, in a project of its own; the last narratives of
    the workbook were not asked about."""
    monkeypatch.chdir(tmp_path)
    results = write_experiment()
    unasked = pd.DataFrame(
        {
            "row_num": range(1_001, 1_001 + HIDDEN),
            "incident_id": [f"unasked{number // 2}" for number in range(HIDDEN)],
            "narrative_type": ["cme", "le"] * (HIDDEN // 2),
            "narrative_text": [f"Not asked {number}." for number in range(HIDDEN)],
        }
    )
    columns = list(unasked.columns)
    whole = pd.concat([results[columns], unasked]).assign(manual_flag_ind=None, manual_flag=None, source_row=None)
    whole = whole.astype(dict.fromkeys(("manual_flag_ind", "manual_flag", "source_row"), "Int64"))
    whole.to_parquet(FOLDER.narratives_of(1, 1), index=False)
    return results


def deal(monkeypatch: pytest.MonkeyPatch, name: str, *words: str) -> pd.DataFrame:
    """The sheet of a coder who reviews one variable."""
    run(monkeypatch, "export", "coded", "--review", "30", "--variable", name, "--coders", "ana", *words)
    return pd.read_excel(f"results/coded/review_{name}_ana.xlsx", dtype=object, engine="openpyxl")


def _differing(value: str, row: pd.Series) -> str:
    return value if row["narrative_type"] == "cme" else "middle"


@pytest.mark.parametrize("name", CODEBOOK.names)
@pytest.mark.slow
def test_every_variable_can_be_dealt_and_comes_back(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of every type of variable, a sheet holds whole incidents with those that were not asked about, and what is typed
    into it becomes the truth."""
    typed = {"weapon": "Low", "severity": "high", "persons": "low; high", "age": 25}
    truth = {"weapon": "low", "severity": "high", "persons": ("low", "high"), "age": 25.0}
    sheet = deal(monkeypatch, name, "--blind")
    assert list(sheet) == [
        *("review_row", "row_num", "incident_id", "narrative_type", "narrative_text"),
        *("reviewer_verdict", "reviewer_notes"),
    ]
    assert sheet["incident_id"].nunique() == 30 and "unasked0" in set(sheet["incident_id"])
    whole = pd.read_parquet(FOLDER.narratives_of(1, 1)).groupby("incident_id").size()
    assert (sheet.groupby("incident_id").size() == whole.reindex(sorted(set(sheet["incident_id"])))).all()
    path = Path(f"results/coded/review_{name}_ana.xlsx")
    run(monkeypatch, "review", "import", str(fill(path, lambda _: typed.get(name, 1))), "--coder", "ana")
    found = reviewed("coded", name)
    is_reviewed = found.incidents["is_reviewed"]
    assert set(found.incidents.index[is_reviewed]) == set(sheet["incident_id"])
    if name not in ("evidence", "summary"):
        assert set(found.incidents["truth"][is_reviewed]) == {truth.get(name, True)}
    run(monkeypatch, "review", "show", "coded")


def test_who_is_not_blind_sees_answer_label_and_weight(results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet that is not blind has stratum and weight, the label and the answer of the variable, the workbook's other
    columns, and a list of values to choose from."""
    sheet = deal(monkeypatch, "weapon")
    assert list(sheet)[:10] == [
        *("review_row", "stratum", "stratum_size", "sampling_weight"),
        *("row_num", "incident_id", "narrative_type", "narrative_text", "weapon_label", "weapon"),
    ]
    assert "Weapon" in sheet
    (listed,) = load_workbook("results/coded/review_weapon_ana.xlsx")["review"].data_validations.dataValidation
    assert listed.formula1 == '"low,middle,high,unclear"'
    first = sheet.drop_duplicates("incident_id")
    assert first["sampling_weight"].astype(float).sum() == pytest.approx(results["incident_id"].nunique() + HIDDEN // 2)
    by_row = results.set_index("row_num")
    asked = sheet[sheet["row_num"] < 1_000]
    assert asked["narrative_text"].tolist() == by_row.loc[asked["row_num"], "narrative_text"].tolist()
    labels = by_row.loc[asked["row_num"], "Weapon"].fillna("")
    assert asked["weapon_label"].fillna("").tolist() == labels.tolist()


def test_a_column_of_the_workbook_is_not_taken_for_one_of_the_sheet(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of the workbook that is called as the row's id is has another name in the sheet."""
    table = pd.read_parquet("results/coded/results.parquet")
    table = table.rename(columns={"Threat": "review_row", "Age": "row", "PersonsLE": "weapon_label"})
    table.to_parquet("results/coded/results.parquet")
    sheet = deal(monkeypatch, "weapon")
    assert "workbook_review_row" in sheet and "row" in sheet and sheet["review_row"].str.fullmatch("[a-z]{8}").all()
    asked = sheet[sheet["row_num"] < 1_000]
    by_row = results.set_index("row_num").loc[asked["row_num"], ["Weapon", "PersonsLE"]].fillna("")
    assert asked["weapon_label"].fillna("").tolist() == by_row["Weapon"].tolist()
    assert asked["workbook_weapon_label"].fillna("").tolist() == by_row["PersonsLE"].tolist()


@pytest.mark.slow
def test_disagreements_are_decided(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What coders do not agree on comes out as a sheet with the verdicts and notes of each; filled in by anybody, it
    decides, and none is open any more."""
    words = ("export", "coded", "--review", "24", "--variable", "weapon", "--coders", "ana,ben", "--overlap", "24")
    run(monkeypatch, *words)
    for coder, value in (("ana", "low"), ("ben", "high")):
        path = Path(f"results/coded/review_weapon_{coder}.xlsx")
        fill(path, partial(_differing, value))
        run(monkeypatch, "review", "import", str(path), "--coder", coder)
    before = reviewed("coded", "weapon")
    assert before.open_disagreements and not before.incidents["is_reviewed"].all()
    run(monkeypatch, "review", "disagreements", "coded", "--variable", "weapon")
    sheet = pd.read_excel("results/coded/disagreements_weapon.xlsx", dtype=object, engine="openpyxl")
    keys = set(zip(sheet["incident_id"], sheet["narrative_type"], strict=True))
    assert keys == set(before.open_disagreements) and {kind for _, kind in keys} == {"cme"}
    assert set(sheet["verdict_of_ana"]) == {"low"} and set(sheet["verdict_of_ben"]) == {"high"}
    path = fill(Path("results/coded/disagreements_weapon.xlsx"), lambda _: "middle")
    run(monkeypatch, "review", "import", str(path), "--coder", "Professor Cleo")
    after = reviewed("coded", "weapon")
    assert after.open_disagreements == {}
    decided = after.incidents[after.incidents["source"] == "adjudicated"]
    assert set(decided.index) == {incident for incident, _ in keys} and set(decided["truth"]) == {"middle"}
    capsys.readouterr()
    run(monkeypatch, "review", "disagreements", "coded", "--variable", "weapon")
    assert "there is no open disagreement" in capsys.readouterr().out
    run(monkeypatch, "review", "show", "coded")
    said = capsys.readouterr().out
    assert (
        f"Disagreements of coders: {len(keys)}, of which 0 are undecided." in said
        and "No verdict: it takes 3 coders" in said
    )


@pytest.mark.slow
def test_verdicts_on_one_variable_are_none_on_another(results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is dealt for itself: the verdicts on one are none on another."""
    deal(monkeypatch, "weapon")
    deal(monkeypatch, "severity")
    path = Path("results/coded/review_weapon_ana.xlsx")
    run(monkeypatch, "review", "import", str(fill(path, lambda _: "low")), "--coder", "ana")
    assert reviewed("coded", "weapon").incidents["is_reviewed"].sum() == 30
    assert not reviewed("coded", "severity").incidents["is_reviewed"].any()
    assert len(review_file.deals(review_file.read(FOLDER))) == 2


def of_nobody(monkeypatch: pytest.MonkeyPatch, count: int, *words: str) -> pd.DataFrame:
    """A sample for a reader without a name."""
    run(monkeypatch, "export", "coded", "--review", str(count), *words, "--output", "out.csv", "--force")
    return pd.read_csv("out.csv")


@pytest.mark.parametrize(("words", "name"), [((), "review.xlsx"), (("--variable", "weapon"), "review_weapon.xlsx")])
@pytest.mark.slow
def test_a_sheet_of_nobody_has_the_name_of_what_was_asked(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str
) -> None:
    """Without --coders there is one sheet, called after the variable that was named, and by the first binary one where
    none was; its verdicts come back as those of any sheet."""
    run(monkeypatch, "export", "coded", "--review", "24", *words)
    assert [path.name for path in FOLDER.path.glob("review*.xlsx")] == [name]
    path = fill(FOLDER.path / name, lambda _: "low" if words else 1)
    run(monkeypatch, "review", "import", str(path), "--coder", "cleo")
    assert reviewed("coded", "weapon" if words else "detected").incidents["is_reviewed"].sum() == 24


@pytest.mark.slow
def test_a_seed_draws_the_same(results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed draws the same sheet, another one other incidents; a larger sample holds the smaller one, in the
    same order; and weights add up to all incidents of the workbook."""
    words = ("--variable", "weapon", "--seed", "5")
    small, again, large = (of_nobody(monkeypatch, count, *words) for count in (16, 16, 30))
    pd.testing.assert_frame_equal(small, again)
    kept = large[large["row_num"].isin(small["row_num"])]
    assert kept["row_num"].tolist() == small["row_num"].tolist() and len(kept) < len(large)
    other = of_nobody(monkeypatch, 16, "--variable", "weapon", "--seed", "6")
    assert set(other["incident_id"]) != set(small["incident_id"])
    for sheet in (small, large):
        first = sheet.drop_duplicates("incident_id")
        assert first["sampling_weight"].sum() == pytest.approx(results["incident_id"].nunique() + HIDDEN // 2)
        sizes = first.groupby("stratum")["sampling_weight"].sum()
        assert sizes.to_dict() == pytest.approx(first.groupby("stratum")["stratum_size"].first().to_dict())


@pytest.mark.slow
def test_a_blind_sheet_has_the_rows_of_its_key(results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blind, the sheet holds the narratives of the key in its order, of the workbook's columns those that are named,
    and nothing of answers and labels."""
    key = of_nobody(monkeypatch, 24, "--variable", "severity")
    blind = of_nobody(monkeypatch, 24, "--variable", "severity", "--blind", "--columns", "Age", "Threat")
    assert list(blind) == [
        *("review_row", "row_num", "incident_id", "narrative_type", "narrative_text", "Age", "Threat"),
        *("reviewer_verdict", "reviewer_notes"),
    ]
    assert key["row_num"].tolist() == blind["row_num"].tolist() and {"severity_label", "stratum"} <= set(key)
    others = pd.read_parquet(FOLDER.other_columns).columns.drop("row_num")
    assert list(key)[-2 - len(others) :] == [*others, "reviewer_verdict", "reviewer_notes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("9", "--variable", "gun"), "There are: detected, weapon, severity"),
        (("2", "--variable", "weapon"), "the incidents fall into . strata"),
        (("9", "--blind", "--columns", "County"), "named County. There are: Weapon, SeverityCME"),
    ],
)
def test_a_sample_that_cannot_be_drawn_is_told(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    """What does not suit the codebook or the workbook ends with a message, no file, and nothing dealt."""
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "export", "coded", "--review", *words, "--output", "out.csv")
    assert not Path("out.csv").exists() and not FOLDER.reviews.exists()


@pytest.mark.slow
def test_a_codebook_without_yes_and_no_names_a_variable(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no variable is binary there is none to draw by, and the message names those that there are."""
    monkeypatch.setattr("narrative_runs.codebook.variables.Codebook.first_binary", None)
    with pytest.raises(SystemExit, match="--variable detected or weapon or severity"):
        run(monkeypatch, "export", "coded", "--review", "20")
    run(monkeypatch, "export", "coded", "--review", "20", "--variable", "weapon")
    assert "weapon in coded: 20 incidents" in capsys.readouterr().out


def test_a_sample_of_a_part_of_the_answers_warns(
    results: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where some narratives were not asked about, the command says how many were and in which stratum the others are,
    and deals; where all were asked about there is no warning."""
    words = ("export", "coded", "--review", "30", "--variable", "weapon", "--coders", "ana")
    run(monkeypatch, *words)
    said = capsys.readouterr().out
    n = len(results) + HIDDEN
    assert (
        f"Warning: the model was asked about {len(results)} of {n} narratives. " in said and f"other {HIDDEN} " in said
    )
    assert "in the stratum `unasked`" in said and Path("results/coded/review_weapon_ana.xlsx").exists()
    whole = pd.read_parquet(FOLDER.narratives_of(1, 1))
    whole[: len(results)].to_parquet(FOLDER.narratives_of(1, 1), index=False)
    run(monkeypatch, *words, "--force")
    assert "Warning" not in capsys.readouterr().out
