"""Invented incidents in which at least one narrative shows abuse of the decedent by a partner.

The plain ones say so in so many words. Few of the hard ones do: abuse shows in a court order, a stay at a
refuge, an injury that a nurse was told about in a whisper. In one plain and three hard incidents only one of the
two narratives shows it.
"""

from narrative_runs.demo.incident import Incident, abused, not_abused

PLAIN = (
    Incident(
        cme=abused("""
            V is a 43 year old female who died of blunt force trauma of the head and abdomen. Her
            husband beat her with his fists and a chair leg after an argument at home. Medical
            records show that she had been treated twice before for injuries caused by her
            husband. Toxicology was negative. The manner of death is homicide."""),
        le=abused("""
            Police responded to a report of an unresponsive woman. V, 43 years old, was on the
            living room floor with severe facial injuries. Her husband, S, admitted that he had
            beaten her because dinner guests had been invited without his consent. A neighbor said
            that S hit V often. S was arrested and charged with homicide."""),
    ),
    Incident(
        cme=abused("""
            V is a 28 year old female who was strangled in her apartment by her ex-boyfriend. She
            had ended the relationship three weeks earlier because he was violent toward her.
            Autopsy showed petechiae, a fracture of the hyoid bone and abrasions of the neck. The
            cause of death is manual strangulation. The manner of death is homicide."""),
        le=abused("""
            V, 28 years old, was found dead in her bedroom by a coworker. S, the ex-boyfriend of
            V, was seen leaving the building. He told detectives that he strangled V because she
            would not take him back. V had reported to police on two occasions that S threatened
            to kill her. S was charged with murder."""),
    ),
    Incident(
        cme=abused("""
            V is a 37 year old female who died by suicide by hanging. V was a victim of intimate
            partner violence. Her husband had physically abused her throughout their marriage, and
            she had gone to the emergency department in January after he choked her. She was
            diagnosed with depression and took citalopram. No note was found."""),
        le=None,
    ),
    Incident(
        cme=abused("""
            V is a 25 year old female who died of an intentional overdose of acetaminophen.
            According to her mother, V was in a physically abusive relationship with her
            girlfriend, who slapped and kicked her when she drank. V had bruises of the thighs
            that were about a week old. She had one previous suicide attempt."""),
        le=abused("""
            Officers responded to the apartment that V, 25 years old, shared with her girlfriend.
            V was dead on arrival. The girlfriend had been arrested in February for assault of V
            and was under a court order to attend anger management. V's mother reported that the
            girlfriend had hit V again last weekend. An empty bottle was collected."""),
    ),
    Incident(
        cme=None,
        le=abused("""
            V, 32 years old, died of a self-inflicted gunshot wound in his garage. His brother
            stated that V was being stalked by his ex-girlfriend. She followed him to work,
            damaged his car and sent messages in which she threatened to hurt him if he saw other
            women. V had filed three police reports about her. He left a note to his parents."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 48 year old female who died of a self-inflicted gunshot wound of the chest. She
            had chronic back pain and had been out of work for a year after surgery. Her primary
            care physician had prescribed oxycodone and duloxetine. Both were detected at
            therapeutic levels. The manner of death is suicide."""),
        le=abused("""
            V, 48 years old, was found in her yard by her daughter. The daughter said that V's
            boyfriend beat V the night before and threatened to kill her if she left him. He had a
            previous conviction for domestic violence against V. V wrote in a note that she could
            not take the beatings any longer."""),
    ),
)

HARD = (
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
)
