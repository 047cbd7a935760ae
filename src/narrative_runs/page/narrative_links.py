"""Links from what is counted to the narratives that it counts."""

from dataclasses import dataclass

from narrative_runs.page.addresses import address_of

INCIDENT = "incident"


@dataclass(frozen=True)
class NarrativeLinks:
    """The addresses of an experiment's narratives; which: its slug or id."""

    which: str

    def of(self, outcome: str = "", **filters: str) -> str:
        """The address of the narratives that meet all of these conditions; an empty text sets no condition.

        outcome: as `narrative-runs trace` has it; filters: `type`, `error` (its category), `variable` with its `value`
        and `label`, and `level`, which is `incident` where outcome, value and label are those of the narrative's
        incident.
        """
        return address_of("narratives", self.which, **{"outcome": outcome, **filters})

    def of_group(self, column: str, group: str, outcome: str, **filters: str) -> str:
        """The same for the narratives with this value in this column of the workbook."""
        return self.of(outcome, **{f"group.{column}": group}, **filters)
