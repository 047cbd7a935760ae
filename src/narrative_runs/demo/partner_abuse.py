"""Invented incidents in which at least one narrative shows abuse of the decedent by a partner.

Few of them say so in plain words: abuse shows in a court order, a stay at a refuge, an injury that a friend
explains. In five of them only one of the two narratives shows it.
"""

from narrative_runs.demo.incident import Incident, abused, not_abused

INCIDENTS = (
    Incident(
        cme=abused("""
            V is a 34 year old female who was found dead on her kitchen floor by a neighbor. Autopsy showed
            eleven stab wounds of the chest and neck, cuts on both palms, and yellowing bruises of several
            ages on the upper arms. Her husband, who was still in the house with the knife, was taken into
            custody. Homicide."""),
        le=abused("""
            Officers were sent to the residence after a child called to say that his father had hurt his
            mother. S met them on the porch with blood on his shirt and stated that V was going to take the
            kids away. V, 34 years old, was inside without a pulse. S was charged with her murder."""),
    ),
    Incident(
        cme=abused("""
            V is a 38 year old female who died of acute combined drug intoxication. X-rays showed healed
            fractures of three ribs and of the nose. A clinic nurse wrote last year that V's fiancé stayed in
            the room and answered every question for her, and that V whispered, while he took a call outside,
            that the injuries were his doing."""),
        le=not_abused("""
            Officers found V, 38 years old, on the sofa with a syringe in her arm. Her fiancé stated that he
            came home from a night shift and that she had been clean for five months. He was cooperative and
            distraught. The residence was orderly, the doors were locked, and no foul play was suspected."""),
    ),
    Incident(
        cme=abused("""
            V is a 41 year old female who hanged herself from a closet rod. She had been treated for anxiety
            that began during her marriage. A judge had recently renewed the order that keeps her ex-husband
            away from her house and workplace, after he twice let himself in at night. Toxicology was
            negative."""),
        le=abused("""
            V, 41 years old, was found by her sister. A folder on the table held copies of the court order
            against V's former husband and a log in her handwriting of the dates on which he had waited
            outside in his truck. A note said that she was tired of looking over her shoulder. No sign of
            forced entry."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 45 year old female who was found hanging in the garage. She had a history of depression and
            of two hospital stays after her mother died, and had stopped taking sertraline. There were no
            injuries other than the ligature furrow. Her husband identified the body. The manner of death is
            suicide."""),
        le=abused("""
            V, 45 years old, was found in the garage by her husband. Dispatch history for the address lists
            four visits in eighteen months. At the last of them officers noted V's swollen eye, had the
            husband spend the night at his brother's, and sent the case to the prosecutor, who dropped it when
            V would not testify."""),
    ),
    Incident(
        cme=abused("""
            V is a 27 year old female who took an unknown quantity of amitriptyline and died in hospital two
            days later. Chart notes show that she had moved with her daughter to a women's refuge in March.
            Before that her partner had kept her bank card and her phone and let her out only to work. No
            recent injuries."""),
        le=abused("""
            A case worker who had known V, 27 years old, for six weeks stated that V came to them with one bag
            and was afraid that the father of her child would find the address, because he had said that he
            would burn the place down. V was found unresponsive in her room beside empty pill bottles."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 19 year old male who died of a self-inflicted gunshot wound of the head. He lived with his
            parents and worked at a warehouse. He had seemed quiet since his relationship ended in the summer.
            He had no medical history and no known prior attempts. Toxicology showed cannabis only."""),
        le=abused("""
            V, 19 years old, shot himself in his bedroom. His phone held more than two hundred messages from
            the young woman whom he had stopped seeing in July. She wrote that she would send his pictures to
            his family and tell the police lies unless he came back, and sent photographs of his front door at
            night."""),
    ),
    Incident(
        cme=abused("""
            V is a 52 year old male who died of a single gunshot wound of the back. He had a healed burn on
            the left forearm which, according to his brother, came from a pan of oil that V's wife threw at
            him last winter. She told the medics that the pistol discharged while she was cleaning it. Manner
            pending."""),
        le=abused("""
            V, 52 years old, was shot in the hallway of the home that he shared with his wife, S. Neighbors
            reported that V slept in his car on most weekends and once came to their door with a split lip,
            begging them not to call anyone because it would only make her worse. S was arrested."""),
    ),
    Incident(
        cme=abused("""
            V is a 29 year old female who drowned in a reservoir. Her mother told the coroner that V had
            returned home because the man she lived with locked her in the bedroom when he went out and
            checked the mileage of her car every evening. V had lost thirty pounds since spring. Manner is
            undetermined."""),
        le=not_abused("""
            Fishermen saw a body near the dam. V, 29 years old, was identified by her driver license. Her car
            was parked at the boat ramp with her shoes placed side by side. Her mother said that V had
            recently moved back after ending a relationship and was having trouble sleeping. No witnesses were
            located."""),
    ),
    Incident(
        cme=abused("""
            V is a 23 year old female who jumped from a parking structure. A friend told the investigator that
            V's girlfriend had broken V's wrist in the spring and that V explained it to everyone as a fall
            from a bicycle. Radiographs confirmed a healed fracture of the left radius. V left no note."""),
        le=abused("""
            Witnesses saw V, 23 years old, alone on the top level of the garage. Her roommate said that V had
            come back on Sunday with finger marks on her neck after seeing the woman whom she was dating, and
            asked to borrow a scarf for work. There was no evidence that anyone else was present."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 33 year old female pedestrian who was struck by a truck on an unlit highway at 2 a.m. and
            died of blunt force injuries of the head and trunk. The driver stopped and called for help. Blood
            alcohol was 0.16. All injuries were consistent with the collision. The manner of death is
            accident."""),
        le=abused("""
            The truck driver stated that V, 33 years old, ran into the lane without looking. A store camera
            shows her getting out of a moving car minutes earlier, barefoot, while her estranged husband at
            the wheel pulls her back by the hair until she breaks free. He left the state that morning."""),
    ),
    Incident(
        cme=abused("""
            V is a 30 year old female found dead in a motel bathtub; death was caused by fentanyl and cocaine.
            Hospital records from four months earlier describe petechiae and hoarseness after she was choked.
            She named her boyfriend and then asked the staff to take that out of the file. No acute
            injuries."""),
        le=abused("""
            The desk clerk found V, 30 years old, after checkout time. He recalled that the man V was living
            with had come twice that week, pounding on doors and shouting what he would do when he found her,
            and that V had paid in cash under another name. Drug paraphernalia was by the tub."""),
    ),
    Incident(
        cme=None,
        le=abused("""
            V, 60 years old, was found dead in bed by her grandson. Two days earlier patrol had driven her to
            a relative after her companion of twenty years pushed her down the porch steps in front of the
            mail carrier. V declined an ambulance. The family waived the autopsy, and the cause of death is
            pending."""),
    ),
)
