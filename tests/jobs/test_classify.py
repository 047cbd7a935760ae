import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.run_contexts import context_of
from tests.small_experiment import (
    FOLDER,
    entry_of,
    error_of,
    keep,
    keep_answers,
    narratives_of,
    params_of,
    write_narratives,
)

from narrative_runs import results_file
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.errors import JournalError
from narrative_runs.jobs.classify import write_results
from narrative_runs.results import Result, result_of

PARAMS = params_of()
CONTEXT = context_of(PARAMS)
NARRATIVES = narratives_of(9)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_narratives(NARRATIVES, 2)


def written(shard: int = 1) -> list[Result]:
    """The results of a shard, as they are on disk."""
    return list(results_file.read(FOLDER.results_of(shard, 2)))


def test_each_narrative_of_the_shard_has_its_result() -> None:
    """The file of a shard holds one row a narrative, in workbook order, made from the narrative and its own entry,
    whatever the order of the answers and however many sessions they came in."""
    mine = NARRATIVES[::2]
    entries = [entry_of(narrative, PARAMS) for narrative in mine[:4]] + [error_of(mine[4], PARAMS)]
    keep(CONTEXT, "1-of-2", [entries[3], entries[0]])
    keep(replace(CONTEXT, session=2), "1-of-2", [entries[4], entries[1], entries[2]])
    assert write_results(FOLDER, PARAMS, 1) == 5
    assert written() == [result_of(narrative, entry, DEFAULT) for narrative, entry in zip(mine, entries, strict=True)]
    assert [result.error_category for result in written()] == [None] * 4 + ["timeout"]


def test_the_same_answers_give_the_same_bytes() -> None:
    """Made again from the same journals, the file is the same to the byte."""
    keep_answers(CONTEXT, NARRATIVES)
    path = FOLDER.results_of(2, 2)
    write_results(FOLDER, PARAMS, 2)
    first = path.read_bytes()
    path.unlink()
    write_results(FOLDER, PARAMS, 2)
    assert path.read_bytes() == first


def test_of_two_answers_the_first_counts() -> None:
    """A narrative that was answered in two sessions keeps its first answer."""
    keep_answers(CONTEXT, NARRATIVES)
    again = [error_of(narrative, PARAMS) for narrative in NARRATIVES[::2]]
    keep(replace(CONTEXT, session=2), "1-of-2", again)
    write_results(FOLDER, PARAMS, 1)
    assert not any(result.error_occurred for result in written())


@pytest.mark.parametrize("elsewhere", ["2-of-2", "retry"])
def test_a_narrative_without_an_answer_is_an_error(elsewhere: str) -> None:
    """Where the journals of the shard lack an answer, though others may hold it, the job fails, names the narrative and
    the way out, and leaves no file."""
    mine = NARRATIVES[::2]
    keep(CONTEXT, "1-of-2", [entry_of(narrative, PARAMS) for narrative in mine[:-1]])
    keep(replace(CONTEXT, session=2), elsewhere, [entry_of(mine[-1], PARAMS)])
    with pytest.raises(JournalError, match=r"no answer for 0004 cme\. Delete results/cases/shards/"):
        write_results(FOLDER, PARAMS, 1)
    assert not list(FOLDER.shards.iterdir())


def test_an_answer_to_another_question_is_none() -> None:
    """An answer that was asked for with other params is none to what these ask."""
    other = params_of(model={"temperature": 1.0})
    keep(context_of(other), "1-of-2", [entry_of(narrative, other) for narrative in NARRATIVES[::2]])
    with pytest.raises(JournalError, match="no answer for 0000 cme"):
        write_results(FOLDER, PARAMS, 1)


def test_results_end_at_the_limit() -> None:
    """With run.max_narratives a shard has the results of those before the limit alone, and may have none."""
    keep_answers(CONTEXT, NARRATIVES)
    assert write_results(FOLDER, params_of(max_narratives=4), 1) == 2
    assert [result.row_num for result in written()] == [1, 3]
    assert write_results(FOLDER, params_of(max_narratives=1), 2) == 0
    assert written(2) == []


def test_a_long_reply_is_read_whole() -> None:
    """Entries are found by their places in the journals, whatever their lengths and letters."""
    mine = NARRATIVES[::2]
    entries = [entry_of(narrative, PARAMS) for narrative in mine]
    for number, entry in enumerate(entries):
        answer = {"detected": True, "confidence": 0.5, "indicators": [], "rationale": f"{number} é‘" * 20_000}
        entry["response"]["choices"][0]["message"]["content"] = json.dumps(answer, ensure_ascii=False)
    keep(CONTEXT, "1-of-2", entries[::-1])
    write_results(FOLDER, PARAMS, 1)
    assert [result.rationale for result in written()] == [f"{number} é‘" * 20_000 for number in range(5)]
