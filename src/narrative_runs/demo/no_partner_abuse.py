"""Invented incidents of which no narrative shows abuse of the decedent by a partner.

The plain ones tell of illness, debt, depression, work or an accident. The hard ones look as if they told of abuse by
a partner: the abuser is a parent, a son or a stranger, the decedent is the one who abused, abuse is asked about
and denied, or a couple parts without violence.
"""

from narrative_runs.demo.incident import Incident, not_abused

PLAIN = (
    Incident(
        cme=not_abused("""
            V is a 76 year old male who died of a self-inflicted gunshot wound of the head. He had
            been diagnosed with pancreatic cancer in the spring and had recently stopped
            chemotherapy. He was in constant pain and told his physician that he did not want to
            be a burden. He was a widower. The manner of death is suicide."""),
        le=not_abused("""
            Officers were called by the daughter of V, 76 years old, who found him in his recliner
            with a revolver. A note on the table said that the pain had become too much and gave
            instructions for his funeral. The daughter stated that V had talked about his illness
            for weeks. No foul play is suspected."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 51 year old male who hanged himself in the basement of his home. He had lost
            his construction business and owed a large sum in taxes. The bank had begun
            foreclosure of the house. His wife reported that he had not slept in days and worried
            about money. He had no known mental health history. Suicide."""),
        le=not_abused("""
            V, 51 years old, was discovered by his wife when she returned from church. Bills and a
            foreclosure notice were on the workbench. In a note he apologized to his wife and
            children for the debt and said that he loved them. The couple had been married for
            twenty-six years and had a good relationship."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 40 year old female who died of an overdose of quetiapine and alcohol. She had
            bipolar disorder since college, three previous suicide attempts and a discharge from a
            psychiatric hospital nine days earlier. She told her outpatient therapist that she
            felt hopeless. She was single and lived with her sister. The manner of death is
            suicide."""),
        le=not_abused("""
            The sister of V, 40 years old, found her unresponsive in bed. Empty prescription
            bottles and a bottle of vodka were on the nightstand. The sister stated that V had
            struggled with her mental health for years and had stopped going to her appointments.
            There were no signs of a struggle in the room."""),
    ),
    Incident(
        cme=not_abused("""
            V is an 18 year old male who died of an unintentional gunshot wound of the thigh. He
            was hunting rabbits with two cousins and climbed over a fence with a loaded shotgun,
            which discharged. He bled to death before an ambulance could reach the field.
            Toxicology was negative. The manner of death is accident."""),
        le=not_abused("""
            Deputies and a game warden responded to a hunting accident. Both cousins of V, 18
            years old, gave the same statement: V set the gun against the wire, slipped, and it
            went off. The safety was not engaged. The shotgun belonged to his grandfather. His
            death was ruled unintentional."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 57 year old male who died of carbon monoxide poisoning in his car. He was a
            school principal and had been placed on leave while missing funds were examined. He
            feared that he would lose his pension. He was being treated for insomnia. His wife of
            thirty years said that he was ashamed. Suicide."""),
        le=not_abused("""
            V, 57 years old, was located by state police at a rest area after his wife reported
            him missing. A letter to the school board was on the dashboard; in it he took
            responsibility for the accounts. His wife stated that they had no problems in their
            marriage and that he spoke only of work."""),
    ),
    Incident(
        cme=not_abused("""
            V is a 35 year old female who died of the toxic effects of heroin and fentanyl. She
            had a long history of substance use and had completed a treatment program in the
            previous month. A friend said that she wanted to stay sober and had no thoughts of
            suicide. No injuries were noted. The manner of death is accident."""),
        le=not_abused("""
            V, 35 years old, was found in a restaurant restroom by an employee. Naloxone was given
            without effect. A spoon, a lighter and a small bag of powder were next to her. Her
            boyfriend came to the scene and told officers that she had relapsed after her
            grandmother's funeral. No foul play is suspected."""),
    ),
)

HARD = (
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
            V is a 67 year old female who died of multiple stab wounds. Her adult son, who has schizophrenia
            and lived in her basement, told jail staff that voices ordered him to do it. Old bruises on her
            wrists were also attributed to him. V was a widow and lived with no one else. Homicide."""),
        le=not_abused("""
            V, 67 years old, had a protective order against her son, S, after he choked her in the spring, but
            let him come home when it got cold. Neighbors heard her screaming. S was arrested on the back
            steps. Police had been called to domestic disturbances between the two on six occasions."""),
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
