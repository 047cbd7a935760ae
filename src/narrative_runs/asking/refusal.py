"""Refusals that a model writes in prose, instead of an answer."""

import re

_START = 300
_TASK = r"(?:th(?:is|at|ese|ose|e)|such|your|any|it)\b"
_CANNOT = (
    r"(?:can(?:no|')t|can not|could not|couldn't|won't|will not|shall not"
    r"|(?:am|'m) (?:not (?:able|willing|allowed|permitted|comfortable|going)|unable|unwilling)(?: to)?"
    r"|(?:must|have to|need to|'ll have to|will have to)(?: respectfully| politely)?(?= (?:decline|refuse)))"
)
_DO = (
    r"(?:help|assist|comply|decline|refuse|engage|participate|continue with|support|fulfil|fulfill"
    rf"|(?:do|discuss|process|handle|complete|analy[sz]e|review|evaluate|classify|perform|respond to|answer) {_TASK}"
    r"|(?:provide|give|offer|generate|create|produce)(?: you)?(?: with)? "
    r"(?:assistance|help|support|(?:th(?:is|at)|such|any|the requested)(?: kind of| type of| sort of)? "
    r"(?:information|content|analysis|response|assistance|help|material|request)))"
)
_ENGLISH = (
    r"(?:(?:i am|i'm|we are|we're) (?:\w+ )?sorry|sorry|unfortunately|my apologies|i (?:\w+ )?apologi[sz]e"
    r"|as an (?:ai|artificial)[^.,]{0,60}|i understand[^.]{0,120})?[\s,.;:!—–-]{0,4}(?:(?:but|and|however)\b,? ?)?"
    rf"(?:i|we)(?:'m| am| ?'ll)? ?(?:(?:really|simply|just|therefore|do|also) )?(?:{_CANNOT} ?(?:to )?{_DO}"
    rf"|(?:decline|refuse) to (?:help|assist|{_DO}))\b"
)
_OTHERS = (
    r"(?:this|your|the) (?:request|content|prompt|question|text|narrative)[^.]{0,60}"
    r"(?:violates?|goes against|is against|conflicts with|is not allowed|cannot be fulfilled)\b",
    r"es tut mir (?:sehr )?leid, (?:aber )?[^.]{0,60}(?:nicht (?:helfen|weiterhelfen|unterstützen|beantworten))",
    r"(?:dabei|hierbei|damit) kann ich (?:ihnen |dir )?(?:leider )?nicht (?:weiter)?helfen",
    r"(?:ich kann|leider kann ich) [^.]{0,60}nicht (?:weiter)?helfen",
    r"(?:lo siento|lo lamento|disculpa)[,.]? (?:pero )?(?:no puedo|no me es posible) \w+",
    r"no puedo (?:ayudar|asistir)",
    r"(?:je suis (?:vraiment )?désolée?|désolée?)[,.]? (?:mais )?je ne peux pas \w+",
    r"(?:mi dispiace|desculpe|sinto muito)[,.]? (?:ma |mas )?(?:non posso|não posso) \w+",
    r"(?:很?抱歉|对不起|非常抱歉)[，,。 ]?(?:但)?我?(?:无法|不能)",
    r"我(?:无法|不能)(?:协助|帮助|提供|满足|回答|处理)",
    r"(?:申し訳(?:ありません|ございません))[^。]{0,40}(?:できません|できかねます)",
)
_REFUSAL = re.compile("|".join(f"(?:{pattern})" for pattern in (_ENGLISH, *_OTHERS)))


def is_refusal(written: str) -> bool:
    """Whether a text without a JSON object begins with the words by which models decline to answer at all.

    A model that cannot decide, or sees nothing in the text, does not refuse.
    """
    if "{" in written:
        return False
    start = written[:_START].lower().replace("’", "'").lstrip(" \t\r\n*_\"'#>`")
    return _REFUSAL.match(start) is not None
