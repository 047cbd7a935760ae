from typing import Any

import pytest

from narrative_runs.derivation.proof import recorded_as_reference

PARAMS = {"run": {"seed": 42}}
GIVEN = {"data/cases.xlsx": "w", "results/cases/journal": "j.dir"}
OUTS = {"results/cases/metrics.json": "m", "results/cases/results.csv": "c"}


def lock_of(**changes: str) -> dict[str, Any]:
    """The dvc.lock of a proof with these params, workbook and answers; `changes` are other MD5s."""
    deps = {**GIVEN, "src/narrative_runs": "s.dir", "results/cases/shards": "h.dir", **changes}
    return {
        "stages": {
            "record": {
                "deps": [{"path": path, "md5": md5} for path, md5 in deps.items()],
                "params": {"params.yaml": PARAMS},
                "outs": [{"path": path, "md5": md5} for path, md5 in OUTS.items()],
            }
        }
    }


@pytest.mark.parametrize("changed", ["src/narrative_runs", "results/cases/shards"])
def test_the_lock_is_the_reference_whatever_became_of_the_code(changed: str) -> None:
    """With the same params, workbook and answers the lock's findings are expected, from other code too."""
    assert recorded_as_reference(lock_of(**{changed: "other"}), GIVEN, PARAMS) == OUTS


@pytest.mark.parametrize("changed", GIVEN)
def test_other_data_or_answers_may_have_other_findings(changed: str) -> None:
    """With another workbook or other answers the lock says nothing."""
    assert recorded_as_reference(lock_of(**{changed: "other"}), GIVEN, PARAMS) == {}


def test_a_note_excuses_no_other_numbers() -> None:
    """A param on which no finding depends, or another way to write a path, changes nothing of what is recorded."""
    lock = lock_of()
    for dependency in lock["stages"]["record"]["deps"]:
        dependency["path"] = f"./{dependency['path']}"
    assert recorded_as_reference(lock, GIVEN, {**PARAMS, "experiment": {"notes": "new"}}) == OUTS


def test_other_params_may_have_other_findings() -> None:
    """With other params the lock says nothing."""
    assert recorded_as_reference(lock_of(), GIVEN, {"run": {"seed": 43}}) == {}


@pytest.mark.parametrize("lock", [{}, {"schema": "2.0", "stages": {}}, {"stages": {"record": {}}}])
def test_a_lock_without_the_stage_says_nothing(lock: dict[str, Any]) -> None:
    """Before the first proof nothing is recorded."""
    assert recorded_as_reference(lock, GIVEN, PARAMS) == {}
