"""The paragraph for the methods section of an article, and the works that it cites."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from narrative_runs.estimates.estimators import (
    GAPS,
    POST_STRATIFIED,
    POWERED,
    POWERED_T,
    RANDOM,
    STRATIFIED,
    STRATIFIED_T,
)
from narrative_runs.estimating.masked import MASKED_BECAUSE
from narrative_runs.estimating.measured import CENSUS
from narrative_runs.estimating.reading import ANOTHER
from narrative_runs.estimating.sampling import REVIEWS
from narrative_runs.findings.estimates_file import INCIDENT, MEAN, by_value, quantity_in
from narrative_runs.findings.rounding import count_of
from narrative_runs.findings.suppression import MASKED

_ANGELOPOULOS_2023A = (
    "Angelopoulos AN, Bates S, Fannjiang C, Jordan MI, Zrnic T. Prediction-powered inference. Science 2023;382:669–674."
)
_ANGELOPOULOS_2023B = (
    "Angelopoulos AN, Duchi JC, Zrnic T. PPI++: Efficient prediction-powered inference. arXiv:2311.01453, 2023."
)
_HORVITZ = (
    "Horvitz DG, Thompson DJ. A generalization of sampling without replacement from a finite universe. Journal of the "
    "American Statistical Association 1952;47:663–685."
)
_BROWN = (
    "Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion. Statistical Science 2001;16:101–133."
)
_ZOU = (
    "Zou GY, Donner A. Construction of confidence limits about effect measures: a general approach. Statistics in "
    "Medicine 2008;27:1693–1702."
)
_DONNER = (
    "Donner A, Zou GY. Closed-form confidence intervals for functions of the normal mean and standard deviation. "
    "Statistical Methods in Medical Research 2012;21:347–359."
)
_FISCH = (
    "Fisch A, Maynez J, Hofer RA, Dhingra B, Globerson A, Cohen WW. Stratified prediction-powered inference for hybrid "
    "language model evaluation. arXiv:2406.04291, 2024."
)

_POWERED_WORDS = "by prediction-powered inference with power tuning (PPI++; Angelopoulos et al. 2023a, 2023b)"
_SMALL_SAMPLE = (
    "as the mean of the {proportions} within {cells}, each weighted by its size in the population (Horvitz and "
    "Thompson 1952), with Jeffreys intervals of the proportions (Brown et al. 2001) combined by the method of variance "
    "estimates recovery (Zou and Donner 2008)"
)
_NUMBERS = dict(enumerate(("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"), start=2))
_BY_STRATUM = "each stratum and each value that the model gave in it"
# By estimator: how it is said, and what it cites.
_HOW: dict[str, tuple[str, tuple[str, ...]]] = {
    POWERED: (_POWERED_WORDS, (_ANGELOPOULOS_2023A, _ANGELOPOULOS_2023B)),
    POST_STRATIFIED: (_SMALL_SAMPLE.replace("{cells}", "each value that the model gave"), (_HORVITZ, _BROWN, _ZOU)),
    STRATIFIED: (_SMALL_SAMPLE.replace("{cells}", _BY_STRATUM), (_HORVITZ, _BROWN, _ZOU)),
    GAPS: (
        _SMALL_SAMPLE.replace("{cells}", _BY_STRATUM)
        + "; a part without a review may hold any proportion, from none to all, and "
        "widens the interval by as much",
        (_HORVITZ, _BROWN, _ZOU),
    ),
    POWERED_T: (
        f"{_POWERED_WORDS}, with the quantile of Student's t",
        (_ANGELOPOULOS_2023A, _ANGELOPOULOS_2023B),
    ),
    STRATIFIED_T: (
        "by stratified prediction-powered inference (Angelopoulos et al. 2023b; Fisch et al. 2024), each stratum "
        "weighted by its size in the population (Horvitz and Thompson 1952), with the quantile of Student's t",
        (_ANGELOPOULOS_2023B, _FISCH, _HORVITZ),
    ),
}


def methods(variables: Mapping[str, Mapping[str, Any]], references: Mapping[str, str], classified: str = "") -> str:
    """The method, the numbers used and the results, in sentences ready to be copied.

    In: `variables` of estimates.json, as they may be published; by column of groups the one with which the others are
    compared; the sentence about software, model and settings.
    """
    incidents = [of_variable[INCIDENT] for of_variable in variables.values()]
    without = {(scope["n_errors"], scope["n_unasked"]) for scope in incidents}
    n_errors, n_unasked = map(_count, without.pop()) if len(without) == 1 else ("some", "some")
    sentences = [classified] if classified else []
    sentences += [
        f"Estimates are of all {_count(incidents[0]['n'])} incidents of the workbook, with those about which the model "
        f"gave an error ({n_errors}) and those about which it was not asked ({n_unasked})."
    ]
    samples: dict[str, list[str]] = {}
    for name, of_variable in variables.items():
        samples.setdefault(_sampling(of_variable), []).append(name)
    sentences += [
        f"For {', '.join(names)}: {sentence[0].lower()}{sentence[1:]}" if len(samples) > 1 else sentence
        for sentence, names in samples.items()
    ]
    estimators = _estimators(variables)
    used = [estimator for estimator in estimators if estimator in _HOW]
    ways = [_HOW[estimator][0].replace("{proportions}", _proportions(variables)) for estimator in used]
    if used:
        ways = list(dict.fromkeys(ways))
        sentences.append(f"{_corrected(variables)} were corrected for the errors of the model {', or '.join(ways)}.")
    if CENSUS in estimators:
        sentences.append(
            "Where every incident has a label, the value is the share of labels, and nothing was to be corrected; its "
            "interval is for the rate of which the incidents of the workbook are a sample."
        )
    sentences.append("Narratives of the same incident are not taken as independent. Intervals are at 95%.")
    if references:
        listed = ", ".join(f"{reference} of {column}" for column, reference in references.items())
        sentences.append(
            f"Groups are compared with the largest one ({listed}): differences by Zou and Donner (2008), ratios by "
            "Donner and Zou (2012); incidents with narratives in several groups are in none."
        )
    sentences += [_result(name, of_variable) for name, of_variable in variables.items()]
    return " ".join(sentences)


def works_cited(variables: Mapping[str, Mapping[str, Any]], has_groups: bool) -> list[str]:
    """The works that the paragraph cites, in alphabetical order."""
    cited = {work for estimator in _estimators(variables) if estimator in _HOW for work in _HOW[estimator][1]}
    return sorted(cited | ({_ZOU, _DONNER} if has_groups else set()))


def _corrected(variables: Mapping[str, Mapping[str, Any]]) -> str:
    """What was corrected, in words."""
    quantities = dict.fromkeys(quantity_in(of_variable[INCIDENT]) for of_variable in variables.values())
    return " and ".join(f"{quantity}s" for quantity in quantities).capitalize()


def _proportions(variables: Mapping[str, Mapping[str, Any]]) -> str:
    """What is a proportion of what: of a category each value is counted against all others."""
    types = {of_variable["type"] for of_variable in variables.values()}
    of_what = [*(["positives"] if "binary" in types else []), *(["the value"] if types - {"binary", "number"} else [])]
    return f"proportions of {' or of '.join(of_what)}"


def _sampling(of_variable: Mapping[str, Any]) -> str:
    """How the truths were chosen."""
    n, design = of_variable[INCIDENT]["n_reviewed"], of_variable[INCIDENT]["design"]
    if of_variable["source"] == REVIEWS:
        how = (
            "drawn at random"
            if design == RANDOM
            else "drawn at random within strata of the model's answer and the workbook's label"
        )
        sample = "a sample" if n == MASKED else f"{_count(n)}"
        return " ".join([f"People reviewed {sample} of them, {how}.", *_read(of_variable)])
    replaced = of_variable["n_reviewed_labels"]
    instead = f", in {_count(replaced)} of which a review took the place of the label" if replaced else ""
    if of_variable["is_assumed_random"]:
        asked = " and were asked about" if of_variable[INCIDENT]["n_unasked"] else ""
        return (
            f"{_count(n)} of them have a label in the workbook{asked}{instead}; these were taken as a random sample of "
            "all, which is an assumption: how they were chosen is not known."
        )
    return "All of them have a label in the workbook."


def _read(of_variable: Mapping[str, Any]) -> Iterator[str]:
    """Who read what of the sample."""
    reading, n_coders = of_variable["reading"], of_variable["n_coders"]
    counts, n_several, n_decided = (
        reading[name] for name in ("n_incidents_by_coder", "n_read_by_several", "n_decided")
    )
    coders = "One coder" if n_coders == 1 else f"{_NUMBERS.get(n_coders, str(n_coders))} coders"
    if n_coders == 1:
        read = f"{coders} read all of their narratives"
    elif counts == MASKED:
        read = f"{coders} read them; how many each of them read is not shown, as small counts are masked"
    else:
        read = f"{coders} read {_each(counts)}{_in_common(counts, n_several, n_coders)}"
    yield f"{read}{_decided(reading, n_decided, n_coders)}."
    answers = {True: "did not show the model's answers", False: "showed the model's answers"}
    if reading["is_blind"] is not None:
        yield f"The sheets that they filled in {answers[reading['is_blind']]}."
    if n_several or n_decided:
        yield "What holds is the adjudicated verdict, or else the one on which all readers agree."
    if agreed := reading["agreement"]:
        low, high = (f"{agreed[bound]:.2f}" for bound in ("low", "high"))
        yield (
            f"In the {count_of(agreed['narratives'], 'narrative')} that {'both' if n_coders == 2 else 'several'} read, "
            f"{agreed['measure']} was {agreed['value']:.2f} ({low} to {high})."
        )


def _each(counts: Sequence[int]) -> str:
    """How many incidents each coder read, most first."""
    most, least = counts[0], counts[-1]
    return f"{count_of(most, 'incident') if most == least else f'{least:,} to {most:,} incidents'} each"


def _in_common(counts: Sequence[int], n_several: int, n_coders: int) -> str:
    """How many incidents several coders read."""
    if n_coders == 2:
        is_all = set(counts) == {n_several}
        return f", {'all' if is_all else f'{n_several:,}' if n_several else 'none'} of which both read"
    if not n_several:
        return ", and no incident was read by two of them"
    return f"; two or more of them read {count_of(n_several, 'incident')}"


def _decided(reading: Mapping[str, Any], n_decided: int | str, n_coders: int) -> str:
    """Who decided on how many disagreements; nothing where there was none to decide."""
    if not n_decided:
        return ""
    who = "a third person" if reading["decided_by"] == ANOTHER and n_coders == 2 else reading["decided_by"]
    if isinstance(n_decided, str):
        return f"; disagreements were decided by {who}"
    return f"; {count_of(n_decided, 'disagreement')} {'was' if n_decided == 1 else 'were'} decided by {who}"


def _result(name: str, of_variable: Mapping[str, Any]) -> str:
    scope = of_variable[INCIDENT]
    quantity = quantity_in(scope)
    if scope[quantity] == MASKED:
        return (
            f"Of {name} nothing is shown, as small counts are masked. Counts of incidents that are small, or that "
            f"would reveal a small one: {', '.join(scope[MASKED_BECAUSE])}."
        )
    parts = [
        _words(f"{name} {value}".strip(), rates, quantity)
        for value, rates in by_value(of_variable["type"], scope[quantity]).items()
    ]
    return " ".join(parts)


def _words(what: str, rates: Mapping[str, Any], quantity: str) -> str:
    if rates["corrected"] is None:
        return f"Of {what} there is no {quantity}: too few incidents are reviewed."
    shown = shown_mean if quantity == MEAN else shown_share
    alone = "" if rates["naive"] is None else f"; the model alone, not corrected, says {shown(rates['naive'], False)}"
    return f"The {quantity} of {what} in incidents is {shown(rates['corrected'])}{alone}."


def shown_share(rate: Mapping[str, float], with_interval: bool = True) -> str:
    """A share in percent, such as `12.0% (10.0% to 14.0%)`."""
    value, low, high = (f"{100 * rate[name]:.1f}%" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})" if with_interval else value


def shown_mean(rate: Mapping[str, float], with_interval: bool = True) -> str:
    """A mean, such as `43.2 (41.0 to 45.4)`."""
    value, low, high = (f"{rate[name]:.3g}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})" if with_interval else value


def _estimators(variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The estimators of incidents, each once."""
    return list(dict.fromkeys(_listed(variables.values())))


def _listed(variables: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for of_variable in variables:
        yield from by_value(of_variable["type"], of_variable[INCIDENT]["estimator"]).values()


def _count(count: int | str) -> str:
    return count if isinstance(count, str) else f"{count:,}"
