import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook

from narrative_runs import review_file
from narrative_runs.record import database
from narrative_runs.reviews.reviewed import reviewed
from tests.reviewed_experiment import fill, run, write_experiment
from tests.small_experiment import FOLDER

DEAL = ("export", "cases", "--review", "20", "--coders", "ana,ben", "--overlap", "8", "--blind")
ANA, BEN = Path("results/cases/review_ana.xlsx"), Path("results/cases/review_ben.xlsx")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished experiment, of which a sample is dealt to two coders."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        write_experiment(40, asked=70)
        run(monkeypatch, *DEAL)
    return folder


@pytest.fixture(autouse=True)
def here(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is a copy of it."""
    shutil.copytree(written, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def truth(row: pd.Series) -> int:
    """A verdict that follows from the narrative."""
    return int(str(row["narrative_text"]).split()[4].rstrip(".")) % 2


def bring(monkeypatch: pytest.MonkeyPatch, path: Path, coder: str) -> None:
    """Import a sheet."""
    run(monkeypatch, "review", "import", str(path), "--coder", coder)


def verdicts() -> dict[tuple[str, str, str], str]:
    """The latest verdicts, by coder, incident and type; each is there once, in the record too."""
    latest = review_file.latest_verdicts(review_file.read(FOLDER))
    found = {(each.coder, each.incident_id, each.narrative_type): each.verdict for each in latest}
    assert len(found) == len(latest)
    rows = database.query("SELECT coder, incident_id, narrative_type, verdict FROM reviews")
    assert {tuple(row.values())[:3]: row["verdict"] for row in rows} == found
    return found


def dealt_to(coder: str) -> dict[tuple[str, str, str], str]:
    """What a coder who judges by `truth` says of all that was dealt."""
    (deal,) = review_file.deals(review_file.read(FOLDER)).values()
    keys = [(coder, row["incident_id"], row["narrative_type"]) for row in deal["rows"] if row["coder"] == coder]
    return {key: "yes" if int(key[1]) % 2 else "no" for key in keys}


@pytest.mark.slow
def test_a_blind_sheet_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blind sheet holds the id of a row, the narrative and room for the verdict; no cell of it tells answer, label,
    stratum or weight."""
    book = load_workbook(ANA)
    header, *rows = book["review"].values
    assert header == (
        *("review_row", "row_num", "incident_id", "narrative_type", "narrative_text"),
        *("reviewer_verdict", "reviewer_notes"),
    )
    facts = {str(name): value for name, value in list(book["about"].values)[1:]}
    assert facts["coder"] == "ana" and facts["experiment"] == "cases"
    told = " ".join(str(cell) for sheet in book for row in sheet.values for cell in row)
    assert not any(word in told for word in ("positive", "unasked", "error", "weight"))
    assert len(rows) == len(dealt_to("ana")) and any(row[1] > 70 for row in rows)


def test_the_same_command_deals_the_same_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet that was lost is written again, with the ids that it had, and nothing is dealt anew."""
    before, lines = ANA.read_bytes(), FOLDER.reviews.read_bytes()
    run(monkeypatch, *DEAL, "--force")
    assert ANA.read_bytes() == before and FOLDER.reviews.read_bytes() == lines


def test_two_coders_and_the_same_file_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each coder's verdicts come in once, whatever the case of the name, and a second time changes no byte."""
    bring(monkeypatch, fill(ANA, truth), "Ana")
    bring(monkeypatch, fill(BEN, truth), "ben")
    assert verdicts() == {**dealt_to("ana"), **dealt_to("ben")}
    before = FOLDER.reviews.read_bytes()
    bring(monkeypatch, ANA, "ana")
    assert FOLDER.reviews.read_bytes() == before
    assert (
        f"ana: 0 new verdicts, 0 changed, {len(dealt_to('ana'))} as before, 0 blank, 0 not imported"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_a_sheet_as_excel_leaves_it(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Sorted, with rows deleted, columns moved, ids that lost their zeros, and a title above: nothing is lost, and what
    was deleted comes in with a later file."""
    whole = fill(ANA, truth, Path("filled.xlsx"))
    sheet = pd.read_excel(whole, dtype=object, engine="openpyxl")
    broken = sheet.assign(incident_id=[int(each) for each in sheet["incident_id"]]).sort_values("narrative_text")
    broken = broken[[*reversed(list(broken.columns))]].iloc[5:]
    path = Path(f"broken{ending}")
    if ending == ".csv":
        path.write_text(";;\n" + broken.to_csv(index=False, sep=";"), encoding="utf-8-sig")
    else:
        broken.to_excel(path, index=False, startrow=3, engine="openpyxl")
    bring(monkeypatch, path, "ana")
    assert len(verdicts()) == len(sheet) - 5 and verdicts().items() <= dealt_to("ana").items()
    bring(monkeypatch, whole, "ana")
    assert verdicts() == dealt_to("ana")


def test_what_cannot_be_taken_is_told_by_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell that cannot be read, a row that was never dealt, another coder's row, another text and two verdicts on one
    narrative are each told with the cell, and all others are taken."""
    sheet = pd.read_excel(fill(ANA, truth), dtype=object, engine="openpyxl")
    rows = sheet.to_dict("records")
    rows[0]["reviewer_verdict"] = "perhaps"
    rows[1]["review_row"] = "bbbbbbbb"
    rows[2]["review_row"] = pd.read_excel(BEN, engine="openpyxl")["review_row"][0]
    rows[3]["narrative_text"], rows[4]["narrative_text"] = rows[4]["narrative_text"], rows[3]["narrative_text"]
    rows[5]["reviewer_verdict"] = None
    rows.append({**rows[6], "reviewer_verdict": 1 - rows[6]["reviewer_verdict"]})
    rows.append(rows[7])
    pd.DataFrame(rows).to_excel(ANA, index=False, engine="openpyxl")
    bring(monkeypatch, ANA, "ana")
    said = capsys.readouterr().out
    n = len(sheet)
    for words in (
        "F2: 'perhaps': it is neither yes nor no: give 1 or 0, or yes or no; if the text does not say, give unclear",
        "A3: review_row 'bbbbbbbb' was never dealt",
        "was dealt to ben",
        "A5: the text is not the one of",
        "A6: the text is not the one of",
        f"F8 and F{n + 2} are verdicts on one narrative, and differ",
        f"ana: {n - 7} new verdicts, 0 changed, 0 as before, 1 blank, 6 not imported",
    ):
        assert words in said, words
    assert len(verdicts()) == n - 7


def test_a_changed_verdict_takes_the_place_of_the_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The later verdict counts and both stay in the file; a cell that was emptied changes nothing."""
    bring(monkeypatch, fill(ANA, truth), "ana")
    n_lines = len(review_file.read(FOLDER))
    first = str(pd.read_excel(ANA, engine="openpyxl")["review_row"][0])
    bring(monkeypatch, fill(ANA, lambda row: "unclear" if row["review_row"] == first else None), "ana")
    assert len(review_file.read(FOLDER)) == n_lines + 1
    assert list(verdicts().values()).count("unclear") == 1 and len(verdicts()) == len(dealt_to("ana"))


def test_sheets_that_do_not_belong_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another coder's sheet, one of another project, one that was never dealt and a file with rows of two experiments
    end with a message, and nothing is taken."""
    filled = fill(ANA, truth, Path("filled.xlsx"))
    before = FOLDER.reviews.read_bytes()
    with pytest.raises(SystemExit, match="was dealt to ana, and not to ben"):
        bring(monkeypatch, filled, "ben")
    pd.DataFrame({"incident_id": ["0001"], "verdict": [1]}).to_excel("own.xlsx", index=False, engine="openpyxl")
    with pytest.raises(SystemExit, match="has no column reviewer_verdict, and none by which"):
        bring(monkeypatch, Path("own.xlsx"), "ana")
    sheet = pd.read_excel(filled, dtype=object, engine="openpyxl")
    sheet.assign(review_row="zzzzzzzz").to_excel("strange.xlsx", index=False, engine="openpyxl")
    with pytest.raises(SystemExit, match=r"none of its rows \(1\) was dealt here"):
        bring(monkeypatch, Path("strange.xlsx"), "ana")
    with pytest.raises(SystemExit, match="does not exist"):
        bring(monkeypatch, Path("nothing.xlsx"), "ana")
    assert FOLDER.reviews.read_bytes() == before


@pytest.mark.slow
def test_experiments_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with rows of two experiments is refused, and so is one of another experiment than the one that is
    named."""
    other = Path("results/other")
    shutil.copytree(FOLDER.path, other)
    (other / "reviews.jsonl").unlink()
    (other / "reviews.sealed.json").unlink()
    run(monkeypatch, "export", "other", *DEAL[2:], "--seed", "5", "--force")
    first, second = (fill(path, truth) for path in (ANA, other / "review_ana.xlsx"))
    with pytest.raises(SystemExit, match="rows of cases: reviews of experiments are not mixed"):
        run(monkeypatch, "review", "import", str(first), "--coder", "ana", "--experiment", "other")
    sheets = [pd.read_excel(path, dtype=object, engine="openpyxl") for path in (first, second)]
    pd.concat(sheets).to_excel("both.xlsx", index=False, engine="openpyxl")
    with pytest.raises(SystemExit, match=r"rows of cases, .* rows of other"):
        bring(monkeypatch, Path("both.xlsx"), "ana")
    assert len(review_file.read(FOLDER)) == 1


def test_gaps_in_the_order_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads from the top leaves no gap; who picks rows is told of each stratum what was passed over."""
    bring(monkeypatch, fill(ANA, truth, rows=slice(0, 12)), "ana")
    assert "passed over" not in capsys.readouterr().out
    bring(monkeypatch, fill(BEN, truth, rows=slice(10, None)), "ben")
    said = capsys.readouterr().out
    assert "Incidents were passed over" in said and "  ben, detected, " in said and "  ana" not in said


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of an import a kill let reach the disk, the same command brings the rest, each verdict once."""
    before, seal = FOLDER.reviews.read_bytes(), FOLDER.reviews_seal.read_bytes()
    fill(ANA, truth)
    bring(monkeypatch, ANA, "ana")
    after = FOLDER.reviews.read_bytes()
    for size in range(len(before), len(after) + 1, (len(after) - len(before)) // 7):
        FOLDER.reviews.write_bytes(after[:size])
        FOLDER.reviews_seal.write_bytes(seal)
        bring(monkeypatch, ANA, "ana")
        assert verdicts() == dealt_to("ana")
        assert sum(line["line"] == "verdict" for line in review_file.read(FOLDER)) == len(dealt_to("ana"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--coders", "ana,Ana"), "a name appears twice"),
        (("--coders", "a/b"), "is not a valid coder name"),
        (("--coders", "ana", "--overlap", "3"), "--overlap needs several coders"),
        (("--coders", "ana,ben", "--overlap", "21"), "give a number from 0 to 20"),
        (("--overlap", "3"), "--overlap can only be used with --coders"),
        (("--coders", "ana", "--output", "a.ods"), "must end in .xlsx or .csv"),
        (("--output", "a.ods"), "must end in .xlsx or .csv"),
        (("--review", "5"), "the incidents fall into 6 strata (.*), and each needs one. Ask for 6 or more"),
        (("--review", "-1"), "Ask for 6 or more"),
        (("--variable", "rationale"), r"there is no such variable. There are: detected\."),
        (("--columns", "Sex"), "--columns can only be used with --no-text or --blind"),
        (("--blind", "--columns", "detected"), "no workbook column named detected"),
    ],
)
def test_what_cannot_be_dealt_is_told(monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...], message: str) -> None:
    """A wrong option ends with a message, and nothing is dealt."""
    before = FOLDER.reviews.read_bytes()
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "export", "cases", "--review", "20", *words)
    assert FOLDER.reviews.read_bytes() == before


def not_dealt(monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    """A sheet as 0.1.0 wrote it: without ids of rows, of which nobody knows how they were drawn."""
    path = Path("results/plain.xlsx")
    run(monkeypatch, "export", "cases", "--review", "12", "--output", str(path), *words)
    sheet = pd.read_excel(path, dtype=object, engine="openpyxl").drop(columns="review_row")
    sheet.to_excel(path, index=False, sheet_name="review", engine="openpyxl")
    return path


@pytest.mark.parametrize("blind", [(), ("--blind",)])
@pytest.mark.slow
def test_verdicts_on_chosen_rows_are_kept_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], blind: tuple[str, ...]
) -> None:
    """A sheet that was not dealt comes back once, ids that lost their zeros too, and counts in no stratum; one that
    shows another answer than the one of now is told by cell."""
    path = not_dealt(monkeypatch, *blind)
    with pytest.raises(SystemExit, match="Add --experiment SLUG"):
        bring(monkeypatch, fill(path, truth), "cleo")
    sheet = pd.read_excel(path, dtype=object, engine="openpyxl")
    broken = sheet.assign(incident_id=[int(each) for each in sheet["incident_id"]])
    n_other = 0
    if not blind:
        is_given = sheet["detected"].notna()
        at = sheet.index[is_given][:2]
        broken.loc[at, "detected"] = [not each for each in sheet.loc[at, "detected"]]
        n_other = 2
    broken.to_excel(path, index=False, engine="openpyxl")
    for _ in range(2):
        run(monkeypatch, "review", "import", str(path), "--coder", "cleo", "--experiment", "cases")
    said = capsys.readouterr().out
    assert said.count("another answer than the one of now") == 2 * n_other and "enter no estimate" in said
    n = len(sheet)
    assert f"0 new verdicts, 0 changed, {n - n_other} as before, 0 blank, {n_other} not imported" in said
    known = {(row["incident_id"], row["narrative_type"]): truth(row) for _, row in sheet.iterrows()}
    found = {(incident, kind): verdict == "yes" for (coder, incident, kind), verdict in verdicts().items()}
    assert len(found) == n - n_other and found.items() <= known.items()
    assert not reviewed("cases").incidents["is_reviewed"].any()
    (purpose,) = database.query("SELECT DISTINCT purpose, sampling_weight FROM reviews")
    assert tuple(purpose.values()) == ("chosen", None)


def test_sheets_of_several_variables_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook with verdicts in several sheets that were not dealt is refused: each may be about another variable."""
    sheet = pd.read_excel(fill(not_dealt(monkeypatch), truth), dtype=object, engine="openpyxl")
    with pd.ExcelWriter("two.xlsx", engine="openpyxl") as book:
        for name in ("one", "two"):
            sheet.to_excel(book, sheet_name=name, index=False)
    with pytest.raises(SystemExit, match="has verdicts in 2 sheets"):
        run(monkeypatch, "review", "import", "two.xlsx", "--coder", "ana", "--experiment", "cases")


PLAIN = Path("results/cases/review.xlsx")


def test_a_sheet_of_nobody_comes_back_under_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --coders one sheet is dealt; the command that is printed, with a name in the place of NAME, brings its
    verdicts into a sample that estimates use."""
    run(monkeypatch, "export", "cases", "--review", "18", "--blind")
    (printed,) = re.findall(r"`narrative-runs (review import .*)`", capsys.readouterr().out)
    facts = {str(name): value for name, value in list(load_workbook(PLAIN)["about"].values)[1:]}
    assert facts["experiment"] == "cases" and "coder" not in facts
    sheet = pd.read_excel(fill(PLAIN, truth), dtype=object, engine="openpyxl")
    assert sheet["incident_id"].nunique() == 18
    run(monkeypatch, *shlex.split(printed.replace("NAME", "'Cleo Diaz'")))
    assert verdicts() == {
        ("Cleo Diaz", row["incident_id"], row["narrative_type"]): "yes" if row["reviewer_verdict"] else "no"
        for _, row in sheet.iterrows()
    }
    incidents = reviewed("cases").incidents
    assert set(incidents.index[incidents["is_reviewed"]]) == set(sheet["incident_id"])
    assert (incidents["n_reviewed"] > 0).all() and {"error", "unasked"} <= set(incidents["stratum"])
    (purpose,) = database.query("SELECT DISTINCT purpose FROM reviews")
    assert tuple(purpose.values()) == ("sample",)
    weights = database.query("SELECT incident_id, min(sampling_weight) AS weight FROM reviews GROUP BY incident_id")
    assert sum(row["weight"] for row in weights) == pytest.approx(len(incidents))


@pytest.mark.slow
def test_copies_of_one_sheet_are_of_several_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copies that several people filled in are told apart by their names, whatever the case of a name: what they have
    in common overlaps, and gaps are those of each."""
    run(monkeypatch, "export", "cases", "--review", "18", "--blind")
    first = fill(PLAIN, truth, Path("first.xlsx"))
    other = fill(PLAIN, lambda row: 1 - truth(row), Path("other.xlsx"), rows=slice(12, None))
    bring(monkeypatch, first, "Cleo")
    bring(monkeypatch, first, "cleo")
    said = capsys.readouterr().out
    n = len(pd.read_excel(first, engine="openpyxl"))
    assert f"Cleo: 0 new verdicts, 0 changed, {n} as before" in said and "passed over" not in said
    bring(monkeypatch, other, "dan")
    said = capsys.readouterr().out
    assert f"dan: {n - 12} new verdicts" in said and "  dan, detected, " in said and "  Cleo" not in said
    bring(monkeypatch, fill(PLAIN, truth, Path("third.xlsx"), rows=slice(0, 2)), "ANA")
    assert {coder for coder, _, _ in verdicts()} == {"Cleo", "dan", "ana"}
    assert len(reviewed("cases").open_disagreements) == n - 12
    capsys.readouterr()
    run(monkeypatch, "review", "show", "cases")
    assert "Cleo, dan" in capsys.readouterr().out


def test_rows_of_a_coder_stay_those_of_the_coder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file with rows of nobody and of a coder, another person's verdicts are taken on those of nobody alone."""
    run(monkeypatch, "export", "cases", "--review", "6", "--blind")
    sheets = [pd.read_excel(fill(path, truth), dtype=object, engine="openpyxl") for path in (PLAIN, ANA)]
    pd.concat(sheets).to_excel("both.xlsx", index=False, engine="openpyxl")
    bring(monkeypatch, Path("both.xlsx"), "cleo")
    said = capsys.readouterr().out
    assert f"cleo: {len(sheets[0])} new verdicts" in said and f"{len(sheets[1])} not imported" in said
    assert said.count("was dealt to ana") == len(sheets[1])


def test_who_filled_a_sheet_in_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank name is refused, and nothing is taken."""
    run(monkeypatch, "export", "cases", "--review", "6")
    before = FOLDER.reviews.read_bytes()
    with pytest.raises(SystemExit, match="--coder is blank"):
        bring(monkeypatch, fill(PLAIN, truth), " ")
    assert FOLDER.reviews.read_bytes() == before


def test_the_usual_question_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a codebook `--variable detected` writes the very sheet that is written without it, and deals nothing
    anew; one that exists is not overwritten unasked."""
    run(monkeypatch, "export", "cases", "--review", "12")
    before, lines = PLAIN.read_bytes(), FOLDER.reviews.read_bytes()
    with pytest.raises(SystemExit, match=r"review\.xlsx already exists"):
        run(monkeypatch, "export", "cases", "--review", "12", "--variable", "detected")
    run(monkeypatch, "export", "cases", "--review", "12", "--variable", "detected", "--force")
    assert PLAIN.read_bytes() == before and FOLDER.reviews.read_bytes() == lines
