"""How sure the model was of its answers: the token probability of each variable that has few values."""

from narrative_runs.asking import answer
from narrative_runs.asking.reply import Reply
from narrative_runs.asking.token_probability import probability_of, probability_of_true
from narrative_runs.codebook.variables import Binary, Category, Codebook


def probabilities(parts: Reply, codebook: Codebook) -> dict[str, float]:
    """The probability of a yes against a no for each binary variable, and of the answered value against all others for
    each category variable; without variables for which the server gives none, or an answer is missing."""
    if not parts.logprobs:
        return {}
    try:
        located = answer.located(parts.masked, codebook)
    except answer.Unreadable:
        return {}
    likely: dict[str, float] = {}
    for name, start in located.starts.items():
        variable, value, probability = codebook.variables[name], located.values[name].value, None
        if isinstance(variable, Binary):
            probability = probability_of_true(parts.logprobs, parts.content, start)
        elif isinstance(variable, Category) and isinstance(value, str):
            is_as_spelled = parts.content[start : start + len(value)].casefold() == value.casefold()
            values = list(variable.values)
            probability = probability_of(parts.logprobs, parts.content, start, value, values) if is_as_spelled else None
        if probability is not None:
            likely[name] = probability
    return likely
