from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from narrative_runs.codebook.variables import Binary
from narrative_runs.review_file import Line
from narrative_runs.reviews.dealing import Draw, deal_of
from narrative_runs.reviews.population import Population
from narrative_runs.reviews.reviewed import Reviewed, reviewed_of

VARIABLE = Binary()
STRATA = {"true positive": 20, "false positive": 12, "true negative": 100, "error": 8, "unasked": 10}


def population(seed: int = 1) -> tuple[Population, pd.Series]:
    """A population with strata of known sizes and two narratives an incident, and the truth of each incident."""
    random = np.random.default_rng(seed)
    strata = [name for name, size in STRATA.items() for _ in range(size)]
    ids = pd.Index([f"{number:04}" for number in range(len(strata))], name="incident_id")
    positive = {"true positive": 0.9, "false positive": 0.2, "true negative": 0.05, "error": 0.5, "unasked": 0.3}
    truth = pd.Series([bool(random.random() < positive[name]) for name in strata], ids)
    predicted = [name.endswith("positive") if name not in ("error", "unasked") else None for name in strata]
    incidents = pd.DataFrame({"stratum": strata, "predicted": predicted, "label": None}, ids, dtype=object)
    incidents["checksum"] = np.arange(len(strata), dtype=np.uint32)
    narratives = pd.DataFrame(
        {"incident_id": ids.repeat(2), "narrative_type": ["cme", "le"] * len(ids), "predicted": None, "label": None},
        pd.RangeIndex(1, 2 * len(ids) + 1, name="row_num"),
    )
    return Population(incidents, narratives), truth


def verdicts_on(deal: Line, truth: pd.Series, coder: str = "", upto: int | None = None) -> list[Line]:
    """The lines in which coders say the truth of what was dealt; upto: of the first rows of each sheet alone."""
    lines, n_before = [], Counter[str]()
    for row in deal["rows"]:
        n_before[row["coder"]] += 1
        if coder in ("", row["coder"]) and (upto is None or n_before[row["coder"]] <= upto):
            names = ("row", "coder", "incident_id", "narrative_type")
            said = "yes" if truth[row["incident_id"]] else "no"
            own = {name: row[name] for name in names}
            told = {"verdict": said, "typed": said, "notes": "", "reviewed_at": "2026-01-01 12:00:00"}
            lines.append({"line": "verdict", "deal": deal["deal"], "variable": "detected", **own, **told})
    return lines


def deal(known: Population, count: int, seed: int = 1, **changed: Any) -> Line:
    """A sample that is dealt to two coders."""
    draw = {"coders": ["ana", "ben"], "overlap": 10, "blind": True, **changed}
    return deal_of(known, VARIABLE, Draw("id", "detected", count, seed, **draw))


def estimated(found: Reviewed) -> float:
    """The share of incidents that are positive: of each stratum the share of those that are reviewed, by its size."""
    table = found.incidents[found.incidents["is_reviewed"]]
    weight = table["stratum_size"] / table["n_reviewed"]
    return float((weight * table["truth"].astype(float)).sum() / weight.sum())


def test_all_reviewed_gives_the_truth() -> None:
    """Where every incident is reviewed, the weighted share is the true one, errors and unasked ones among it."""
    known, truth = population()
    whole = deal(known, len(truth))
    found = reviewed_of("detected", VARIABLE, known, [whole, *verdicts_on(whole, truth)])
    assert estimated(found) == pytest.approx(truth.mean(), abs=1e-12)
    assert (found.incidents["n_reviewed"] == found.incidents["stratum_size"]).all()
    assert found.incidents["truth"].tolist() == truth.tolist()
    assert found.narratives["truth"].tolist() == truth.repeat(2).tolist()
    assert found.incidents.groupby("stratum").size().to_dict() == STRATA


@pytest.mark.long
@pytest.mark.parametrize("upto", [None, 40])
def test_a_sample_has_no_bias(upto: int | None) -> None:
    """Over many samples the weighted share is the true one, also where each sheet is filled in from the top alone."""
    known, truth = population()
    values = []
    for seed in range(400):
        drawn = deal(known, 60, seed)
        found = reviewed_of("detected", VARIABLE, known, [drawn, *verdicts_on(drawn, truth, upto=upto)])
        if found.incidents.groupby("stratum")["n_reviewed"].first().all():
            values.append(estimated(found))
    assert len(values) > 350
    assert np.mean(values) == pytest.approx(truth.mean(), abs=3 * np.std(values) / len(values) ** 0.5)


def test_what_nobody_reviewed_has_no_verdict() -> None:
    """Without reviews nothing is reviewed and the strata are those of the answers; a label stands in, and says so."""
    known, _ = population()
    known.incidents.loc["0000", "label"] = True
    found = reviewed_of("detected", VARIABLE, known, [])
    assert not found.incidents["is_reviewed"].any() and found.incidents["n_reviewed"].sum() == 0
    assert found.incidents["truth"]["0000"] is True and found.incidents["source"]["0000"] == "label"
    assert found.incidents["source"].tolist().count("label") == 1


def test_a_verdict_takes_the_place_of_a_label() -> None:
    """What a coder says holds against the workbook's label."""
    known, truth = population()
    whole = deal(known, len(truth))
    known.incidents["label"] = [not each for each in truth]
    found = reviewed_of("detected", VARIABLE, known, [whole, *verdicts_on(whole, truth)])
    assert found.incidents["truth"].tolist() == truth.tolist() and set(found.incidents["source"]) == {"unanimous"}


def test_verdicts_on_older_answers_do_not_count() -> None:
    """Where the model's answers changed, verdicts on those incidents are counted aside, these are a stratum of their
    own, and the others are a sample as before; where the answers are the earlier ones again, all count."""
    known, truth = population()
    drawn = deal(known, 100)
    lines = [drawn, *verdicts_on(drawn, truth)]
    later = Population(known.incidents.copy(), known.narratives)
    changed = known.incidents.index[known.incidents["stratum"] == "error"][:5]
    later.incidents.loc[changed, "stratum"] = "true negative"
    later.incidents.loc[changed, "predicted"] = False
    later.incidents.loc[changed, "checksum"] += np.uint32(1000)
    found = reviewed_of("detected", VARIABLE, later, lines)
    assert found.n_older == sum(line.get("incident_id") in set(changed) for line in lines[1:]) > 0
    of_changed = found.incidents.loc[changed]
    assert not of_changed["is_reviewed"].any()
    assert set(of_changed["stratum"]) == {"true negative, answer changed since it was dealt"}
    sizes = found.incidents.groupby("stratum").size()
    assert sizes["true negative"] == STRATA["true negative"] and sizes["error"] == STRATA["error"] - 5
    again = reviewed_of("detected", VARIABLE, known, lines)
    assert again.n_older == 0 and again.incidents["is_reviewed"].sum() == 100


def test_two_samples_are_taken_together() -> None:
    """Incidents that any of two samples of one variable has reviewed are reviewed, each once."""
    known, truth = population()
    first, second = deal(known, 60, 1), deal(known, 60, 2, coders=["cleo"], overlap=0)
    lines = [first, second, *verdicts_on(first, truth), *verdicts_on(second, truth)]
    ids = {row["incident_id"] for each in (first, second) for row in each["rows"]}
    found = reviewed_of("detected", VARIABLE, known, lines)
    assert set(found.incidents.index[found.incidents["is_reviewed"]]) == ids
    assert found.incidents["n_coders"].max() == 3


def test_estimates_wait_for_open_disagreements() -> None:
    """An incident on which two coders do not agree is not reviewed until somebody decided, and is listed."""
    known, truth = population()
    drawn = deal(known, 60)
    lines = [drawn, *verdicts_on(drawn, truth, "ana"), *verdicts_on(drawn, ~truth, "ben")]
    found = reviewed_of("detected", VARIABLE, known, lines)
    is_open = found.incidents["source"] == "open"
    common = Counter(row["incident_id"] for row in drawn["rows"])
    assert set(found.incidents.index[is_open]) == {incident for incident, n in common.items() if n == 4}
    assert is_open.sum() == 10 and not found.incidents["is_reviewed"][is_open].any()
    assert {key[0] for key in found.open_disagreements} == set(found.incidents.index[is_open])
