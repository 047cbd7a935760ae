import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs import experiment
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, JournalError
from narrative_runs.experiment import FROZEN_KEYS, ExperimentState
from narrative_runs.journal import SESSION_FOLDER, Journal
from narrative_runs.params import Params, check
from narrative_runs.paths import ExperimentFolder

# Another valid value of every frozen key.
CODEBOOK = Codebook.model_validate({"variables": {"weapon": {"type": "category", "values": ["gun", "knife"]}}})
OTHER: dict[str, Any] = {
    "model.name": "other",
    "model.temperature": 0.7,
    "model.max_tokens": None,
    "model.extra_body": {"top_k": 5},
    "model.structured_output": "plain",
    "model.logprobs": True,
    "prompt.system_prompt": "Other.",
    "prompt.user_template": "Other: <<TEXT>>",
    "codebook": CODEBOOK.model_dump(mode="json"),
    "run.seed": 43,
    "data.sheet": "2019",
    "data.id": ["SiteID", "IncidentID"],
    "data.columns": {"incident_id": "CaseNo"},
    "data.placeholders": "skip",
    "shards.count": 5,
}
FREE: dict[str, Any] = {
    "experiment.name": "Other name",
    "experiment.notes": "other",
    "model.api_url": "http://localhost:2/v1",
    "model.allow_remote": True,
    "prompt.version": "2",
    "run.max_narratives": 500,
    "run.max_in_flight": 2,
    "run.budget_tokens": 10_000,
    "report.show_narratives": True,
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def params_of(**changes: Any) -> Params:
    """Params of a small experiment; `changes` are values by dotted names."""
    values: dict[str, dict[str, Any]] = {
        "experiment": {"name": "Cases", "slug": "cases"},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"system_prompt": "Decide.", "user_template": "Narrative: <<TEXT>>"},
        "data": {"file": "data/cases.xlsx"},
        "run": {},
        "shards": {},
        "report": {},
    }
    for key, value in changes.items():
        *sections, name = key.split(".")
        (values[sections[0]] if sections else values)[name] = value
    return check(values, "params.yaml")


def begun_of(params: Params, experiment_id: str = "a", has_answers: bool = True) -> ExperimentState:
    """An experiment that began with these params."""
    return ExperimentState(experiment_id, "md5", params.model_dump(mode="json"), has_answers, "2024-05-01 12:00:00")


ANSWER = {"response": {"choices": [{"message": {"content": '{"detected": true, "confidence": 0.9}'}}]}}
ERROR = {"error": {"category": "api_error", "message": "HTTP 500"}}


def journal_of(
    slug: str,
    session: int,
    begun: ExperimentState,
    name: str = "1-of-3",
    entry: dict[str, Any] = ANSWER,
    **more: Any,
) -> None:
    """A journal of one session with one entry; more: what else its head has."""
    head = {
        "experiment_id": begun.experiment_id,
        "source_md5": begun.source_md5,
        "params": begun.params,
        "began_at": begun.began_at,
        **more,
    }
    path = ExperimentFolder(slug).journals / SESSION_FOLDER.format(session) / f"{name}.jsonl"
    kept = Journal(path, head)
    kept.append({"fingerprint": "f", **entry})
    kept.close()


def test_what_is_frozen_is_what_the_contract_says() -> None:
    """Model, its settings, both prompts, seed and the number of shards are frozen, and each of them by this test."""
    assert set(experiment.frozen_params(params_of())) == set(FROZEN_KEYS) == set(OTHER)


@pytest.mark.parametrize("key", OTHER)
def test_a_changed_frozen_key_is_told(key: str) -> None:
    """Each frozen key that differs is told with the value it is kept at, and the one in the file."""
    begun = begun_of(params_of())
    kept = experiment.frozen_params(params_of())[key]
    assert experiment.differences(begun, params_of(**{key: OTHER[key]})) == [(key, kept, OTHER[key])]


def test_what_may_change_is_no_difference() -> None:
    """Address, limits, name and pilot size change from resume to resume, and are told as changes instead."""
    begun = begun_of(params_of())
    changed = params_of(**FREE)
    assert experiment.differences(begun, changed) == []
    told = experiment.changes(begun.params, changed)
    assert sorted(line.split(":")[0] for line in told) == sorted(FREE)
    assert experiment.changes(begun.params, params_of()) == []


@given(st.sets(st.sampled_from(sorted(OTHER))), st.sets(st.sampled_from(sorted(FREE))))
def test_a_resume_goes_on_with_what_is_frozen(frozen: set[str], free: set[str]) -> None:
    """Whatever the file changes, frozen keys are put back, and all others are those of the file."""
    begun = begun_of(params_of())
    changed = params_of(**{key: OTHER[key] for key in frozen}, **{key: FREE[key] for key in free})
    resumed = experiment.with_frozen(begun, changed)
    assert experiment.differences(begun, resumed) == []
    assert resumed == params_of(**{key: FREE[key] for key in free})


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**53), 2**53)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.integers() | st.text(), inner, max_size=2),
            max_leaves=4,
        ),
        max_size=2,
    )
)
def test_what_went_through_a_journal_is_no_difference(extra_body: dict[str, Any]) -> None:
    """Params that were written as JSON and are read back differ in nothing, whatever stands in extra_body."""
    params = params_of(**{"model.extra_body": extra_body})
    begun = begun_of(params)
    again = ExperimentState(**{**begun.__dict__, "params": json.loads(json.dumps(begun.params))})
    assert experiment.differences(again, params) == []


def test_nothing_is_found_where_nothing_was_begun() -> None:
    """A folder that is missing or holds neither journal nor description is no experiment."""
    folder = ExperimentFolder("cases")
    assert experiment.find(folder) is None
    folder.journals.mkdir(parents=True)
    assert experiment.find(folder) is None


def test_a_description_is_found_again_before_the_first_answer() -> None:
    """What was described is found, and its params are not frozen yet."""
    folder = ExperimentFolder("cases")
    begun = begun_of(params_of(**{"prompt.system_prompt": "é: 'x'\n\n- \"y\" \t#\n"}), has_answers=False)
    experiment.describe(folder, begun)
    assert experiment.find(folder) == begun


def test_errors_freeze_nothing() -> None:
    """While a journal holds nothing but errors, its params may still be changed; the first answer freezes them."""
    folder = ExperimentFolder("cases")
    journal_of("cases", 1, begun_of(params_of(**{"model.name": "typo"})), entry=ERROR)
    found = experiment.find(folder)
    assert found is not None
    assert (found.has_answers, found.has_errors_alone, found.has_journals) == (False, True, True)
    journal_of("cases", 2, begun_of(params_of()))
    found = experiment.find(folder)
    assert found is not None
    assert (found.has_answers, found.has_errors_alone) == (True, False)
    assert found.params["model"]["name"] == params_of().model.name


def test_what_was_seen_before_the_first_answer_stays_so() -> None:
    """What was seen is that of the session with the first answer: neither what earlier sessions knew, which had errors
    alone, nor what was seen later counts; older journals have none."""
    folder, begun = ExperimentFolder("cases"), begun_of(params_of())
    journal_of("cases", 1, begun, entry=ERROR, seen_before=["aa"])
    assert experiment.seen_before(folder) == frozenset()
    journal_of("cases", 2, begun, seen_before=["aa", "bb"])
    journal_of("cases", 3, begun, seen_before=["aa", "bb", "cc"])
    journal_of("cases", 4, begun)
    found = experiment.find(folder)
    assert found is not None
    assert found.seen_before == experiment.seen_before(folder) == {"aa", "bb"}
    journal_of("older", 1, begun)
    assert experiment.seen_before(ExperimentFolder("older")) == frozenset()


def test_a_key_that_is_new_is_no_change() -> None:
    """A key that the release of the last session did not know had its default then."""
    params = params_of()
    before = params.model_dump(mode="json")
    del before["model"]["answers_as"]
    assert experiment.changes(before, params) == []


def test_the_journal_is_the_authority() -> None:
    """Once there is an answer, the journal says what the experiment is; one without rules of reading is of the first
    release."""
    folder = ExperimentFolder("cases")
    experiment.describe(folder, begun_of(params_of(**{"model.name": "typo"}), "described", has_answers=False))
    begun = begun_of(params_of(), "answered")
    journal_of("cases", 1, begun)
    assert experiment.find(folder) == replace(begun, reading_rules=1)
    folder.description.write_text("{damaged", encoding="utf-8")
    assert experiment.find(folder) == replace(begun, reading_rules=1)


def test_an_experiment_keeps_its_beginning_and_goes_on_with_its_latest_params() -> None:
    """The id and the beginning are those of the first session, and the params those of the last."""
    first, last = begun_of(params_of()), begun_of(params_of(**{"run.max_narratives": 500}))
    later = ExperimentState(**{**last.__dict__, "began_at": "2025-01-01 00:00:00"})
    journal_of("cases", 2, later)
    journal_of("cases", 1, first, name="2-of-3")
    found = experiment.find(ExperimentFolder("cases"))
    assert found is not None
    assert (found.experiment_id, found.began_at) == ("a", "2024-05-01 12:00:00")
    assert found.params["run"]["max_narratives"] == 500


@pytest.mark.parametrize("content", [b"", b"text", b"{}", b"- a", b"{damaged", b"\xff\xfe\x00", b"5"])
def test_a_damaged_description_is_none(content: bytes) -> None:
    """Before the first answer nothing is lost with experiment.yaml: it is written anew."""
    folder = ExperimentFolder("cases")
    folder.path.mkdir(parents=True)
    folder.description.write_bytes(content)
    assert experiment.find(folder) is None


def test_the_description_is_for_people() -> None:
    """experiment.yaml shows id, source, params in the order of params.yaml, and what of them is frozen."""
    folder = ExperimentFolder("cases")
    experiment.describe(folder, begun_of(params_of(**{"experiment.author": "Ä. Author"})))
    text = folder.description.read_text(encoding="utf-8")
    shown = yaml.safe_load(text)
    assert list(shown) == ["experiment_id", "began_at", "source_md5", "reading_rules", "frozen", "params"]
    assert shown["frozen"] == [*FROZEN_KEYS, "source_md5"]
    assert "Ä. Author" in text
    assert list(shown["params"]) == ["experiment", "model", "prompt", "data", "run", "shards", "report"]


def test_an_experiment_is_found_by_its_id() -> None:
    """Of several folders the one with this id is found, by its journal or its description."""
    journal_of("one", 1, begun_of(params_of(), "id-1"))
    experiment.describe(ExperimentFolder("two"), begun_of(params_of(), "id-2", has_answers=False))
    Path("results/experiments.db").write_text("")
    Path("results/backups").mkdir()
    for slug, experiment_id in (("one", "id-1"), ("two", "id-2")):
        folder, begun = experiment.find_by_id(experiment_id)
        assert (folder.slug, begun.experiment_id) == (slug, experiment_id)


def test_an_id_that_nobody_has_is_told() -> None:
    """An unknown id ends with its message and where to look, also before there are any results."""
    with pytest.raises(ExperimentError, match="Experiment ID not found: nobody"):
        experiment.find_by_id("nobody")


trees = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3))
mappings = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(mappings, mappings)
def test_values_put_on_top_win_and_nothing_else_changes(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Merged values are those on top where they are given, section by section, and those below elsewhere."""
    kept = json.loads(json.dumps(base))
    result = experiment.merged(base, over)
    assert experiment.merged(result, over) == result
    assert set(result) == set(base) | set(over)
    for key in result:
        if key not in over:
            assert result[key] == base[key]
        elif isinstance(over[key], dict) and isinstance(base.get(key), dict):
            assert result[key] == experiment.merged(base[key], over[key])
        else:
            assert result[key] == over[key]
    assert base == kept


def test_a_change_is_told_once() -> None:
    """What the last session was told is known, even if it asked nothing and left no journal; else its journal tells."""
    begun = begun_of(params_of())
    folder = ExperimentFolder("cases")
    journal_of("cases", 1, begun)
    assert experiment.last_params(folder, begun) == begun.params
    later = begun_of(params_of(**{"run.timeout_s": 7}))
    experiment.describe(folder, later)
    assert experiment.last_params(folder, begun) == later.params
    experiment.describe(folder, begun_of(params_of(**{"run.timeout_s": 9}), experiment_id="another"))
    assert experiment.last_params(folder, begun) == begun.params


def test_values_are_shown_where_they_differ() -> None:
    """Of two long prompts that differ in one word, that word is shown; short values are shown whole."""
    old, new = experiment.apart(
        "You read narratives. " * 10 + "Yes or no?", "You read narratives. " * 10 + "No or yes?"
    )
    assert "Yes or no?" in old and "No or yes?" in new and len(old) < 70
    assert experiment.apart(None, 0.7) == ("null", "0.7")


def test_journals_of_two_experiments_are_not_mixed() -> None:
    """Journals of another experiment in the same folder are named, and neither experiment goes on."""
    journal_of("cases", 1, begun_of(params_of(), "a"))
    journal_of("cases", 2, begun_of(params_of(), "b"))
    with pytest.raises(JournalError, match="several experiments: a, b"):
        experiment.find(ExperimentFolder("cases"))


def _damaged(path: Path) -> None:
    journal_of(path.name, 1, begun_of(params_of(), "b"))
    (path / "journal/session-0001/1-of-3.jsonl").write_text("no journal\n")


def _mixed(path: Path) -> None:
    journal_of(path.name, 1, begun_of(params_of(), "b"))
    journal_of(path.name, 2, begun_of(params_of(), "c"))


def _headless(path: Path) -> None:
    journal_of(path.name, 1, begun_of(params_of(), "b"))
    (path / "journal/session-0001/1-of-3.jsonl").write_text('{"head": {"slug": "other"}}\n')


def _elsewhere(path: Path) -> None:
    path.mkdir()
    (path / "journal").symlink_to(path / "nowhere")


@pytest.mark.parametrize("damage", [_damaged, _mixed, _headless, _elsewhere])
def test_damage_next_door_stops_no_search(damage: Callable[[Path], None]) -> None:
    """An experiment is found by its id whatever lies beside it; a folder that cannot be read is named only if none is
    found."""
    journal_of("cases", 1, begun_of(params_of(), "a"))
    damage(Path("results/another"))
    folder, begun = experiment.find_by_id("a")
    assert folder.slug == "cases" and begun.experiment_id == "a"
    with pytest.raises(ExperimentError, match=r"not found: b(.|\n)*results/another/ cannot be read: results/another"):
        experiment.find_by_id("b")


def test_what_is_no_experiment_is_passed_over() -> None:
    """Files, links that lead nowhere and folders of other things under results/ are no experiments."""
    results = Path("results")
    journal_of("cases", 1, begun_of(params_of(), "a"))
    (results / ".DS_Store").touch()
    (results / "._another").write_bytes(b"\x00")
    (results / "gone").symlink_to("nowhere")
    (results / "backups").mkdir()
    (results / "notes/experiment.yaml").mkdir(parents=True)
    (results / "journal").mkdir()
    (results / "journal/journal").touch()
    assert experiment.find_by_id("a")[0].slug == "cases"
    with pytest.raises(ExperimentError) as raised:
        experiment.find_by_id("b")
    assert "cannot be read" not in str(raised.value)
