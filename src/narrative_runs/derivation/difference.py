"""What this release derives differently from an experiment's answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """What this release derives differently from the same answers.

    files: the findings whose bytes differ; rows: narratives of which a column of the results differs, of n_rows;
    figures: how many figures differ, and examples of them, in words.
    """

    files: list[str]
    rows: int
    n_rows: int
    figures: int
    examples: list[str]

    def words(self) -> str:
        """The size of the difference, in words."""
        shown = ", ".join(self.examples) + (", ..." if self.figures > len(self.examples) else "")
        if not self.rows and not self.figures:
            return f"no row and no figure, but the form of {', '.join(self.files)}"
        return f"{self.rows} of {self.n_rows} rows and {self.figures} figures" + (f" ({shown})" if shown else "")
