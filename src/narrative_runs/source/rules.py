"""The rules of reading a workbook: where releases differ, as data.

Which narratives an experiment has, with their keys and texts, follows the rules that it began with, whatever later
releases read otherwise: a changed key or text would be another question, and its answer would be asked for again. The
number of the rules stands in the head of each journal.
"""

from dataclasses import dataclass

from narrative_runs.errors import SourceError


@dataclass(frozen=True)
class ReadingRules:
    """How cells become narratives.

    number: as journals name it, one higher for each release that reads a workbook otherwise; csv_ids_are_numbers:
    whether an id that a program wrote into a CSV file as a number, `2999.0` or `1e+05`, is that whole number, as it is
    in an .xlsx file.
    """

    number: int
    csv_ids_are_numbers: bool

    def refuse_since(self, number: int) -> bool:
        """Whether these rules refuse what the rules with this number were the first to refuse; earlier ones warn."""
        return self.number >= number


OF_0_1_0 = ReadingRules(number=1, csv_ids_are_numbers=False)
CURRENT = ReadingRules(number=2, csv_ids_are_numbers=True)

# What the R system began goes on as it was read there, which is how the first release reads.
OF_THE_R_SYSTEM = OF_0_1_0

_ALL = {rules.number: rules for rules in (OF_0_1_0, CURRENT)}


def numbered(number: int) -> ReadingRules:
    """The rules with this number.

    Raises:
        SourceError: a later release introduced them.
    """
    if number not in _ALL:
        raise SourceError(
            f"This experiment reads its workbook by rules (number {number}) that this release does not know: a later "
            "release began it. Go on with it by that release."
        )
    return _ALL[number]
