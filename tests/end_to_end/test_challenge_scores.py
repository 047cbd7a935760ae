"""The score of the youth mental health challenge: what its example prints is what scikit-learn gives."""

import json
import random
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import f1_score

from tests.fake_server import answer_by, completion
from tests.project import ROOT, Project, fake_server

pytestmark = pytest.mark.end_to_end

EXAMPLE = "examples/youth-mental-health"
N_RECORDS = 200
NO_YES = {"diagnosis_bipolar": False}
UNREADABLE: list[dict[str, Any]] = [{"weapon_type": "13"}, {"argument": "perhaps"}, {"injury_location_type": None}]


def records(variables: dict[str, Any]) -> pd.DataFrame:
    """Records with the labels of these variables at random; every seventh or so lacks one of its two narratives.

    One variable has no yes at all, so that its F1 is undefined as nobody answers yes either.
    """
    drawn = random.Random(11)
    rows = []
    for number in range(N_RECORDS):
        blank = drawn.choices([None, "NarrativeCME", "NarrativeLE"], [6, 1, 1])[0]
        row: dict[str, Any] = {"IncidentID": f"R{number:03d}"}
        for column, words in (("NarrativeCME", "Examiner's"), ("NarrativeLE", "Police")):
            row[column] = "" if column == blank else f"{words} text of record {number}."
        for name, variable in variables.items():
            values = list(variable.get("values", [0, 1]))
            row[variable["label"]] = 0 if name == "diagnosis_bipolar" else drawn.choice(values)
        rows.append(row)
    return pd.DataFrame(rows)


def odd_replies(texts: list[str], variables: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Replies to some of the texts: every twentieth has one variable that cannot be read, every fortieth no answer."""
    schema = {"properties": {name: _kind(variable) for name, variable in variables.items()}}
    odd = {}
    for number, text in enumerate(texts[7::20]):
        answer = answer_by(schema, f"Narrative: {text}") | NO_YES | UNREADABLE[number % len(UNREADABLE)]
        odd[text] = (200, completion(json.dumps(answer), "fake", 0).decode())
    for text in texts[13::40]:
        odd[text] = (200, completion("The narrative speaks of a difficult life.", "fake", 0).decode())
    return odd


def value_of_record(answers: pd.Series, is_binary: bool) -> Any:
    """The value that the answers to a record's narratives give it; None where one is missing, or categories differ."""
    if answers.isna().any():
        return None
    if is_binary:
        return bool(answers.astype(bool).any())
    return answers.iloc[0] if answers.nunique() == 1 else None


@pytest.mark.long
def test_the_scores_are_those_of_scikit_learn(tmp_path: Path) -> None:
    """Of 200 records with two narratives each, some blank and some with errors, the example's script gives the F1 of
    each of the 23 variables, the means and the number of records as scikit-learn and pandas do from the rows."""
    project = Project(tmp_path)
    text = (ROOT / EXAMPLE / "params.yaml").read_text(encoding="utf-8")
    # A `no` is a word here, as the software reads it.
    params = {**yaml.safe_load(text), "codebook": yaml.load(text, yaml.BaseLoader)["codebook"]}
    variables = params["codebook"]["variables"]
    labels = records(variables)
    labels.to_csv(project.folder / "data/records.csv", index=False)
    project.track(project.folder / "data/records.csv")
    texts = [cell for column in ("NarrativeCME", "NarrativeLE") for cell in labels[column] if cell]
    with fake_server() as fake:
        fake.behave(odd_values=NO_YES, replies=odd_replies(texts, variables))
        params["data"]["file"] = "data/records.csv"
        params["model"] = {"name": "fake", "provider": "openai", "api_url": fake.url, "temperature": 0}
        params["run"]["max_in_flight"] = 8
        (project.folder / "challenge.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        ended = project.snakemake("--configfile", "challenge.yaml")
    assert ended.returncode == 0, ended.stdout

    rows = pd.read_parquet(project.folder / "results/youth-mental-health/results.parquet")
    metrics = project.read_json("results/youth-mental-health/metrics.json")
    script = runpy.run_path(str(ROOT / EXAMPLE / "scores.py"))
    ours = script["scores"](metrics)
    assert len(rows) == len(texts) and rows["incident_id"].nunique() == N_RECORDS

    expected = {}
    for name, variable in variables.items():
        is_binary = variable["type"] == "binary"
        answered = rows.groupby("incident_id")[name].apply(value_of_record, is_binary)
        label = labels.set_index("IncidentID")[variable["label"]].reindex(answered.index)
        counted = answered.notna()
        n_failed = int(rows[name].isna().groupby(rows["incident_id"]).any().sum())
        if is_binary:
            pair = label[counted].astype(int), answered[counted].astype(int)
            expected[name] = f1_score(*pair, average="binary", zero_division=0)
        else:
            expected[name] = f1_score(label[counted].astype(str), answered[counted].astype(str), average="micro")
        assert abs(ours[name].f1 - expected[name]) < 1e-12, name
        assert (ours[name].n, ours[name].n_errors) == (counted.sum(), n_failed), name
        assert ours[name].n + ours[name].n_errors + ours[name].n_differing == N_RECORDS
        assert n_failed > 0

    categories = ["injury_location_type", "weapon_type"]
    binary = [value for name, value in expected.items() if name not in categories]
    assert (
        len(binary) == 21 and expected["diagnosis_bipolar"] == 0 and min(ours[name].n_differing for name in categories)
    )
    whole = np.average([np.mean(binary), *(expected[name] for name in categories)], weights=[21, 1, 1])
    means = [np.mean(binary), *(expected[name] for name in categories), whole]
    assert list(script["averages"](ours).values()) == pytest.approx(means, rel=0, abs=1e-12)

    printed = project.run("python", f"{EXAMPLE}/scores.py").stdout.splitlines()
    assert [line.split()[-1] for line in printed[-4:]] == [f"{mean:.3f}" for mean in means]
    assert [line.split()[:3] for line in printed[1:24]] == [
        [name, f"{value:.3f}", str(ours[name].n)] for name, value in expected.items()
    ]


def _kind(variable: dict[str, Any]) -> dict[str, Any]:
    if variable["type"] == "binary":
        return {"type": "boolean"}
    return {"type": "string", "enum": [str(value) for value in variable["values"]]}
