"""A projection from a pilot to the whole workbook: time, tokens and money."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pilot:
    """What the first narratives of a workbook took.

    done, whole: narratives with a result, and all that the workbook has; asking_s: seconds in which they were asked,
    over all sessions; answer_s: seconds from a request to its answer, on the average; tokens: of prompts and answers;
    cost: in the user's currency, None where no price is set.
    """

    done: int
    whole: int
    asking_s: float
    answer_s: float | None
    tokens: int
    cost: float | None

    def lines(self, command: str) -> list[str]:
        """What a person needs to know at the end of a pilot; command: the one that asks for the rest."""
        share = self.whole / self.done
        each = [f"{self.answer_s:.1f} s an answer"] if self.answer_s is not None else []
        each += [f"{self.tokens / self.done:,.0f} tokens each"] if self.tokens else []
        whole = [f"about {_in_words(self.asking_s * share)} of asking"]
        whole += [f"{self.tokens * share:,.0f} tokens"] if self.tokens else []
        whole += [f"a cost of {self.cost * share:,.2f}"] if self.cost is not None else []
        return [
            f"Pilot: {self.done:,} of {self.whole:,} narratives" + (f"; {', '.join(each)}." if each else "."),
            f"All {self.whole:,}: {', '.join(whole)}, at this pace. Only the rest is asked by:",
            command,
        ]


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
