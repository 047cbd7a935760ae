"""One experiment: its id, its frozen params, and how to read it from disk.

What makes the answers is frozen at the first answer; all else may change from resume to resume.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from narrative_runs import journal, journal_set_aside, paths
from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook
from narrative_runs.errors import ExperimentError, JournalError
from narrative_runs.params import Params, check, default_of
from narrative_runs.results import is_answer
from narrative_runs.source import rules

CODEBOOK = "codebook"
LONGEST_SHOWN = 60
BEFORE_DIFFERENCE = 15
FROZEN_KEYS = (
    "model.name",
    "model.temperature",
    "model.max_tokens",
    "model.extra_body",
    "model.structured_output",
    "model.logprobs",
    "prompt.system_prompt",
    "prompt.user_template",
    "codebook",
    "run.seed",
    "data.sheet",
    "data.id",
    "data.columns",
    "data.placeholders",
    "shards.count",
)


@dataclass(frozen=True)
class ExperimentState:
    """An experiment that is on disk already.

    `has_answers` tells whether its params are frozen: before the first answer a typo is just corrected. An error is no
    answer; `has_errors_alone` tells whether only errors were kept so far.
    `params` are the whole params of its latest session, as a file would hold them; `release` is the software of that
    session, empty where nobody can say; `reading_rules` is the number of the rules by which its workbook is read.
    `seen_before` are the digests of the narratives that were seen before the first answer (`seen_narratives`).
    """

    experiment_id: str
    source_md5: str
    params: dict[str, Any]
    has_answers: bool
    began_at: str
    reading_rules: int = rules.CURRENT.number
    release: str = ""
    has_errors_alone: bool = False
    seen_before: frozenset[str] = frozenset()

    @property
    def has_journals(self) -> bool:
        """Whether anything was kept, answers or errors."""
        return self.has_answers or self.has_errors_alone


def frozen_params(params: Params) -> dict[str, Any]:
    """The values of all frozen keys, by their dotted names."""
    tree = params.model_dump(mode="json")
    return {key: _look_up(tree, key) for key in FROZEN_KEYS}


def differences(state: ExperimentState, params: Params) -> list[tuple[str, Any, Any]]:
    """(key, frozen value, value in the params file) of each frozen key that was changed."""
    now = frozen_params(params)
    pairs = [(key, _look_up(state.params, key), now[key]) for key in FROZEN_KEYS]
    return [(key, old, new) for key, old, new in pairs if old != new or _is_in_another_order(key, old, new)]


def _is_in_another_order(key: str, old: Any, new: Any) -> bool:
    """Whether a codebook has its variables or their values in another order, which the model sees."""
    return key == CODEBOOK and json.dumps(old) != json.dumps(new)


def must_not_differ(state: ExperimentState, params: Params, origin: str) -> None:
    """See that these params are the experiment's own, to the letter: only those can prove it.

    Raises:
        ExperimentError: names each frozen key that differs, with both values.
    """
    lines = [f"  {key}: {', not '.join(apart(old, new))}" for key, old, new in differences(state, params)]
    if lines:
        raise ExperimentError(
            f"The experiment was not run with the params in {origin}, so it proves nothing about them:\n"
            + "\n".join(lines)
            + "\nRestore the old values, or start a new experiment with another name and slug."
        )


def apart(old: Any, new: Any) -> tuple[str, str]:
    """Two values of a params file, each as one short line; of long ones, such as prompts, where they first differ."""
    first, second = (json.dumps(value, ensure_ascii=False) for value in (old, new))
    if max(len(first), len(second)) <= LONGEST_SHOWN:
        return first, second
    same = next((index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))
    begin = max(0, min(same, len(second)) - BEFORE_DIFFERENCE)
    return _cut(first, begin), _cut(second, begin)


def _cut(text: str, begin: int) -> str:
    end = begin + LONGEST_SHOWN
    return ("… " if begin else "") + text[begin:end] + (" …" if end < len(text) else "")


def changes(before: Mapping[str, Any], params: Params) -> list[str]:
    """The changes since the last session's params, among those that may change, in words."""
    lines = []
    tree = params.model_dump(mode="json")
    tree.pop(CODEBOOK, None)
    for section, values in tree.items():
        for name, value in values.items():
            # What an earlier release did not know had its default.
            old = before.get(section, {}).get(name, default_of(section, name))
            if f"{section}.{name}" not in FROZEN_KEYS and old != value:
                lines.append(f"{section}.{name}: {' is now '.join(apart(old, value))}")
    return lines


def last_params(folder: paths.ExperimentFolder, state: ExperimentState) -> dict[str, Any]:
    """The whole params of the last session, even of one that asked nothing and so left no journal."""
    described = _described(folder)
    return described.params if described and described.experiment_id == state.experiment_id else state.params


def suppress_below(folder: paths.ExperimentFolder, state: ExperimentState) -> int:
    """The limit below which counts are masked, as the params of the last session have it; 0 masks none.

    The report takes it from there: whatever else shows counts of a finished experiment asks here, and so masks alike.
    """
    report = last_params(folder, state).get("report") or {}
    return int(report.get("suppress_below") or default_of("report", "suppress_below"))


def with_frozen(state: ExperimentState, params: Params) -> Params:
    """`params` with every frozen key put back to the value that the experiment began with."""
    tree = params.model_dump(mode="json")
    for key in FROZEN_KEYS:
        *sections, name = key.split(".")
        (tree[sections[0]] if sections else tree)[name] = _look_up(state.params, key)
    return check(tree, "the experiment's frozen params")


def find(folder: paths.ExperimentFolder) -> ExperimentState | None:
    """The experiment state in this folder, from its journals; from experiment.yaml before there are any.

    Raises:
        JournalError: the journals cannot be read, or are of several experiments.
    """
    heads = journal.heads(folder.journals)
    if not heads:
        return _described(folder)
    try:
        return _state_of(folder, heads)
    except KeyError as missing:
        raise JournalError(
            f"{folder.journals}: the description of the experiment is damaged ({missing} is missing). Restore the "
            "files from a backup."
        ) from None


def _state_of(folder: paths.ExperimentFolder, heads: list[dict[str, Any]]) -> ExperimentState:
    """The experiment state from journals with these heads, oldest session first."""
    first, last = heads[0], heads[-1]
    if others := {head["experiment_id"] for head in heads} - {first["experiment_id"]}:
        raise JournalError(
            f"{folder.journals}/ holds journals of several experiments: {first['experiment_id']}, "
            f"{', '.join(sorted(others))}. Move away those that do not belong there."
        )
    answered = _first_answered(folder)
    # The first release called an experiment completed that had nothing but errors; it stays as it is.
    is_frozen = answered is not None or folder.metrics.exists()
    frozen = answered or last
    return ExperimentState(
        first["experiment_id"],
        frozen["source_md5"],
        last["params"],
        is_frozen,
        first["began_at"],
        # The first release named no rules.
        frozen.get("reading_rules", rules.OF_0_1_0.number),
        str(last.get("software_version") or ""),
        has_errors_alone=not is_frozen,
        seen_before=_seen_before(answered),
    )


def narratives_in_workbook(folder: paths.ExperimentFolder) -> int:
    """How many narratives were read of the experiment's workbook, without those left out, as data_quality.json says.

    Raises:
        OSError, ValueError, KeyError, TypeError: that file is missing or damaged.
    """
    return int(json.loads(folder.data_quality.read_text(encoding="utf-8"))["narratives"]["total"])


def seen_before(folder: paths.ExperimentFolder) -> frozenset[str]:
    """The digests of the narratives that were seen before the first answer, as its journal has them from then on.

    Raises:
        JournalError: a journal cannot be read.
    """
    return _seen_before(_first_answered(folder))


def _seen_before(answered: dict[str, Any] | None) -> frozenset[str]:
    """The same, from the head of the first journal with an answer; older releases wrote no digests into it."""
    return frozenset((answered or {}).get("seen_before", ()))


def _first_answered(folder: paths.ExperimentFolder) -> dict[str, Any] | None:
    """The head of the first journal that holds an answer; None while there are only errors."""
    for path in journal.files(folder.journals):
        head = journal.head(path)
        codebook = codebook_of(head["params"]) if head else DEFAULT
        if any(is_answer(entry, codebook) for _, entry in journal.entries(path)):
            return head
    return None


def codebook_of(params: Mapping[str, Any]) -> Codebook:
    """The codebook of an experiment with these params, as its journals hold them."""
    written = params.get(CODEBOOK)
    return DEFAULT if written is None else Codebook.model_validate(written)


def _described(folder: paths.ExperimentFolder) -> ExperimentState | None:
    """The experiment state from experiment.yaml, if there is a readable one."""
    try:
        description = yaml.safe_load(folder.description.read_text(encoding="utf-8"))
        return ExperimentState(
            description["experiment_id"],
            description["source_md5"],
            description["params"],
            False,
            str(description["began_at"]),
            # Before the first answer nothing hangs on how an earlier release read the workbook.
            description.get("reading_rules", rules.CURRENT.number),
        )
    except (OSError, TypeError, KeyError, ValueError, yaml.YAMLError):
        return None


def must_not_be_between(folder: paths.ExperimentFolder) -> None:
    """See that no rollback was cut short, after which the findings are still those of the state before.

    Raises:
        ExperimentError: one was; with the command that finishes it.
    """
    aside = journal_set_aside.read(folder.journals)
    if aside is not None and aside.derive_from:
        raise ExperimentError(
            f"A rollback of {folder.slug} was interrupted: its answers are those of {aside.derive_from}, but its "
            f"findings are not yet. To finish it: `narrative-runs rollback {folder.slug} {aside.derive_from}`"
        )


def all_here() -> Iterator[tuple[paths.ExperimentFolder, ExperimentState | JournalError]]:
    """Every experiment under results/ with its folder, in the order of their names; if one cannot be read, the
    reason."""
    for path in sorted(paths.RESULTS.glob("*/")):
        folder = paths.ExperimentFolder(path.name)
        try:
            state: ExperimentState | JournalError | None = find(folder)
        except JournalError as error:
            state = error
        if state is not None:
            yield folder, state


def find_by_id(experiment_id: str) -> tuple[paths.ExperimentFolder, ExperimentState]:
    """The folder under results/ that holds this experiment, and its state.

    Raises:
        ExperimentError: no folder holds it; names those that cannot be read, since it may be one of them.
    """
    damaged = []
    for folder, state in all_here():
        if isinstance(state, JournalError):
            damaged.append(f"\n  {folder.path}/ cannot be read: {state}")
        elif state.experiment_id == experiment_id:
            return folder, state
    raise ExperimentError(
        f"Experiment ID not found: {experiment_id}. No folder under {paths.RESULTS}/ has it. "
        f"Look up the ID in results/*/experiment.yaml.{''.join(damaged)}"
    )


def describe(folder: paths.ExperimentFolder, state: ExperimentState) -> None:
    """Write experiment.yaml: the id, the params and the source's md5, for people."""
    text = yaml.safe_dump(
        {
            "experiment_id": state.experiment_id,
            "began_at": state.began_at,
            "source_md5": state.source_md5,
            "reading_rules": state.reading_rules,
            "frozen": [*FROZEN_KEYS, "source_md5"],
            "params": state.params,
        },
        sort_keys=False,
        allow_unicode=True,
    )
    with written_whole(folder.description) as draft:
        draft.write_text(text, encoding="utf-8")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` put on top, section by section; a codebook is one value."""
    result = dict(base)
    for key, value in over.items():
        below = None if key == CODEBOOK else result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _look_up(tree: Mapping[str, Any], key: str) -> Any:
    if key == CODEBOOK:
        # As this release writes it, which may know more settings than the one that wrote it down.
        written = tree.get(key)
        return None if written is None else Codebook.model_validate(written).model_dump(mode="json")
    section, name = key.split(".")
    # What an earlier release did not know had its default.
    return tree[section].get(name, default_of(section, name))
