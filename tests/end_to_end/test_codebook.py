"""A codebook: what is asked is the researcher's, and each value of it is in its row."""

import hashlib
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from openpyxl import load_workbook

from tests.end_to_end.test_reproduce import activate
from tests.fake_server import answer_by
from tests.project import LABELLED, Fake, Project, cases, fake_server, processes_in, wait_until
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

INCIDENTS, NARRATIVES = 20, 40
FINDINGS = ("results.parquet", "results.csv", "results.json", "results.xlsx", "metrics.json", "data_quality.json")
WEAPONS = ["gun", " KNIFE", None, "none"]
WEAPONS_READ = ["gun", "knife", None, "none"]
CODEBOOK: dict[str, Any] = {
    "variables": {
        "detected": {
            "type": "binary",
            "label": "manual_flag_ind",
            "confidence": True,
            "definition": "A partner hurt the person who died.",
        },
        "weapon": {"type": "category", "label": "Weapon", "values": ["gun", "knife", "none"]},
        "severity": {"type": "ordinal", "values": ["low", "middle", "high"], "only_if": {"detected": "yes"}},
        "relations": {"type": "multi", "values": ["partner", "child", "neighbour"]},
        "age": {"type": "number", "minimum": 0, "maximum": 110},
        "evidence": {"type": "quote"},
        "summary": {"type": "text"},
    }
}
# What a server without schemas answers by; the software's own is held against it.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "detected": {"type": ["boolean", "null"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "weapon": {"type": ["string", "null"], "enum": ["gun", "knife", "none", None]},
        "severity": {"type": ["string", "null"], "enum": ["low", "middle", "high", None]},
        "relations": {
            "type": ["array", "null"],
            "items": {"type": "string", "enum": ["partner", "child", "neighbour"]},
        },
        "age": {"type": ["number", "null"], "minimum": 0, "maximum": 110},
        "evidence": {"type": ["array", "null"], "items": {"type": "string"}},
        "summary": {"type": ["string", "null"]},
    },
    "required": ["detected", "confidence", "weapon", "severity", "relations", "age", "evidence", "summary"],
    "additionalProperties": False,
}
VARIABLES = list(CODEBOOK["variables"])
COLUMNS = [
    *("detected_missing", "weapon", "p_weapon", "weapon_missing", "severity", "severity_missing"),
    *("relations", "relations_missing", "age", "age_missing"),
    *("evidence", "evidence_not_in_text", "evidence_missing", "summary", "summary_missing"),
]
NOT_ASKED, UNCLEAR = "not asked", "unclear"


def write_book(project: Project, url: str, codebook: Any = CODEBOOK, name: str = "params.yaml", **changes: Any) -> None:
    """A params file with a codebook, or with the name of its file; what stands in it keeps its order."""
    changes = {"prompt": {"system_prompt": "Decide.\n<<CODEBOOK>>"}, **changes}
    params = {**project.write_params(url, name, **changes), "codebook": codebook}
    (project.folder / name).write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True))


def changed(variable: str, **values: Any) -> dict[str, Any]:
    """The codebook with other settings of one variable, which may be a new one."""
    book: dict[str, Any] = json.loads(json.dumps(CODEBOOK))
    book["variables"].setdefault(variable, {}).update(values)
    return book


def write_cases(project: Project, count: int = INCIDENTS) -> None:
    """Incidents with two narratives each, and their weapon as a person coded it."""
    rows = [[*row, WEAPONS[number % len(WEAPONS)]] for number, row in enumerate(cases(count))]
    project.write_workbook(rows, [*LABELLED, "Weapon"])


def make_ready(project: Project, fake: Fake) -> None:
    write_cases(project)
    write_book(project, fake.url)


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives, and a codebook with a variable of each type."""
    make_ready(project, fake)
    return project


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Fake]]:
    """A completed experiment that tests only look at, and the server that answered."""
    project = Project(tmp_path_factory.mktemp("codebook"))
    with fake_server() as fake:
        make_ready(project, fake)
        done(project, "snakemake", "--cores", "4")
        yield project, fake


@pytest.fixture
def finished(looked_at: tuple[Project, Fake], tmp_path: Path) -> tuple[Project, Fake]:
    """A copy of it that a test may change, and its server."""
    folder = tmp_path / "project"
    shutil.copytree(looked_at[0].folder, folder, symlinks=True)
    return Project.at(folder, looked_at[0].environment), looked_at[1]


def done(project: Project, *words: str) -> str:
    """Run a command that has to work; returns what it said."""
    ended = project.run(*words)
    assert ended.returncode == 0 and "Traceback" not in ended.stdout, ended.stdout
    return ended.stdout


def refused(project: Project, *words: str) -> str:
    """Run a command that has to be refused in a sentence; returns it."""
    ended = project.run(*words)
    assert ended.returncode != 0 and "Traceback" not in ended.stdout, ended.stdout
    return ended.stdout


def read_anew(answer: dict[str, Any]) -> dict[str, tuple[Any, str | None]]:
    """(value, why it is missing) of each variable, read from an answer without the software."""
    read = {name: (value, None if value is not None else UNCLEAR) for name, value in answer.items()}
    read["age"] = (None if answer["age"] is None else float(answer["age"]), read["age"][1])
    read["evidence"] = (answer["evidence"] or [], None)
    read["summary"] = (answer["summary"], None)
    if answer["detected"] is not True:
        read["severity"] = (None, NOT_ASKED)
    return read


def as_text(value: Any) -> str | None:
    """A value as the record's text has it."""
    match value:
        case None | str():
            return value
        case bool():
            return "yes" if value else "no"
        case list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return f"{value:.0f}" if value == int(value) else repr(value)


def coded(project: Project, slug: str = "cases") -> list[tuple[Any, ...]]:
    """The record's values of an experiment, in the order of narratives and variables, without ids."""
    return project.query(
        "SELECT coded_values.incident_id, coded_values.narrative_type, variable, value, label, probability, "
        "coded_values.confidence, coded_values.error_message, not_in_text "
        "FROM coded_values JOIN narrative_results USING (experiment_id, incident_id, narrative_type) "
        "JOIN experiments USING (experiment_id) WHERE slug = ? ORDER BY row_num, coded_values.position",
        slug,
    )


def results(project: Project, slug: str = "cases") -> list[dict[str, Any]]:
    """The rows of results.parquet; what is missing is None."""
    table = pd.read_parquet(project.folder / f"results/{slug}/results.parquet")
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def assert_all_in_their_rows(project: Project, odd: dict[str, dict[str, Any]] | None = None) -> None:
    """Table, record and labels hold, of each narrative, what was answered to its own text, and nothing else.

    odd: by text, what the answer has in the place of its own values; where it cannot be read it is no value.
    """
    of_record: dict[tuple[str, str], dict[str, tuple[Any, ...]]] = {}
    for incident, kind, variable, *rest in coded(project):
        assert of_record.setdefault((incident, kind), {}).setdefault(variable, tuple(rest)) == tuple(rest)
    rows = results(project)
    assert len(rows) == len(of_record) == NARRATIVES
    for row in rows:
        text = row["narrative_text"]
        answer = answer_by(SCHEMA, f"Narrative: {text}") | (odd or {}).get(text, {})
        expected = read_anew(answer)
        wrong = [] if answer["weapon"] in (None, "gun", "knife", "none") else ["weapon"]
        assert row["confidence"] == answer["confidence"] and bool(row["error_occurred"]) == bool(wrong), row
        assert list(of_record[row["incident_id"], row["narrative_type"]]) == VARIABLES
        for name in VARIABLES:
            value, missing = expected[name] if name not in wrong else (None, "error: `weapon` is none of its values")
            assert row[f"{name}_missing"] == missing, (text, name)
            assert row[name] == (json.dumps(value) if isinstance(value, list) else value), (text, name)
            told, label, probability, confidence, message, not_in_text = of_record[
                row["incident_id"], row["narrative_type"]
            ][name]
            assert told == (UNCLEAR if missing == UNCLEAR else as_text(value)), (text, name)
            assert label == label_of(row, name) and probability is None
            assert confidence == (answer["confidence"] if name == "detected" else None)
            assert message == ("`weapon` is none of its values" if name in wrong else None)
            strangers = [passage for passage in expected["evidence"][0] if passage not in text]
            assert not_in_text == (json.dumps(strangers) if name == "evidence" else None)
        assert row["evidence_not_in_text"] == json.dumps(strangers)
        assert row["error_category"] == ("parse_error" if wrong else None)


def label_of(row: dict[str, Any], name: str) -> str | None:
    number = int(row["incident_id"])
    if name == "detected":
        return as_text(bool(cases(number + 1)[number][3 if row["narrative_type"] == "cme" else 4]))
    return WEAPONS_READ[number % len(WEAPONS)] if name == "weapon" else None


def md5s(project: Project) -> dict[str, str]:
    """The checksums of the findings."""
    folder = project.folder / "results/cases"
    return {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in FINDINGS}


def test_every_value_is_in_its_row(looked_at: tuple[Project, Fake]) -> None:
    """By a schema of its own each narrative is asked once; each value, its label and the reason of one that is missing
    stand in its row of every file and of the record, and follow from the answers byte for byte."""
    project, fake = looked_at
    calls = fake.calls()
    assert len(calls["asked"]) == NARRATIVES and set(calls["asked"].values()) == {1}
    assert all(body["response_format"]["json_schema"]["schema"] == SCHEMA for body in calls["bodies"])
    assert "A partner hurt the person who died." in calls["bodies"][0]["messages"][0]["content"]
    assert "<<CODEBOOK>>" not in json.dumps(calls["bodies"])
    assert_all_in_their_rows(project)
    rows = results(project)
    missing = {name: Counter(row[f"{name}_missing"] for row in rows) for name in VARIABLES}
    assert min(missing["weapon"][None], missing["weapon"][UNCLEAR], missing["severity"][NOT_ASKED]) > 0

    folder = project.folder / "results/cases"
    of_csv = pd.read_csv(folder / "results.csv", dtype=str, keep_default_na=False)
    of_json = project.read_json("results/cases/results.json")
    header, *cells = load_workbook(folder / "results.xlsx")["results"].iter_rows(values_only=True)
    assert [name for name in of_csv.columns if name in COLUMNS] == COLUMNS
    assert [name for name in of_json[0] if name in COLUMNS] == COLUMNS
    assert [name for name in header if name in COLUMNS] == COLUMNS
    for row, text, plain, cell in zip(rows, of_csv.to_dict("records"), of_json, cells, strict=True):
        in_sheet = dict(zip(header, cell, strict=True))
        for name in ("weapon", "severity", "summary", "weapon_missing", "severity_missing"):
            assert (row[name] or "") == text[name] == (plain[name] or "") == (in_sheet[name] or ""), name
        for name in ("relations", "evidence", "evidence_not_in_text"):
            shown = None if row[name] is None else json.loads(row[name])
            assert plain[name] == shown and text[name] == (row[name] or ""), name
            assert (in_sheet[name] or "") == (row[name] or "")
        assert plain["age"] == row["age"] == (float(text["age"]) if text["age"] else None)
    counts = project.read_json("results/cases/metrics.json")["variables"]
    assert {name: count["n_answered"] for name, count in counts.items()} == {
        name: missing[name][None] for name in VARIABLES
    }
    proved = done(project, "narrative-runs", "prove")
    assert proved.count("byte for byte") == 5
    report = (folder / "report.html").read_text(encoding="utf-8")
    for number, name in enumerate(VARIABLES, 1):
        assert f'<h3 id="variable-{number}">{name}</h3>' in report


def test_a_sheet_lists_what_disagrees(looked_at: tuple[Project, Fake]) -> None:
    """Each labelled variable has its sheet in the workbook: of incidents with another value all narratives, of
    narratives with labels of their own those with another answer; where all passages of a quote stand in the text, its
    sheet is empty."""
    project, _ = looked_at
    rows = pd.read_parquet(project.folder / "results/cases/results.parquet").set_index("row_num")
    path = project.folder / "results/cases/results.xlsx"
    names = ["detected", "weapon", "evidence"]
    sheets = pd.read_excel(path, names, index_col="row_num", dtype={"incident_id": str}, engine="openpyxl")
    assert load_workbook(path, read_only=True).sheetnames[-4:] == ["columns", *names]
    label = rows["workbook_Weapon"].str.strip().str.lower()
    values = rows.groupby("incident_id")["weapon"]
    is_wrong = label.notna() & (values.transform("nunique") == 1) & (values.transform("first") != label)
    wrong = sheets["weapon"]
    assert len(wrong) and list(wrong.index) == list(rows.index[is_wrong])
    assert list(wrong["incident_label"]) == list(label[is_wrong]) and set(wrong["outcome"]) <= {"no label", UNCLEAR}
    assert list(wrong["narrative_text"]) == list(rows.loc[is_wrong, "narrative_text"])
    wrong = sheets["detected"]
    for word, column in (("false positive", "is_false_positive"), ("false negative", "is_false_negative")):
        assert list(wrong.index[wrong["outcome"] == word]) == list(rows.index[rows[column].fillna(False)])
    assert sheets["evidence"].empty and (rows["evidence_not_in_text"] == "[]").all()


def test_one_variable_is_traced_and_given_out(finished: tuple[Project, Fake]) -> None:
    """All narratives of an outcome of one variable are shown, where labels are the incident's by the incident's value,
    and a sample is drawn by the same outcomes; results without text hold the variable's values."""
    project, _ = finished
    table = pd.read_parquet(project.folder / "results/cases/results.parquet").sort_values("row_num")
    label = table["workbook_Weapon"].str.strip().str.lower()
    values = table.groupby("incident_id")["weapon"]
    is_wrong = table["weapon"].notna() & label.notna() & (values.transform("nunique") == 1) & (table["weapon"] != label)
    told = done(project, "narrative-runs", "trace", "--outcome", "wrong", "--variable", "weapon")
    count = int(is_wrong.sum())
    assert count > 1
    assert told.splitlines()[0] == f"cases has {count} narratives with this outcome of weapon: wrong."
    shown = [text for text in table["narrative_text"] if f"\n  {text}\n" in told]
    assert shown == list(table.loc[is_wrong, "narrative_text"])
    assert told.count("outcome     wrong (of the incident)") == count and "summary" not in told
    told = done(project, "narrative-runs", "trace", "--outcome", "not-asked", "--variable", "severity", "cases")
    assert f"has {int((table['severity_missing'] == NOT_ASKED).sum())} narratives" in told
    incident, kind, weapon = table.loc[is_wrong, ["incident_id", "narrative_type", "weapon"]].iloc[0]
    told = done(project, "narrative-runs", "trace", incident, kind, "--variable", "weapon")
    assert f"answer      {weapon}\n" in told and "WHERE IT COMES FROM" in told and "relations" not in told
    told = refused(project, "narrative-runs", "trace", "--outcome", "fp", "--variable", "weapon")
    assert "Its outcomes are: right, wrong, unlabelled, unclear, error." in told

    done(project, "narrative-runs", "export", "--review", "500", "--variable", "weapon")
    sheet = pd.read_excel(project.folder / "results/cases/review_weapon.xlsx", dtype=str, engine="openpyxl")
    wrong = sheet.loc[sheet["stratum"] == "wrong", "incident_id"]
    assert set(wrong) == set(table.loc[is_wrong, "incident_id"]) and len(sheet) == NARRATIVES
    done(project, "narrative-runs", "export", "--no-text", "--variable", "weapon")
    rows = pd.read_csv(project.folder / "results/cases/no_text_weapon.csv", keep_default_na=False)
    assert list(rows["weapon"]) == list(table["weapon"].fillna(""))
    assert {*rows} & {*COLUMNS, "detected"} == {"weapon", "weapon_missing", "p_weapon"}


@pytest.mark.long
def test_merging_again_gives_the_same_bytes(finished: tuple[Project, Fake]) -> None:
    """Shards and findings made anew from the journals are the same, byte for byte, and so are the record's values, also
    those of a record that was lost; nothing is asked."""
    project, fake = finished
    before, before_record, asked = md5s(project), coded(project), fake.asked
    folder = project.folder / "results/cases"
    for path in [*(folder / "shards").iterdir(), *(folder / name for name in FINDINGS if name != "data_quality.json")]:
        path.unlink()
    done(project, "snakemake", "--cores", "4")
    assert md5s(project) == before and coded(project) == before_record
    (project.folder / "results/experiments.db").unlink()
    done(project, "snakemake", "--cores", "4")
    assert md5s(project) == before and coded(project) == before_record
    assert fake.asked == asked


@pytest.mark.parametrize("way", ["refused", "plain"])
@pytest.mark.long
def test_a_server_without_schemas(looked_at: tuple[Project, Fake], ready: Project, fake: Fake, way: str) -> None:
    """Where a server takes no schema, or is sent none, the form of the answer stands in the prompt, and the values are
    the same."""
    fake.behave(refuse_schema=400 if way == "refused" else 0, schema=SCHEMA)
    if way == "plain":
        write_book(ready, fake.url, model={"structured_output": "plain"})
    done(ready, "snakemake", "--cores", "4")
    assert_all_in_their_rows(ready)
    assert coded(ready) == coded(looked_at[0])
    calls = fake.calls()
    assert set(calls["answered"].values()) == {1} and len(calls["answered"]) == NARRATIVES
    assert ("response_format" in calls["keys_sent"]) == (way == "refused")
    last = calls["bodies"][-1]
    assert "response_format" not in last and '"severity": "low" | "middle" | "high"' in last["messages"][0]["content"]


def half_way_without_label(project: Project) -> int:
    """How many narratives in the record have a weapon, of incidents to which nobody gave one."""
    rows = project.query("SELECT incident_id FROM coded_values WHERE variable = 'weapon' AND value != 'unclear'")
    return sum(WEAPONS[int(incident) % len(WEAPONS)] is None for (incident,) in rows)


def test_killed_half_way(ready: Project, fake: Fake) -> None:
    """The values stand in the record while the run goes on; killed with all its processes it goes on by the same
    command, loses nothing, and asks nobody again whose answer was kept."""
    fake.behave(latency_s=0.6)
    record = ready.folder / "results/experiments.db"

    def live() -> int:
        if not record.exists() or not ready.query("SELECT 1 FROM sqlite_master WHERE name = 'coded_values'"):
            return 0
        return int(ready.query("SELECT count(*) FROM coded_values")[0][0])

    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: live() and fake.asked >= NARRATIVES // 2)
        assert 0 < live() < NARRATIVES * len(VARIABLES) and live() % len(VARIABLES) == 0
        os.killpg(main.pid, signal.SIGKILL)
    wait_until(lambda: not processes_in(ready.folder))
    kept = {entry["fingerprint"] for entry in ready.journal_entries()}
    assert 0 < len(kept) < NARRATIVES
    told = done(ready, "narrative-runs", "trace", "--outcome", "unlabelled", "--variable", "weapon")
    assert f"has {half_way_without_label(ready)} narratives with this outcome of weapon" in told
    fake.behave()
    done(ready, "snakemake", "--cores", "4")
    assert_all_in_their_rows(ready)
    text_of = {row["fingerprint"]: row["narrative_text"] for row in results(ready)}
    asked = fake.calls()["asked"]
    assert {asked[f"Narrative: {text_of[fingerprint]}"] for fingerprint in kept} == {1}
    assert len(asked) == NARRATIVES and NARRATIVES <= sum(asked.values()) <= NARRATIVES + 4


ODD = "LE text of case 1"
BAZOOKA = {"weapon": "bazooka", "evidence": ["LE text of", "never written"]}


@pytest.fixture
def with_errors(ready: Project, fake: Fake) -> tuple[Project, dict[str, dict[str, Any]]]:
    """A completed experiment in which eleven narratives have a weapon that is none of its values; and what is odd in
    them, by their texts."""
    fake.behave(only_if=ODD, odd_values=BAZOOKA)
    done(ready, "snakemake", "--cores", "4")
    odd = {row["narrative_text"]: BAZOOKA for row in results(ready) if row["narrative_text"].startswith(ODD)}
    assert len(odd) == 11
    return ready, odd


def asked_since(fake: Fake, before: dict[str, int]) -> dict[str, int]:
    """How often each text was asked since."""
    since = Counter(fake.calls()["asked"]) - Counter(before)
    return {message.removeprefix("Narrative: "): times for message, times in since.items()}


@pytest.mark.long
def test_an_error_of_one_variable(with_errors: tuple[Project, dict[str, dict[str, Any]]], fake: Fake) -> None:
    """A variable that cannot be read is an error of its own: all others keep their values and count; a retry asks
    exactly these rows, and all is right then."""
    project, odd = with_errors
    assert_all_in_their_rows(project, odd)
    assert project.status() == "completed"
    metrics = project.read_json("results/cases/metrics.json")
    answers = [answer_by(SCHEMA, f"Narrative: {row['narrative_text']}") for row in results(project)]
    known = sum(answer["detected"] is not None for answer in answers)
    assert metrics["n_errors"] == 11 and metrics["overall"]["n"] == known
    matrix = [metrics["overall"][name] for name in ("tp", "fp", "fn", "tn")]
    right = Counter(
        (answer["detected"], label_of(row, "detected") == "yes")
        for row, answer in zip(results(project), answers, strict=True)
    )
    assert matrix == [right[True, True], right[True, False], right[False, True], right[False, False]]
    assert metrics["variables"]["weapon"]["n_errors"] == 11 and metrics["variables"]["detected"]["n_errors"] == 0
    assert metrics["variables"]["evidence"]["n_with_passages_not_in_text"] == 11
    for outcome, variable in (("error", "weapon"), ("not-in-text", "evidence")):
        told = done(project, "narrative-runs", "trace", "--outcome", outcome, "--variable", variable)
        assert "cases has 11 narratives" in told and all(f"\n  {text}\n" in told for text in odd)
    _, *listed = load_workbook(project.folder / "results/cases/results.xlsx")["evidence"].values
    assert {(row[-1], *json.loads(row[-2])) for row in listed} == {(text, "never written") for text in odd}
    assert project.query("SELECT n_narratives_processed, n_narratives_completed FROM experiments") == [
        (NARRATIVES, NARRATIVES - 11)
    ]
    before = fake.calls()["asked"]
    fake.behave()
    done(project, "snakemake", "--forcerun", "retry_errors")
    assert asked_since(fake, before) == dict.fromkeys(odd, 1)
    assert_all_in_their_rows(project)
    again = [row for row in results(project) if row["attempt_count"] == 2]
    assert {row["narrative_text"] for row in again} == set(odd)
    assert {row["first_error_message"] for row in again} == {"`weapon` is none of its values"}
    assert project.query("SELECT count(*) FROM narrative_results WHERE error_occurred") == [(0,)]
    assert done(project, "narrative-runs", "prove").count("byte for byte") == 5


@pytest.mark.long
def test_a_retry_never_mixes_two_answers(with_errors: tuple[Project, dict[str, dict[str, Any]]], fake: Fake) -> None:
    """A retry in which another variable is lost leaves the rows as they were but for the count of passes, and so does
    the plain run that follows; the next retry asks about them again."""
    project, odd = with_errors
    before, before_rows, asked = coded(project), results(project), fake.calls()["asked"]
    fake.behave(only_if=ODD, odd_values={"weapon": "gun", "detected": "perhaps"})
    done(project, "snakemake", "--forcerun", "retry_errors")
    assert asked_since(fake, asked) == dict.fromkeys(odd, 1)
    assert coded(project) == before
    passes = {row["narrative_text"]: row["attempt_count"] for row in results(project)}
    assert {text for text, count in passes.items() if count == 2} == set(odd) and set(passes.values()) == {1, 2}
    assert [{**row, "attempt_count": 1} for row in results(project)] == before_rows
    asked, findings = fake.calls()["asked"], md5s(project)
    done(project, "snakemake", "--cores", "4")
    assert fake.calls()["asked"] == asked and md5s(project) == findings
    fake.behave()
    done(project, "snakemake", "--forcerun", "retry_errors")
    assert asked_since(fake, asked) == dict.fromkeys(odd, 1)
    assert_all_in_their_rows(project)


@pytest.mark.long
def test_snapshot_and_rollback(ready: Project, fake: Fake) -> None:
    """A pilot that was kept, extended and gone back to has its findings and values byte for byte, and so has what
    `--undo` brings back; nothing is asked."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    done(ready, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    pilot, pilot_coded = md5s(ready), coded(ready)
    assert len(pilot_coded) == 12 * len(VARIABLES)
    done(ready, "snakemake", "--cores", "4")
    whole, whole_coded, asked = md5s(ready), coded(ready), fake.asked
    assert asked == NARRATIVES and len(whole_coded) == NARRATIVES * len(VARIABLES)
    done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    assert md5s(ready) == pilot and coded(ready) == pilot_coded
    assert ready.query("SELECT count(*) FROM coded_values") == [(12 * len(VARIABLES),)]
    done(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    assert md5s(ready) == whole and coded(ready) == whole_coded
    assert fake.asked == asked
    assert_all_in_their_rows(ready)


@pytest.mark.long
def test_two_codebooks_side_by_side(finished: tuple[Project, Fake]) -> None:
    """Experiments with other codebooks are held against each other: what differs of the codebook is told, and what
    changed of detected and of the variables that both have; each keeps its own values in one record."""
    project, fake = finished
    before, before_coded = md5s(project), coded(project)
    book = changed("severity", values=["low", "high"])
    book["variables"]["detected"]["definition"] = "Anybody hurt the person who died."
    del book["variables"]["weapon"]
    write_book(project, fake.url, book, "other.yaml", experiment={"name": "Other", "slug": "other"})
    done(project, "snakemake", "--cores", "4", "--configfile", "other.yaml")
    told = done(project, "narrative-runs", "compare", "cases", "other", "--csv", "compared")
    assert "codebook" in told and "frozen" in told
    params = pd.read_csv(project.folder / "compared/params.csv").query("param == 'codebook'")
    told_of = dict(zip(params["experiment"], params["value"], strict=True))
    assert "A partner hurt" in told_of["cases"] and "Anybody hurt" in told_of["other"]
    assert "weapon" in told_of["cases"] and "weapon" not in told_of["other"]
    assert "Anybody hurt the person" in told
    assert_compared_by_variable(project, told)
    assert md5s(project) == before and coded(project) == before_coded
    assert project.query(
        "SELECT slug, count(DISTINCT variable), count(*) FROM coded_values JOIN experiments USING (experiment_id) "
        "GROUP BY slug ORDER BY slug"
    ) == [("cases", 7, 280), ("other", 6, 240)]


def assert_compared_by_variable(project: Project, told: str) -> None:
    """Tests, measures and changes of `cases` against `other` are those of their tables, of the variables that both have
    alike; one can be looked at alone."""
    said = " ".join(told.split())
    assert "Not compared: weapon (only in A), severity (with other values in B), summary (a text in the" in said
    folder = project.folder / "compared"
    shared = ["detected", "relations", "age", "evidence"]
    tests = pd.read_csv(folder / "variable_tests.csv").set_index("variable")
    changes = pd.read_csv(folder / "variable_changes.csv", dtype=str)
    measures = pd.read_csv(folder / "variables.csv").set_index(["variable", "level", "measure", "experiment"])["value"]
    assert list(tests.index) == shared and {*measures.index.get_level_values(0)} == {*shared}
    metrics = {slug: project.read_json(f"results/{slug}/metrics.json")["variables"] for slug in ("cases", "other")}
    for slug in metrics:
        assert measures["detected", "incident", "f1", slug] == metrics[slug]["detected"]["incident"]["f1"]["value"]
    rows = list(zip(results(project), results(project, "other"), strict=True))
    for name in shared:
        missing = f"{name}_missing"
        both = [(one[name], two[name]) for one, two in rows if not (one[missing] or two[missing])]
        assert tests["n_compared"][name] == len(both) > 0
        assert tests["same"][name] == pytest.approx(sum(one == two for one, two in both) / len(both))
        differ = [one for one, two in rows if (one[name], one[missing]) != (two[name], two[missing])]
        of_variable = changes[changes["variable"] == name]
        keys = list(zip(of_variable["incident_id"], of_variable["narrative_type"], strict=True))
        assert keys == [(row["incident_id"], row["narrative_type"]) for row in differ]
        assert f"{name} {len(differ)}" in said
    assert list(tests["n_labelled"]) == [tests["n_compared"]["detected"], 0, 0, 0]
    assert "text of case" not in (folder / "variable_changes.csv").read_text(encoding="utf-8")

    alone = done(project, "narrative-runs", "compare", "cases", "other", "--variable", "relations", "--csv", "one")
    assert "Jaccard" in alone and "age" not in alone and "Params that differ" not in alone
    of_relations = pd.read_csv(project.folder / "one/changed.csv", dtype=str)
    pd.testing.assert_frame_equal(of_relations, changes[changes["variable"] == "relations"].reset_index(drop=True))
    assert "weapon (only in A)" in done(project, "narrative-runs", "compare", "cases", "other", "--variable", "weapon")
    unknown = refused(project, "narrative-runs", "compare", "cases", "other", "--variable", "weapons")
    assert "There are: detected, weapon," in unknown
    for name in ("params.csv", "metrics.csv", "tests.csv", "changed.csv"):
        (folder / name).unlink()
    in_the_way = refused(project, "narrative-runs", "compare", "cases", "other", "--csv", "compared")
    assert "variables.csv already exists" in in_the_way and not (folder / "params.csv").exists()


EDITS: dict[str, dict[str, Any]] = {
    "definition": changed("detected", definition="Anybody hurt the person who died."),
    "order": changed("severity", values=["high", "middle", "low"]),
    "label": changed("weapon", label=None),
}


@pytest.mark.long
def test_the_codebook_is_frozen_by_the_first_answer(ready: Project, fake: Fake) -> None:
    """After the first answer another definition, another order of the values or another label is named and not used:
    all answers are of one codebook, and what was answered is as it was."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    before, entries = md5s(ready), len(ready.journal_entries())
    for name, book in EDITS.items():
        write_book(ready, fake.url, book, run={"max_narratives": 12})
        told = done(ready, "snakemake", "--cores", "4")
        assert "WARNING" in told and "codebook has been frozen" in told, (name, told)
        assert (md5s(ready), len(ready.journal_entries()), fake.asked) == (before, entries, 12), name
    write_book(ready, fake.url, EDITS["order"])
    told = done(ready, "snakemake", "--cores", "4")
    assert "codebook has been frozen" in told
    assert_all_in_their_rows(ready)
    assert fake.asked == NARRATIVES
    assert all(body["response_format"]["json_schema"]["schema"] == SCHEMA for body in fake.calls()["bodies"])


@pytest.mark.long
def test_before_the_first_answer_the_codebook_is_just_mended(ready: Project, fake: Fake) -> None:
    """While there is no answer a codebook is corrected without a word, and asked as it is then."""
    fake.behave(status=401)
    write_book(ready, fake.url, changed("severity", values=["lo", "high"], only_if={"weapon": "gun"}))
    refused(ready, "snakemake", "--cores", "4")
    assert not any("response" in entry for entry in ready.journal_entries())
    fake.behave()
    write_book(ready, fake.url)
    told = done(ready, "snakemake", "--cores", "4")
    assert "WARNING" not in told
    assert_all_in_their_rows(ready)
    assert ready.query("SELECT count(*) FROM experiments") == [(1,)]


@pytest.mark.long
def test_a_codebook_in_a_file_of_its_own(ready: Project, fake: Fake) -> None:
    """A codebook's file may be copied, renamed and commented without a word, and asks nothing; another content is
    named and not used, and what was asked stays."""
    book = ready.folder / "book.yaml"
    book.write_text(yaml.safe_dump(CODEBOOK, sort_keys=False))
    write_book(ready, fake.url, "book.yaml", run={"max_narratives": 12})
    done(ready, "snakemake", "--cores", "4")
    kept = yaml.safe_load((ready.folder / "results/cases/experiment.yaml").read_text())["params"]["codebook"]
    assert list(kept["variables"]) == VARIABLES and kept["variables"]["severity"]["values"] == ["low", "middle", "high"]
    renamed = ready.folder / "data/our book.yaml"
    renamed.write_text("# Ours.\n" + yaml.safe_dump({"codebook": CODEBOOK}, sort_keys=False))
    book.unlink()
    write_book(ready, fake.url, "data/our book.yaml")
    told = done(ready, "snakemake", "--cores", "4")
    assert "WARNING" not in told and fake.asked == NARRATIVES
    assert_all_in_their_rows(ready)
    before, entries = md5s(ready), len(ready.journal_entries())
    renamed.write_text(yaml.safe_dump(EDITS["definition"], sort_keys=False))
    told = done(ready, "snakemake", "--cores", "4")
    assert "codebook has been frozen" in told and "Anybody hurt" in told
    assert (md5s(ready), len(ready.journal_entries()), fake.asked) == (before, entries, NARRATIVES)
    # Written into the params file itself it is the same codebook.
    write_book(ready, fake.url)
    assert "WARNING" not in done(ready, "snakemake", "--cores", "4") and fake.asked == NARRATIVES


def in_a_circle() -> dict[str, Any]:
    """Each of two variables is asked for only by the value of the other."""
    book = changed("severity", only_if={"weapon": "gun"})
    book["variables"]["weapon"]["only_if"] = {"severity": "low"}
    return book


@pytest.mark.long
def test_dvc_repro(finished: tuple[Project, Fake]) -> None:
    """`dvc repro` proves an experiment with a codebook without asking; with another codebook it proves nothing, and
    locks nothing."""
    project, fake = finished
    activate(project)
    before, asked = md5s(project), fake.asked
    done(project, "dvc", "repro")
    assert md5s(project) == before and "up to date" in done(project, "dvc", "repro")
    lock = (project.folder / "dvc.lock").read_bytes()
    write_book(project, fake.url, EDITS["order"])
    told = refused(project, "dvc", "repro")
    assert "codebook: " in told and "proves nothing" in told, told
    assert (project.folder / "dvc.lock").read_bytes() == lock
    assert md5s(project) == before and fake.asked == asked


@pytest.mark.long
def test_migrate_and_forget(finished: tuple[Project, Fake]) -> None:
    """`migrate` leaves the values as they are, and `forget` removes those of its experiment and no others."""
    project, fake = finished
    write_book(project, fake.url, name="other.yaml", experiment={"name": "Other", "slug": "other"})
    fake.behave(only_if="LE text of case 7", odd_values={"summary": "Zyzzogeton ran."})
    done(project, "snakemake", "--cores", "4", "--configfile", "other.yaml")
    fake.behave()
    values = project.query("SELECT * FROM coded_values")
    done(project, "narrative-runs", "migrate", "results/experiments.db")
    assert project.query("SELECT * FROM coded_values") == values
    assert len(values) == 2 * NARRATIVES * len(VARIABLES)
    ours, findings = coded(project), md5s(project)
    assert b"Zyzzogeton" in (project.folder / "results/experiments.db").read_bytes()
    done(project, "narrative-runs", "forget", "other", "--yes")
    assert project.query("SELECT count(*), count(DISTINCT experiment_id) FROM coded_values") == [
        (NARRATIVES * len(VARIABLES), 1)
    ]
    assert coded(project) == ours and md5s(project) == findings
    assert not [path for path in project.folder.rglob("*") if path.is_file() and b"Zyzzogeton" in path.read_bytes()]
    assert done(project, "narrative-runs", "prove").count("byte for byte") == 5


@pytest.mark.parametrize(
    ("book", "words", "at"),
    rest_is_long(
        [
            (
                changed("age", type="nummer"),
                ["variables.age.type", "'nummer' is not a type", "ordinal, multi, number"],
                "nummer",
            ),
            (
                changed("weapon", values=["gun", " GUN", "none"]),
                ["variables.weapon.values", "'gun' and ' GUN' are the same value"],
                "values:",
            ),
            (changed("weapon", label="Wapen"), ["variables.weapon.label", "no column 'Wapen'", "It has: Weapon"], ""),
            (
                changed("weapon", values=["gun", "rope"]),
                ["variables.weapon.label", "cells that are no label of it", "' KNIFE' (", "'none' (", "gun, rope"],
                "",
            ),
            (in_a_circle(), ["variables.weapon.only_if", "circle: `weapon` on `severity`, `severity` on"], "only_if:"),
            (changed("severity", only_if={"abuse": "yes"}), ["variables.severity.only_if.abuse", "no such"], "abuse:"),
            (changed("row_num", type="number"), ["variables.row_num", "Choose another name"], "row_num:"),
            ("nowhere.yaml", ["nowhere.yaml is missing"], ""),
            ([], ["codebook", "give a mapping with the key `variables`"], "codebook:"),
        ],
        2,
    ),
    ids=["type", "clash", "no column", "labels", "circle", "no variable", "reserved", "no file", "nothing"],
)
def test_mistakes(project: Project, fake: Fake, book: Any, words: list[str], at: str) -> None:
    """A mistake in a codebook is told before the first question, by its key, and by its line where it has one; nothing
    is asked or written.

    at: what stands in the line, the first such one.
    """
    write_cases(project)
    write_book(project, fake.url, book)
    told = refused(project, "snakemake", "--cores", "4")
    lines = (project.folder / "params.yaml").read_text().splitlines()
    if at:
        words = [*words, f"(line {next(number for number, line in enumerate(lines, start=1) if at in line)})"]
    for word in words:
        assert word in told, told
    assert project.written() == [] and fake.asked == 0 and fake.calls()["evidence"] == {}
