"""estimates.json: its content, what it was asked for, the answers and reviews that it is made from, and whether these
have changed since."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from narrative_runs.errors import FindingsError
from narrative_runs.paths import ExperimentFolder
from narrative_runs.source.checksum import md5_of

ANSWERS, REVIEWS, BELOW = "answers", "reviews", "suppress_below"
MADE_FROM, ASKED = "made_from", "asked"
PREVALENCE, MEAN, DIFFERENCE, RATIO = "prevalence", "mean", "difference", "ratio"
INCIDENT, NARRATIVE = "incident", "narrative"
# Corrected first; what the model says alone is never called a prevalence.
KINDS = {"corrected": "corrected", "labelled": "{source} alone", "naive": "model alone (naive)"}

_OLDER = {
    ANSWERS: "older answers than there are now",
    REVIEWS: "older reviews than there are now",
    BELOW: "another report.suppress_below",
}


@dataclass(frozen=True)
class Wish:
    """The estimates that the user wants. variables: their names; all that can be estimated where there is none; by:
    columns of the workbook; assume_random: whether the user says that the labels are a random sample."""

    variables: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    assume_random: bool = False

    def command(self, slug: str) -> str:
        """The command that makes these estimates."""
        words = ["narrative-runs", "estimate", slug]
        words += [word for name in self.variables for word in ("--variable", name)]
        words += [word for column in self.by for word in ("--by", column)]
        return shlex.join([*words, *(["--assume-random"] if self.assume_random else [])])


def made_from(folder: ExperimentFolder, below: int) -> dict[str, Any]:
    """The inputs of estimates made now: the MD5s of the results and of the reviews, None where there are no
    reviews, and the limit below which counts are masked."""
    is_reviewed = folder.reviews.is_file()
    return {
        ANSWERS: md5_of(folder.result_table) if folder.result_table.exists() else None,
        REVIEWS: md5_of(folder.reviews) if is_reviewed else None,
        BELOW: below,
    }


def read_estimates(folder: ExperimentFolder) -> dict[str, Any] | None:
    """The content of estimates.json; None where nothing was estimated.

    Raises:
        FindingsError: it cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads(folder.estimates.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise damaged(folder, error) from None
    if not isinstance(content, dict) or not isinstance(content.get(MADE_FROM), dict):
        raise damaged(folder, "it is no file of estimates")
    return content


def wish_of(content: Mapping[str, Any], folder: ExperimentFolder) -> Wish:
    """The wish with which the estimates of this folder were made.

    Raises:
        FindingsError: the file does not say.
    """
    try:
        asked = content[ASKED]
        return Wish(tuple(asked["variables"]), tuple(asked["by"]), bool(asked["assume_random"]))
    except (KeyError, TypeError):
        raise damaged(folder, "it does not say what was asked for") from None


def quantity_in(scope: Mapping[str, Any]) -> str:
    """What a level or a group of estimates.json holds: PREVALENCE or MEAN."""
    return PREVALENCE if PREVALENCE in scope else MEAN


def by_value(variable_type: str, content: Any) -> dict[str, Any]:
    """The estimates of a variable by value; under an empty text where it has no values of its own."""
    return dict(content) if variable_type in ("category", "ordinal") else {"": content}


def kinds_of(source: str) -> dict[str, str]:
    """The three kinds of numbers in words, by their names in estimates.json; source: `reviews` or `labels`."""
    return {kind: words.format(source=source) for kind, words in KINDS.items()}


def older_in(content: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Which inputs of the estimates have changed since: some of ANSWERS, REVIEWS and BELOW."""
    return [name for name in now if content[MADE_FROM].get(name) != now[name]]


def older_in_words(older: list[str]) -> str:
    """The changed inputs in words, such as `older answers than there are now`."""
    return " and ".join(_OLDER[name] for name in older)


def damaged(folder: ExperimentFolder, problem: object) -> FindingsError:
    """The error that estimates.json cannot be used, and what to do."""
    return FindingsError(
        f"{folder.estimates} cannot be read: {problem}. Delete it; `narrative-runs estimate {folder.slug}` makes it "
        "anew."
    )
