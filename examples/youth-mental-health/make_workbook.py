"""Writes the example's workbook: `python examples/youth-mental-health/make_workbook.py`.

All texts are invented: no narrative is about a real death. The same bytes at every call, so that the checksum in
records.csv.dvc stays true.
"""

import csv
import sys
from pathlib import Path

CIRCUMSTANCES = (
    "DepressedMood",
    "MentalIllnessTreatmentCurrnt",
    "HistoryMentalIllnessTreatmnt",
    "SuicideAttemptHistory",
    "SuicideThoughtHistory",
    "SubstanceAbuseProblem",
    "MentalHealthProblem",
    "DiagnosisAnxiety",
    "DiagnosisDepressionDysthymia",
    "DiagnosisBipolar",
    "DiagnosisAdhd",
    "IntimatePartnerProblem",
    "FamilyRelationship",
    "Argument",
    "SchoolProblem",
    "RecentCriminalLegalProblem",
    "SuicideNote",
    "SuicideIntentDisclosed",
    "DisclosedToIntimatePartner",
    "DisclosedToOtherFamilyMember",
    "DisclosedToFriend",
)
HEADER = ("IncidentID", "NarrativeCME", "NarrativeLE", *CIRCUMSTANCES, "InjuryLocationType", "WeaponType1")
WORKBOOK = Path(__file__).with_name("records.csv")

# Of each record: incident, the two narratives [blank where there is none], then what a person would code from both: the
# circumstances that hold, all others being 0, the code of the location, the code of the weapon.
RECORDS = (
    (
        "Y01",
        "V is a 17 year old female who died by hanging at home. Her mother said that V had been sad since the fall. V "
        "saw a therapist for depression and took medicine for it.",
        "The mother of V, 17 years old, came upon her hanging in her bedroom. A note on the desk said goodbye to the "
        "family. In the same week V had told a friend from school that she did not want to live.",
        "DepressedMood MentalIllnessTreatmentCurrnt HistoryMentalIllnessTreatmnt SuicideThoughtHistory "
        "MentalHealthProblem DiagnosisDepressionDysthymia SuicideNote SuicideIntentDisclosed DisclosedToFriend",
        *(1, 6),
    ),
    (
        "Y02",
        "V is a 22 year old male who died of a gunshot wound in his apartment. His brother said that V drank too much. "
        "V had been arrested in June, and his day in court was the next week.",
        "Officers came to the apartment of V, 22 years old. A pistol lay beside him. His girlfriend had ended the "
        "relationship the night before. There was no note.",
        "SubstanceAbuseProblem IntimatePartnerProblem RecentCriminalLegalProblem",
        *(1, 5),
    ),
    (
        "Y03",
        "V is a 15 year old male who died of a gunshot wound at home. His parents said that he had been suspended from "
        "school and had failed two classes. He took medicine for ADHD.",
        "V, 15 years old, shot himself in his room after a quarrel with his father about school. His sister heard the "
        "quarrel.",
        "MentalIllnessTreatmentCurrnt HistoryMentalIllnessTreatmnt MentalHealthProblem DiagnosisAdhd "
        "FamilyRelationship Argument SchoolProblem",
        *(1, 5),
    ),
    (
        "Y04",
        "V is a 20 year old female who died of an overdose of pills in her apartment. She had bipolar disorder and had "
        "been in a hospital after two suicide attempts. For a year she had no longer seen a psychiatrist.",
        "",
        "HistoryMentalIllnessTreatmnt SuicideAttemptHistory MentalHealthProblem DiagnosisBipolar",
        *(1, 9),
    ),
    (
        "Y05",
        "V is a 24 year old male who died of a fall from a parking garage. His wife said that they had separated in "
        "the spring and that he had been hopeless since.",
        "V, 24 years old, fell from the upper floor of a parking garage. On the day before he had sent his wife a "
        "message that he would end his life.",
        "DepressedMood SuicideThoughtHistory IntimatePartnerProblem SuicideIntentDisclosed DisclosedToIntimatePartner",
        *(6, 3),
    ),
    (
        "Y06",
        "V is a 19 year old male who died of carbon monoxide in his car. He had anxiety, for which he had been treated "
        "as a child.",
        "V, 19 years old, was in his parked car. A letter to his parents lay on the seat. He had failed his first year "
        "of college. The examiner speaks of carbon monoxide.",
        "HistoryMentalIllnessTreatmnt MentalHealthProblem DiagnosisAnxiety SchoolProblem SuicideNote",
        *(2, 9),
    ),
    (
        "Y07",
        "V is a 16 year old female who drowned in a lake. Her aunt said that V had written of suicide in her diary in "
        "the year before.",
        "",
        "SuicideThoughtHistory",
        *(3, 2),
    ),
    (
        "Y08",
        "",
        "V, 21 years old, was struck by a train on the tracks outside the town. His mother said that he used heroin. "
        "Two weeks ago he had told her that he wanted to die.",
        "SuicideThoughtHistory SubstanceAbuseProblem SuicideIntentDisclosed DisclosedToOtherFamilyMember",
        *(6, 8),
    ),
    (
        "Y09",
        "V is a 23 year old male who died of a gunshot wound in the woods. His father said that V had been charged "
        "with theft and feared prison.",
        "Hikers came upon V, 23 years old, in the woods with a rifle. A last message on his phone asked his family for "
        "forgiveness.",
        "RecentCriminalLegalProblem SuicideNote",
        *(3, 5),
    ),
    (
        "Y10",
        "V is a 14 year old male who hanged himself at home. He had been bullied at school. He had no known illness "
        "and had never seen a therapist.",
        "V, 14 years old, hanged himself in his room. His parents said that other students had mocked him for months "
        "and that he seemed sad.",
        "DepressedMood SchoolProblem",
        *(1, 6),
    ),
    (
        "Y11",
        "V is an 18 year old female who died of a knife wound at the house of her parents. She took medicine for "
        "depression and anxiety and saw a counselor each week. She had tried to take her life at 16.",
        "V, 18 years old, died of a knife wound in her room. Her parents said that they had quarreled with her that "
        "evening because she wanted to move out.",
        "MentalIllnessTreatmentCurrnt HistoryMentalIllnessTreatmnt SuicideAttemptHistory MentalHealthProblem "
        "DiagnosisAnxiety DiagnosisDepressionDysthymia FamilyRelationship Argument",
        *(1, 10),
    ),
    (
        "Y12",
        "",
        "V, 20 years old, shot himself in a city park. An hour before he had told a friend on the phone that he would "
        "shoot himself. He had been drinking heavily since he left the army.",
        "SuicideThoughtHistory SubstanceAbuseProblem SuicideIntentDisclosed DisclosedToFriend",
        *(4, 5),
    ),
    (
        "Y13",
        "V is a 17 year old male who was struck by a truck on a highway that he had walked onto. He had bipolar "
        "disorder and ADHD and was in a treatment program for drugs.",
        "V, 17 years old, stepped in front of a truck on the highway. His girlfriend said that they had quarreled on "
        "the phone a few minutes before.",
        "MentalIllnessTreatmentCurrnt HistoryMentalIllnessTreatmnt SubstanceAbuseProblem MentalHealthProblem "
        "DiagnosisBipolar DiagnosisAdhd IntimatePartnerProblem Argument",
        *(5, 7),
    ),
    (
        "Y14",
        "V is a 24 year old female who died of an overdose of pills in a motel. No illness is known.",
        "V, 24 years old, had come to the motel alone. Two notes, to her husband and to her sister, were on the table "
        "beside the pills. Her husband had asked for a divorce.",
        "IntimatePartnerProblem SuicideNote",
        *(6, 9),
    ),
    (
        "Y15",
        "V is a 13 year old female who died by hanging at home. Her grandmother said that V and her parents had not "
        "understood each other for years and that V cried often.",
        "",
        "DepressedMood FamilyRelationship",
        *(1, 6),
    ),
    (
        "Y16",
        "V is a 22 year old male whose remains lay in a field. The means of death is not known. Before he left home he "
        "had told his mother that he would not live to see the summer.",
        "A farmer came upon the remains of V, 22 years old, in a field. His mother had reported him missing the month "
        "before.",
        "SuicideThoughtHistory SuicideIntentDisclosed DisclosedToOtherFamilyMember",
        *(3, 12),
    ),
)


def write(path: Path) -> None:
    """Write the records to the CSV file `path`, a row each, with lines that end alike on every system."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(HEADER)
        for incident, cme, le, holding, location, weapon in RECORDS:
            flags = [int(name in holding.split()) for name in CIRCUMSTANCES]
            rows.writerow([incident, cme, le, *flags, location, weapon])


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else WORKBOOK)
