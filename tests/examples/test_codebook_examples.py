"""The examples of a codebook in `examples/` say what they promise."""

import hashlib
import runpy
from pathlib import Path

import pandas as pd
import pytest

from narrative_runs.asking.request import Question
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.schema import schema
from narrative_runs.codebook.variables import CODEBOOK_MARK
from narrative_runs.demo.workbook import incidents
from narrative_runs.params import Params, of_file, warnings
from narrative_runs.source import checksum
from narrative_runs.source.shards import Narrative

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = sorted(EXAMPLES.glob("*/params.yaml"))
WORKBOOKS = [EXAMPLES / "circumstances/circumstances.csv", EXAMPLES / "youth-mental-health/records.csv"]


def of_example(name: str) -> Params:
    """The params of an example, read as a run reads them."""
    return of_file(EXAMPLES / name / "params.yaml")


def narratives() -> list[Narrative]:
    """The demo's narratives."""
    cells = [
        (str(row.IncidentID), kind, text)
        for row in incidents().itertuples(index=False)
        for kind, text in (("cme", row.NarrativeCME), ("le", row.NarrativeLE))
        if isinstance(text, str)
    ]
    return [Narrative(number, *cell, None, None, number) for number, cell in enumerate(cells, 1)]


def test_there_are_examples() -> None:
    """All examples that the documentation names are found."""
    assert [file.parent.name for file in FILES] == ["circumstances", "usual-question", "youth-mental-health"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_an_example_can_be_used(file: Path) -> None:
    """An example has a codebook and a slug of its own, the folder's name, and its workbook is tracked."""
    params = of_file(file)
    assert params.codebook is not None
    assert params.slug == file.parent.name
    assert checksum.tracked_md5(ROOT / params.data.file)


def test_the_usual_question_asks_what_the_demo_asks() -> None:
    """Written out as a codebook, the usual question gives each of the demo's narratives the same fingerprint."""
    written_out, demo = of_example("usual-question"), of_file(ROOT / "params.yaml")
    assert demo.codebook is None
    told = narratives()
    assert len(told) == 45
    ours, theirs = Question(written_out), Question(demo)
    assert [ours.fingerprint(each) for each in told] == [theirs.fingerprint(each) for each in told]


def test_the_usual_question_asks_for_the_same_schema() -> None:
    """Written out as a codebook, the usual question is the default one, with the same schema."""
    written_out = of_example("usual-question").variables
    assert written_out == DEFAULT
    assert schema(written_out) == schema(of_file(ROOT / "params.yaml").variables)


def test_circumstances_shows_what_a_codebook_can() -> None:
    """The example has all seven types, a condition, an error for unclear, labels, and a definition of each variable."""
    params = of_example("circumstances")
    variables = params.variables.variables
    assert {variable.type for variable in variables.values()} == {
        *("binary", "category", "ordinal", "multi", "number", "quote", "text"),
    }
    assert variables["severity"].only_if == {"detected": ["yes"]}
    assert variables["detected"].unclear == "error"
    assert sum(variable.label is not None for variable in variables.values()) == 5
    assert all(variable.definition for variable in variables.values())
    assert CODEBOOK_MARK in params.prompt.system_prompt
    assert not warnings(params)


def test_the_challenge_is_asked_for_whole() -> None:
    """The youth mental health example has the challenge's 21 binary variables and two categories with all their codes,
    each with a definition, a label of its own, and a value for each record whose answer can be read."""
    params = of_example("youth-mental-health")
    variables = params.variables.variables
    labels = {variable.label for variable in variables.values()}
    header = WORKBOOKS[1].read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[:3] == ["IncidentID", "NarrativeCME", "NarrativeLE"] and labels == set(header[3:])
    assert len(labels) == len(variables) == 23 and all(variable.definition for variable in variables.values())
    binary = [variable for variable in variables.values() if variable.type == "binary"]
    assert len(binary) == 21 and {variable.unclear for variable in binary} == {"no"}
    codes = {name: variable.value_names for name, variable in variables.items() if variable.type == "category"}
    assert codes == {
        "injury_location_type": tuple(str(code) for code in range(1, 7)),
        "weapon_type": tuple(str(code) for code in range(1, 13)),
    }
    assert all(variables[name].unclear == "error" for name in codes)
    assert CODEBOOK_MARK in params.prompt.system_prompt
    assert not warnings(params)


def test_each_circumstance_of_the_challenge_is_labelled() -> None:
    """In the youth mental health example each of the 21 circumstances is labelled yes in a record and no in another."""
    records = pd.read_csv(WORKBOOKS[1])
    circumstances = records.iloc[:, 3:24]
    assert (circumstances.nunique() == 2).all() and set(circumstances.to_numpy().ravel()) == {0, 1}
    assert records[["NarrativeCME", "NarrativeLE"]].notna().any(axis=1).all()


@pytest.mark.parametrize("workbook", WORKBOOKS, ids=lambda file: file.parent.name)
def test_the_workbook_is_the_one_that_is_tracked(workbook: Path, tmp_path: Path) -> None:
    """The script writes the committed workbook, byte for byte, and its .dvc file names that one."""
    made = tmp_path / workbook.name
    runpy.run_path(str(workbook.with_name("make_workbook.py")))["write"](made)
    assert made.read_bytes() == workbook.read_bytes()
    digest = hashlib.md5(made.read_bytes(), usedforsecurity=False).hexdigest()
    assert digest == checksum.verify(workbook)
