"""How likely as many errors, or more, would be in a part of the narratives if errors fell on any of them alike."""

from math import exp, inf, lgamma, log


def log_tail(errors_there: int, errors: int, there: int, narratives: int) -> float:
    """The logarithm of the upper tail of the hypergeometric distribution.

    In: of so many `narratives`, `errors` are errors, and `there` are in a part, which has `errors_there` of the errors.
    Out: the logarithm of the probability of so many or more in that part.
    """
    most = min(errors, there)
    if errors_there > most:
        return -inf
    if errors_there <= max(0, errors + there - narratives):
        return 0.0
    term = total = 1.0
    for count in range(errors_there, most):
        term *= (errors - count) * (there - count) / ((count + 1) * (narratives - errors - there + count + 1))
        total += term
        if term < total * 1e-17:
            break
    first = (
        _log_choose(there, errors_there)
        + _log_choose(narratives - there, errors - errors_there)
        - _log_choose(narratives, errors)
    )
    return min(0.0, first + log(total))


def log_binomial_tail(successes: int, trials: int, share: float) -> float:
    """The logarithm of the probability of so many successes or more, each trial having this chance of one."""
    if successes <= 0:
        return 0.0
    logs = [
        _log_choose(trials, count) + count * log(share) + (trials - count) * log(1.0 - share)
        for count in range(successes, trials + 1)
    ]
    highest = max(logs)
    return min(0.0, highest + log(sum(exp(each - highest) for each in logs)))


def _log_choose(whole: int, part: int) -> float:
    return lgamma(whole + 1) - lgamma(part + 1) - lgamma(whole - part + 1)
