"""The examples of a codebook in `examples/` say what they promise."""

import hashlib
import runpy
from pathlib import Path

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
CIRCUMSTANCES = EXAMPLES / "circumstances"


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
    """Both examples that the documentation names are found."""
    assert [file.parent.name for file in FILES] == ["circumstances", "usual-question"]


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


def test_the_workbook_is_the_one_that_is_tracked(tmp_path: Path) -> None:
    """The script writes the committed workbook, byte for byte, and its .dvc file names that one."""
    made = tmp_path / "circumstances.csv"
    runpy.run_path(str(CIRCUMSTANCES / "make_workbook.py"))["write"](made)
    committed = CIRCUMSTANCES / "circumstances.csv"
    assert made.read_bytes() == committed.read_bytes()
    digest = hashlib.md5(made.read_bytes(), usedforsecurity=False).hexdigest()
    assert digest == checksum.verify(committed)
