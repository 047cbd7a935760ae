"""What all benchmarks ask: a labelled workbook of synthetic narratives of about 900 characters, and a prompt."""

import random
from typing import Any

HEADER = ["IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE", "ipv_manual"]
MODEL = "fake"
SYSTEM_PROMPT = "Decide whether a partner hurt, threatened, stalked or controlled the person who died. Answer in JSON."
USER_TEMPLATE = "Narrative: <<TEXT>>"
CHARACTERS = 900
_SENTENCES = (
    "V was found by a neighbor who had not seen V for three days.",
    "Officers responded to the residence after a call about a loud argument.",
    "The autopsy names the cause of death; toxicology results are pending.",
    "V's partner told the detective that they had been separated since spring.",
    "A coworker said that V had missed work twice in the week before.",
    "There was no sign of forced entry, and the door was locked from within.",
    "V had been treated for depression, and had stopped taking the medication.",
    "A protection order had been filed earlier in the year and was withdrawn.",
    "The medical examiner noted older injuries in several stages of healing.",
    "V's sister described V as cheerful when they last spoke on the telephone.",
)


def rows(narratives: int) -> list[list[Any]]:
    """Rows of the labelled layout for so many narratives, two an incident; all texts differ, and none changes."""
    chance = random.Random(1)
    found: list[list[Any]] = []
    for number in range(narratives // 2):
        labels = [number % 2, int(number % 3 == 0)]
        texts = [_text(f"{kind} report {number}.", chance) for kind in ("CME", "LE")]
        found.append([f"{number:06d}", *texts, *labels, max(labels)])
    return found


def _text(beginning: str, chance: random.Random) -> str:
    text = beginning
    while len(text) < CHARACTERS - 35:
        text = f"{text} {chance.choice(_SENTENCES)}"
    return text
