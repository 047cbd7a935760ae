"""Invented incidents of which no narrative shows abuse of the decedent by a partner.

Many of them look as if one did: the abuser is a parent, a son, a housemate or a stranger, the decedent is the
one who abused, abuse is asked about and denied, or a couple parts without violence.
"""

from narrative_runs.demo.incident import Incident, not_abused

INCIDENTS = (
    Incident(
        cme=not_abused("""
            V is a 16 year old male who shot himself with a hunting rifle. He had bruises on the back in the
            shape of a belt. His aunt reported that his father had beaten him since he was small and that
            child services had opened a case twice. V had no girlfriend and kept to himself. Suicide."""),
        le=not_abused("""
            V, 16 years old, was found in a shed behind the house. A note said that he could not stand another
            night with his dad. Officers had gone to the home in May on a domestic violence call, when the
            father threatened V with a bat. The father was taken in for questioning."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 44 year old male with a contact gunshot wound of the right temple. On Monday he was served
            with a restraining order, which his wife had obtained after he blackened her eye and threatened to
            kill her. He told a friend that his life was over if he could not go home. Blood alcohol was
            0.21."""),
        le=not_abused("""
            V, 44 years old, shot himself in his truck outside the house from which he had been removed. He
            had been arrested the week before for domestic assault of his wife and was out on bond. She and
            the children were staying at a shelter. In text messages he apologized to her for what he
            did."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 21 year old female who jumped in front of a train. Her boyfriend had broken up with her by
            text that afternoon, and she told her roommate that she did not want to live without him. She had
            cut her forearms in high school. Injuries were consistent with the train. Toxicology was
            negative."""),
        le=not_abused("""
            The engineer saw V, 21 years old, step from the platform. Her former boyfriend came to the station
            in tears and showed the officers their messages. He had told her that he cared for her but wanted
            to stop seeing her; she replied that he had ruined her life. There were no threats in either
            direction."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 26 year old female who was raped and strangled in a park while running. Scratches and
            bruises covered her arms. DNA from under her fingernails matched a man with prior convictions who
            did not know her. Her boyfriend had reported her missing when she did not come back for dinner.
            Homicide."""),
        le=not_abused("""
            V's boyfriend called when V, 26 years old, was an hour late from a run. He was interviewed and
            cleared by video from his workplace. S, a stranger, had been seen following several women on the
            trail that week and was arrested with V's watch in his pocket. He confessed to the assault."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 36 year old female who died of an intentional overdose of insulin. At each clinic visit she
            was screened for domestic violence and answered no; she described her husband as patient and kind.
            A bruise on her shin was from a fall at work, seen by coworkers. She had been grieving a
            stillbirth."""),
        le=not_abused("""
            Because of the age of V, 36 years old, detectives asked her family about trouble at home. Her
            parents, a neighbor and her best friend all said that they never saw or heard of any abuse,
            threats or fear, and that the couple was close. No calls for service exist. Her husband found her
            and began CPR."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 31 year old male who died of blunt force injuries of the head. He had been struck
            repeatedly with a wrench by the man with whom he shared a rented house, after a quarrel about
            unpaid bills. The two were friends from work. There were defensive injuries on both hands.
            Homicide."""),
        le=not_abused("""
            S called 911 and stated that he had hit his roommate, V, 31 years old, and that V was not moving.
            V's girlfriend, who was asleep upstairs, heard shouting about rent. She said that S had shoved V
            and threatened him several times since they moved in. S was booked for manslaughter."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 49 year old male who hanged himself in a rented room. He and his wife were in the middle of
            a bitter divorce, and he had lost the custody hearing two days before. He was drinking heavily and
            had been dismissed from his job. There were no injuries besides the ligature mark. Suicide."""),
        le=not_abused("""
            V, 49 years old, had not answered calls from his lawyer. His wife said that they had argued for
            years about money and that she finally changed the locks and filed, but that it never got physical
            on either side. He had sent her a message asking her to look after the dog. The door was locked
            from inside."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 58 year old male who died of a self-inflicted shotgun wound. In the next room his
            girlfriend was found dead of a wound from the same weapon. He had accused her of seeing someone
            else and, according to her daughter, had been controlling toward her for years. Suicide following
            homicide."""),
        le=not_abused("""
            Two people were found dead in the apartment. The evidence indicates that V, 58 years old, shot his
            girlfriend as she packed a suitcase and then shot himself. She had told coworkers that she was
            afraid of him and that he tracked her phone. There was no history of violence by her toward
            him."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 67 year old female who died of multiple stab wounds. Her adult son, who has schizophrenia
            and lived in her basement, told jail staff that voices ordered him to do it. Old bruises on her
            wrists were also attributed to him. V was a widow and lived with no one else. Homicide."""),
        le=not_abused("""
            V, 67 years old, had a protective order against her son, S, after he choked her in the spring, but
            let him come home when it got cold. Neighbors heard her screaming. S was arrested on the back
            steps. Police had been called to domestic disturbances between the two on six occasions."""),
    ),
    Incident(
        cme=not_abused("""
            V is an 83 year old male with dementia who died of a subdural hemorrhage after a fall from bed. He
            took a blood thinner and had many bruises of the arms and legs, which his physician had followed
            for months. His wife, who cared for him, had asked for a hospital bed with rails. Accident."""),
        le=not_abused("""
            Officers attended the death of V, 83 years old, at the request of the funeral home because of
            bruises. The wife and two home aides were interviewed separately and gave the same account of the
            fall. Adult protective services had looked into an earlier report and found it without basis. No
            charges."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 55 year old female who died of hypothermia behind a homeless shelter. She had been turned
            away because all beds were taken. She had schizoaffective disorder and a history of sexual abuse
            by a stepfather in childhood. Her former husband, who called her every week, arranged the burial.
            Accident."""),
        le=None,
    ),
    Incident(
        cme=None,
        le=not_abused("""
            V, 24 years old, was shot outside the bakery where she worked. S, a customer who had never been in
            a relationship with her, had sent letters for months and waited by her car. V had obtained a
            restraining order against him. Her boyfriend or her manager walked her out each evening. S is in
            custody."""),
    ),
)
