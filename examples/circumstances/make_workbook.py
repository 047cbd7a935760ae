"""Writes the example's workbook: `python examples/circumstances/make_workbook.py`.

All texts are invented: no narrative is about a real death. The same bytes at every call, so that the checksum in
circumstances.csv.dvc stays true.
"""

import csv
import sys
from pathlib import Path

HEADER = (
    "incident_id",
    "narrative_type",
    "narrative_text",
    "manual_flag_ind",
    "HumanWeapon",
    "HumanSeverity",
    "HumanToldBy",
    "HumanAge",
)
WORKBOOK = Path(__file__).with_name("circumstances.csv")

# Of each narrative: incident, type, text, then what a person would code from this text alone: violence by a partner
# [0/1], weapon, the worst that the partner did [blank without violence], who told about V [parted by `;`], age [years].
# A blank cell is no label.
NARRATIVES = (
    (
        *("C01", "cme"),
        "V is a 34 year old female who died of a gunshot wound of the head that she fired herself. Her sister said "
        "that V's husband had broken her arm in the spring and that V was afraid to go home.",
        *(1, "firearm", "injury", "family", 34),
    ),
    (
        *("C01", "le"),
        "Officers found V, 34 years old, in the garage with a pistol. Her husband stated that they had quarreled about "
        "money. Police had come to the house in March because he had hit her with a chair.",
        *(1, "firearm", "injury", "partner", 34),
    ),
    (
        *("C02", "cme"),
        "V is a 71 year old male who shot himself in the chest with a rifle. He had lung cancer and was in pain. His "
        "son said that V did not want to go to a hospital.",
        *(0, "firearm", "", "family", 71),
    ),
    (
        *("C02", "le"),
        "V, 71 years old, was found in the barn by his son, a rifle beside him. The son said that V had spoken of his "
        "illness for months. A note gave instructions for the funeral.",
        *(0, "firearm", "", "family", 71),
    ),
    (
        *("C03", "cme"),
        "V is a 28 year old female who took a large number of sleeping pills. A friend said that V's ex-boyfriend had "
        "written that he would kill her if she saw another man.",
        *(1, "poison", "threat", "friend", 28),
    ),
    (
        *("C03", "le"),
        "A friend of V, 28 years old, found her in bed with an empty bottle of sleeping pills. The friend showed "
        "messages in which the ex-boyfriend of V threatened to kill her.",
        *(1, "poison", "threat", "friend", 28),
    ),
    (
        *("C04", "cme"),
        "V is a 45 year old male who hanged himself with a rope in his basement. He had lost his job. His brother said "
        "that V had drunk every day since then.",
        *(0, "hanging", "", "family", 45),
    ),
    (
        *("C04", "le"),
        "V, 45 years old, was found hanging in the basement by his wife. She said that he worried about the loan for "
        "the house. The couple got along well.",
        *(0, "hanging", "", "partner", 45),
    ),
    (
        *("C05", "cme"),
        "V is a 39 year old female who hanged herself with a belt. Her mother said that V's husband locked her in the "
        "house and took her telephone, so that she saw nobody.",
        *(1, "hanging", "control", "family", 39),
    ),
    (
        *("C05", "le"),
        "V, 39 years old, hanged herself with a belt. Her mother and a friend both said that her husband did not let "
        "her leave the house and counted each dollar that she spent.",
        *(1, "hanging", "control", "family; friend", 39),
    ),
    (
        *("C06", "cme"),
        "V is a 19 year old male who took heroin and died of its effects. His roommate said that V had used drugs "
        "since high school.",
        *(0, "poison", "", "friend", 19),
    ),
    (
        *("C06", "le"),
        "V, 19 years old, was found on the floor of his room with a needle. His roommate, a friend since school, had "
        "heard him fall. There was heroin on the table.",
        *(0, "poison", "", "friend", 19),
    ),
    (
        *("C07", "cme"),
        "V is a 52 year old female who was stabbed in the neck with a kitchen knife by her boyfriend during a quarrel. "
        "Her daughter had seen bruises on her before.",
        *(1, "blade", "injury", "family", 52),
    ),
    (
        *("C07", "le"),
        "The boyfriend of V, 52 years old, called the police and said that he had stabbed her with a kitchen knife. He "
        "was arrested at the house.",
        *(1, "blade", "injury", "partner", 52),
    ),
    (
        *("C08", "cme"),
        "V is a 63 year old female who died of carbon monoxide in her car. She had been depressed since her sister "
        "died. Her husband said that she had stopped eating.",
        *(0, "poison", "", "partner", 63),
    ),
    (
        *("C08", "le"),
        "V, 63 years old, was found in her car in the closed garage, the engine running. Her husband found her when he "
        "came from work. He said that she had been sad since the winter.",
        *(0, "poison", "", "partner", 63),
    ),
    (
        *("C09", "cme"),
        "V is a 24 year old male who was shot in a parking lot by a man whom he did not know. His girlfriend said that "
        "the man wanted his wallet.",
        *(0, "firearm", "", "partner", 24),
    ),
    (
        *("C09", "le"),
        "V, 24 years old, was shot during a robbery. A friend who was with him described a man in a dark coat. No "
        "arrest has been made.",
        *(0, "firearm", "", "friend", 24),
    ),
    (
        *("C10", "cme"),
        "V is a 31 year old male with a stab wound of the chest. His wife had stabbed him with a pair of scissors, and "
        "his brother said that she had cut him once before.",
        *(1, "blade", "injury", "family", 31),
    ),
    (
        *("C10", "le"),
        "The wife of V, 31 years old, was arrested. She said that she had stabbed him with scissors when he wanted to "
        "leave.",
        *(1, "blade", "injury", "partner", 31),
    ),
    (
        *("C11", "cme"),
        "V is a 16 year old male who shot himself with a hunting rifle. His aunt said that his father had beaten him "
        "with a belt for years.",
        *(0, "firearm", "", "family", 16),
    ),
    (
        *("C11", "le"),
        "V, 16 years old, was found behind the house with a rifle. His aunt and a friend from school said that his "
        "father had beaten him.",
        *(0, "firearm", "", "family; friend", 16),
    ),
    (
        *("C12", "cme"),
        "V is a 47 year old female who jumped from a bridge. Her son said that her ex-husband waited in front of her "
        "office each day and had said that he would burn down her house.",
        *(1, "other", "threat", "family", 47),
    ),
    (
        *("C12", "le"),
        "A driver saw V jump from the bridge. A court order told her ex-husband to stay away, because he had "
        "threatened to burn down her house.",
        *(1, "other", "threat", "", ""),
    ),
    (
        *("C13", "cme"),
        "V is an 83 year old male who drowned in a lake. His daughter said that he had been forgetful and often walked "
        "off alone.",
        *(0, "other", "", "family", 83),
    ),
    (
        *("C14", "cme"),
        "V is a 41 year old female who cut her wrists with a razor. A friend said that V's girlfriend had kicked and "
        "choked her in the week before.",
        *(1, "blade", "injury", "friend", 41),
    ),
    (
        *("C14", "le"),
        "V, 41 years old, was found in the bath. A razor lay beside her. The door was locked from the inside.",
        *(0, "blade", "", "", 41),
    ),
    (
        *("C15", "cme"),
        "V is a 58 year old male who hanged himself in a shed. His wife said that they had been married for thirty "
        "years and that he had never been the same since the war.",
        *(0, "hanging", "", "partner", 58),
    ),
    (
        *("C16", "cme"),
        "V is a 36 year old female. The body was found in a field and the cause of death is not known. Her brother "
        "said that her boyfriend had choked her in the summer.",
        *(1, "", "injury", "family", 36),
    ),
    (
        *("C16", "le"),
        "A farmer found the body of a woman in a field. Nobody has been found yet who knew her.",
        *(0, "", "", "", ""),
    ),
)


def write(path: Path) -> None:
    """Write the narratives to the CSV file `path`, a row each, with lines that end alike on every system."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(HEADER)
        rows.writerows(NARRATIVES)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else WORKBOOK)
