"""Numbers as they are shown: no rounding claims more than is known."""

import math
from decimal import ROUND_FLOOR, Context


def shown(number: float, decimals: int) -> str:
    """A number with so many decimals; `>0.999` and `<0.001` where rounding would make it 1 or 0, which it is not.

    So a rate of 1.000 is one without any exception, and no number is -0.000.
    """
    text, step = f"{number:.{decimals}f}", 10.0**-decimals
    for whole in (-1.0, 0.0, 1.0):
        if float(text) == whole != number:
            # It lies between this whole number and the next step.
            is_above = number > whole
            edge = whole + step if is_above else whole - step
            return f"{'<' if is_above else '>'}{edge:.{decimals}f}"
    # -0.0 + 0.0 is 0.0.
    return f"{number + 0.0:.{decimals}f}"


def percent(share: float, decimals: int = 1) -> str:
    """A share as percent: `>99.9%` and `<0.1%` where rounding would make it all or nothing, which it is not."""
    text, step = f"{100 * share:.{decimals}f}", 10.0**-decimals
    if float(text) == 100 and share < 1:
        return f">{100 - step:.{decimals}f}%"
    if float(text) == 0 and share > 0:
        return f"<{step:.{decimals}f}%"
    return f"{text}%"


def p_value(chance: float) -> str:
    """A p value with three decimals and without its zero: `.042`, `<.001`."""
    return shown(chance, 3).replace("0.", ".", 1)


def count_of(number: int, what: str) -> str:
    """A count with the noun that it counts, such as `1 incident` or `1,200 incidents`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def telling_decimals(number: float) -> int:
    """How many decimals show a rate: two significant ones, and near 1 as many as tell it from 1; 2 to 4.

    So .86 needs two, .0123 three, and .9962 three.
    """
    size, short_of_1 = abs(number), 1 - abs(number)
    if size == 0 or short_of_1 <= 0:
        return 2
    needed = max(1 - math.floor(math.log10(size) + 1e-9), -math.floor(math.log10(short_of_1) + 1e-9))
    return min(4, max(2, needed))


def rounded(number: float, decimals: int = 3) -> float:
    """A number with so many decimals, as a cell holds it; with more where it would become a whole number, which it is
    not: .9996 stays .9996."""
    while (near := round(number, decimals)).is_integer() and near != number and decimals < 12:
        decimals += 1
    return near + 0.0


def rounded_down(number: float, digits: int = 4) -> float:
    """A number with so many significant digits, never above it: as a threshold it still detects what it did."""
    return float(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal_from_float(number))
