"""The rules of reading a workbook: where releases differ, as data.

An experiment keeps the rules that it began with, and so its narratives with their keys and texts, even if later
releases read differently: a changed key or text would be another question, which would be asked again. The head of
each journal has the number of the rules.
"""

from dataclasses import dataclass, field

from narrative_runs.errors import SourceError


@dataclass(frozen=True)
class ReadingRules:
    """How cells become narratives.

    number: as journals name it, one higher for each release that reads a workbook differently. All else is false for
    the first release:

    csv_ids_are_numbers: an id that a program wrote into a CSV file as a number, `2999.0` or `1e+05`, is that whole
    number, as it is in an .xlsx file. xlsx_by_cell: an .xlsx file is read cell by cell, so that its size is that of its
    cells, and errors and formulas without a value are not taken for blanks. headers_cleaned: invisible characters in
    the names of columns do not matter, and a title may stand above them. na_is_blank: the text NA is a blank narrative
    in all formats, not in CSV files alone. texts_without_nul: NUL characters are taken out. incident_labels_alone:
    labels of incidents count without those of narratives. tells_all: data_quality.json holds what later releases look
    for.
    """

    number: int
    csv_ids_are_numbers: bool = False
    xlsx_by_cell: bool = False
    headers_cleaned: bool = False
    na_is_blank: bool = False
    texts_without_nul: bool = False
    incident_labels_alone: bool = False
    tells_all: bool = False


OF_0_1_0 = ReadingRules(number=1)
CURRENT = ReadingRules(
    number=2,
    csv_ids_are_numbers=True,
    xlsx_by_cell=True,
    headers_cleaned=True,
    na_is_blank=True,
    texts_without_nul=True,
    incident_labels_alone=True,
    tells_all=True,
)

# Experiments that the R system began are still read as they were there, which is how the first release reads.
OF_THE_R_SYSTEM = OF_0_1_0

_ALL = {rules.number: rules for rules in (OF_0_1_0, CURRENT)}


@dataclass
class Objections:
    """What is wrong with a workbook: refused by rules that know the objection, a mere warning by earlier ones.

    An experiment that an earlier release began keeps what it has.
    """

    rules: ReadingRules
    warnings: list[str] = field(default_factory=list)

    def since(self, number: int, problem: str) -> None:
        """Object to something that the rules with this number were the first to refuse.

        Raises:
            SourceError: these rules refuse it; the message is `problem`.
        """
        if self.rules.number >= number:
            raise SourceError(problem)
        self.warnings.append(problem)


def numbered(number: int) -> ReadingRules:
    """The rules with this number.

    Raises:
        SourceError: a later release introduced them.
    """
    if number not in _ALL:
        raise SourceError(
            f"This experiment reads its workbook by reading rules (number {number}) that this release does not know: "
            "a later release began it. Continue it with that release."
        )
    return _ALL[number]
