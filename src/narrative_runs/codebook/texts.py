"""How a value is written in files and in the record."""

import json


def written(value: object) -> str | None:
    """The value as a text: `yes` or `no`, a number without needless decimals, a JSON list for several texts, any text
    as it is; None for no value."""
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case float():
            return number_written(value)
        case tuple() | list():
            return json.dumps(list(value), ensure_ascii=False)
        case _:
            return str(value)


def number_written(number: float) -> str:
    """The number as a text: `34` for 34.0, `3.5`, and all digits that it takes to read it back."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def plain_number(number: float) -> int | float:
    """The number as JSON shows it best: a whole one without decimals."""
    return int(number) if float(number).is_integer() and abs(number) < 1e15 else float(number)


def fit_for_files(text: str) -> str:
    """The text without lone surrogates, which JSON can carry and no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
