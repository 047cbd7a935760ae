"""Numbers as they are shown: no rounding claims more than is known."""

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


def rounded_down(number: float, digits: int = 4) -> float:
    """A number with so many significant digits, never above it: as a threshold it still finds what it found."""
    return float(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal_from_float(number))
