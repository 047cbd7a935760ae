import math
import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.asking.probabilities import probabilities
from narrative_runs.asking.reply import read
from narrative_runs.asking.token_probability import probability_of, probability_of_true
from narrative_runs.codebook.default import DEFAULT

YES, NO = '{"detected": true, "confidence": 0.9}', '{"detected": false, "confidence": 0.2}'
# At the place of a decision: (token, its logarithm, the other one, its logarithm).
SURE = ("true", -0.1053605, "false", -2.302585)
UNSURE = ("false", -0.6931472, "true", -0.6931472)


def tokens_of(*parts: Any) -> list[dict[str, Any]]:
    """Tokens as a server gives them; each part is a token's text, bytes, or a decision with its alternative."""
    tokens: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, bytes):
            tokens.append({"token": part.decode("utf-8", "replace"), "logprob": -0.1, "bytes": list(part)})
        elif isinstance(part, str):
            tokens.append({"token": part, "logprob": -0.1, "bytes": None, "top_logprobs": []})
        else:
            token, logprob, other, of_other = part
            others = [{"token": token, "logprob": logprob}, {"token": other, "logprob": of_other}]
            tokens.append({"token": token, "logprob": logprob, "top_logprobs": others})
    return tokens


def probability(content: str, *parts: Any, **message: Any) -> float | None:
    """`p_detected` of a reply with this content and these tokens."""
    choice = {"message": {"content": content, **message}, "logprobs": {"content": tokens_of(*parts)}}
    return probabilities(read({"choices": [choice]}), DEFAULT).get("detected")


ANSWER = ('{"detected": ', SURE, ', "confidence": 0.9}')
DRAFT = ('{"detected": ', UNSURE, ', "confidence": 0.2}')


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (YES, ANSWER),
        (f"<think>Maybe {NO}</think>\n{YES}", ("<think>", "Maybe ", *DRAFT, "</think>", "\n", *ANSWER)),
        (f"Maybe {NO}</think>{YES}", ("Maybe ", *DRAFT, "</think>", *ANSWER)),
        (
            f"analysisMaybe {NO}assistantfinal{YES}",
            (
                "<|channel|>",
                "analysis",
                "<|message|>",
                "Maybe ",
                *DRAFT,
                "<|end|>",
                "<|start|>",
                "assistant",
                "<|channel|>",
                "final",
                "<|message|>",
                *ANSWER,
                "<|return|>",
            ),
        ),
        (
            f'{{"detected": true/false}} {YES}',
            ('{"detected": true/false} ', *ANSWER),
        ),
        (YES, ("Maybe ", *DRAFT, *ANSWER)),
        (YES, (*ANSWER, "<|im_end|>")),
        (YES, (*ANSWER, "</s>")),
        (YES, ('{"detected": ', SURE)),
        ("```json\n" + YES + "\n```", ("```", "json", "\n", *ANSWER, "\n", "```")),
        ("é😀 " + YES, ("é", b"\xf0\x9f", b"\x98\x80", " ", *ANSWER)),
        ('{"detected": true, "rationale": "😀"}', ('{"detected": ', SURE, ', "rationale": "', "�", "�", '"}')),
        ('{"detected":true}', ('{"detected":', (" true", *SURE[1:]), "}")),
        ('{"detected": "true"}', ('{"detected": "', SURE, '"}')),
    ],
)
def test_the_tokens_are_those_of_the_answer_that_was_taken(content: str, parts: Any) -> None:
    """Drafts, marks, fences and pieces of characters before it, or tokens that break off: its own tokens are used."""
    assert probability(content, *parts) == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (YES, DRAFT),
        (f"{YES} so {YES}", ANSWER),
        (YES, ()),
        (YES, ('{"detected"',)),
        (YES, ("token_id:90", "token_id:7")),
        (YES, ("x", '{"detected": ', SURE)),
        (YES, ('{"detected": ', SURE, ' or not. {"detected": ', SURE)),
        ("😀" + YES, ("�", "�", *ANSWER)),
        (f"<think>Maybe {YES}", ("<think>", "Maybe ", *ANSWER)),
        ("no answer", ANSWER),
        ("", ANSWER),
    ],
)
def test_tokens_that_cannot_be_aligned_tell_nothing(content: str, parts: Any) -> None:
    """Where tokens and text do not match for certain there is no probability."""
    assert probability(content, *parts) is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"token": None},
        {"token": "}", "bytes": [256]},
        {"token": "}", "bytes": "}"},
        {"token": "}", "logprob": "low", "top_logprobs": {"true": -0.1}},
        {"token": "}", "logprob": -(10**400), "top_logprobs": [None, 5, {"token": 5}, {"token": "x", "logprob": []}]},
    ],
)
def test_odd_tokens_cost_no_answer(odd: Any) -> None:
    """A token of any form gives a probability or none, and no error."""
    for tokens in ([*tokens_of('{"detected": ', "true"), odd], [*tokens_of('{"detected": '), odd]):
        found = read({"choices": [{"message": {"content": '{"detected": true}'}, "logprobs": {"content": tokens}}]})
        assert probabilities(found, DEFAULT).get("detected") in (None, 1.0)


def test_fences_that_the_server_took_off_do_not_matter() -> None:
    """Where the tokens hold fences that the content has lost, the decision is still found, being there only once."""
    assert probability(YES, "```json\n", *ANSWER, "\n```") == pytest.approx(0.9, abs=1e-6)
    assert probability(YES, "```json\n", *ANSWER, "\n", *ANSWER, "\n```") is None


WEAPONS = ("firearm", "poison", "police", "other")
HEAD, TAIL = '{"n": 1, "weapon": "', '", "confidence": 0.9}'
Step = str | Mapping[Any, float | None]


def likely(token: str | bytes, probability: float | None) -> dict[str, Any]:
    """A token with its logarithm as a server gives it; one that is given as bytes shows them."""
    shown = {"token": token} if isinstance(token, str) else {"token": token.decode("utf-8", "replace")}
    return {
        **shown,
        "bytes": list(token) if isinstance(token, bytes) else None,
        "logprob": None if probability is None else math.log(probability),
    }


def logprobs_of(*steps: Step) -> dict[str, Any]:
    """Logprobs of tokens: each a text, or the probabilities of all that were likely, first the one that was written."""
    tokens = []
    for step in steps:
        candidates = [likely(*each) for each in ({step: 1.0} if isinstance(step, str) else step).items()]
        tokens.append({**candidates[0], "top_logprobs": candidates})
    return {"content": tokens}


def probability_there(value: str, values: tuple[str, ...], *steps: Step, head: str = HEAD, tail: str = TAIL) -> Any:
    """The probability of a value that stands between a head and a tail, which is written with these tokens."""
    return probability_of(logprobs_of(*steps), head + value + tail, len(head), value, values)


@pytest.mark.parametrize(
    ("value", "values", "steps", "expected"),
    [
        ("poison", WEAPONS, (HEAD, {"poison": 0.6, "firearm": 0.2, "other": 0.2}, TAIL), 0.6),
        ("poison", WEAPONS, (HEAD, {"poison": 0.6, "knife": 0.2, "{": 0.1, "other": 0.1}, TAIL), 6 / 7),
        ("poison", WEAPONS, (HEAD, {"po": 0.8, "fire": 0.2}, {"ison": 0.5, "lice": 0.3, "em": 0.2}, TAIL), 0.5),
        (
            "poison",
            WEAPONS,
            (HEAD, {"p": 0.8, "f": 0.2}, {"o": 0.9, "x": 0.1}, {"i": 0.5, "l": 0.5}, "son" + TAIL),
            0.4,
        ),
        ("Poison", WEAPONS, (HEAD, {"Po": 0.3, "PO": 0.3, "FIRE": 0.4}, {"ison": 0.5, "LICE": 0.5}, TAIL), 0.3),
        ("fire", ("Fire", "WATER"), (HEAD, {"fire": 0.5, "Fire": 0.25, "water": 0.25}, TAIL), 0.75),
        ("poison", WEAPONS, (HEAD[:-2], {' "poison",': 0.6, ' "': 0.1, ' "fire': 0.3, "fire": 0.1}, TAIL[2:]), 0.6),
        ("poison", WEAPONS, ({HEAD + "poison": 0.6, HEAD + "police": 0.4, HEAD: 0.1, "{": 0.1}, TAIL), 0.6),
        ("gun", ("gun", "gunshot"), (HEAD, "gun", {'"': 0.75, "shot": 0.25}, TAIL[1:]), 0.75),
        ("gun", ("gun", "gunshot"), (HEAD, {'gun",': 0.75, "gunshot": 0.25}, TAIL[2:]), 0.75),
        ("gunshot", ("gun", "gunshot"), (HEAD, "gun", {"shot": 0.25, '",': 0.75}, TAIL), 0.25),
        ("gun", ("gun", "gunshot"), (HEAD, "gun", {'"': 0.5, "s": 0.3, "ning": 0.1, "": 0.1}, TAIL[1:]), 0.625),
        ("gun", ("gun", "gunshot"), (HEAD, "gun", {'"': 0.5, "shot": 0.25, " and": 0.25}, TAIL[1:]), 2 / 3),
        ("non", ("non", "non-fatal"), (HEAD, "non", {'"': 0.5, "-": 0.5}, TAIL[1:]), 0.5),
        ("non-fatal", ("non", "non-fatal"), (HEAD, "non", {"-": 0.5, '"': 0.5}, "fatal" + TAIL), 0.5),
        ("other", ("other", "other weapon"), (HEAD, "other", {'"': 0.5, " ": 0.25, " weapon": 0.25}, TAIL[1:]), 0.5),
        ("other weapon", ("other", "other weapon"), (HEAD, "other", {"weapon": 0.2, '"': 0.8}, TAIL), 0.2),
        ("only", ("only",), (HEAD, {"only": 0.5, "x": 0.5}, TAIL), 1),
        ("poison", WEAPONS, (HEAD, {"poison": None, "other": 0.5}, TAIL), 0),
    ],
)
def test_the_probability_of_a_value_is_its_share_along_its_tokens(
    value: str, values: tuple[str, ...], steps: Any, expected: float
) -> None:
    """Every token at which other values are still possible counts, the one that closes the value too."""
    assert probability_there(value, values, *steps) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "expected"), [("é", 0.9 * 0.75), ("É", 0.9 * 0.75), ("è", 0.9 * 0.25)])
def test_pieces_of_characters_are_told_apart_by_their_bytes(value: str, expected: float) -> None:
    """Tokens whose texts are all the same replacement character are those that their bytes say, small or capital."""
    of_first, of_second = value.encode()[:1], value.encode()[1:]
    # After the same first byte: é, è, É, and ê, which is none of the values.
    shares = {b"\xa9": 0.5, b"\xa8": 0.2, b"\x89": 0.1, b"\xaa": 0.2}
    second: Step = {of_second: shares[of_second], **shares}
    told = logprobs_of(HEAD, {of_first: 0.9, "x": 0.1}, second, TAIL)
    found = probability_of(told, HEAD + value + TAIL, len(HEAD), value, ["é", "è", "x"])
    assert found == pytest.approx(expected)


def test_a_piece_of_a_capital_letter_counts_with_the_small_one() -> None:
    """Where both begin with different bytes, either is the beginning of the value."""
    told = logprobs_of(HEAD, {b"\xc3": 0.5, b"\xc5": 0.3, b"\xc4": 0.1, "x": 0.2}, {b"\xbf": 1.0}, TAIL)
    found = probability_of(told, HEAD + "ÿ" + TAIL, len(HEAD), "ÿ", ["ÿ", "x"])
    assert found == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("values", "candidates"),
    [(("non", "non-fatal"), {"non,": 0.5, "non-fatal,": 0.5}), (("non", "x", ""), {"non,": 0.2, "x,": 0.2, "}": 0.1})],
)
def test_a_bare_value_is_closed_by_no_letter_and_is_the_longest(values: Any, candidates: Any) -> None:
    """What goes on as a longer value is that one, and a token without any letter of a value is none."""
    head = '{"outcome": '
    assert probability_there("non", values, head, candidates, " 1}", head=head, tail=", 1}") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("value", "values", "steps"),
    [
        ("poison", WEAPONS, ()),
        ("poison", WEAPONS, ("x", HEAD, "poison")),
        ("poison", WEAPONS, (HEAD, "po")),
        ("gun", ("gun", "gunshot"), (HEAD, "gun")),
        ("poison", WEAPONS, (HEAD, {"poison": None, "knife": 0.5}, TAIL)),
        ("knife", WEAPONS, (HEAD, "knife", TAIL)),
        ("poison", (), (HEAD, "poison", TAIL)),
        ("", ("", "poison"), (HEAD, TAIL)),
        ("other weapon", ("other weapon", "other gun"), (HEAD, "other", {" gun": 0.5, " weapon": 0.5})),
    ],
)
def test_a_value_without_evidence_has_no_probability(value: str, values: tuple[str, ...], steps: Any) -> None:
    """Tokens that are not the text's or break off, likely ones of no value, and an unknown value give None."""
    assert probability_there(value, values, *steps) is None


def test_a_value_has_a_probability_only_at_its_place() -> None:
    """Without a place, with that of another text, and without logprobs there is None."""
    text, told = HEAD + "poison" + TAIL, logprobs_of(HEAD, "poison", TAIL)
    assert probability_of(told, text, len(HEAD), "poison", WEAPONS) == 1
    assert probability_of(told, text, None, "poison", WEAPONS) is None
    assert probability_of(told, text, len(HEAD) + 1, "poison", WEAPONS) is None
    assert probability_of(None, text, len(HEAD), "poison", WEAPONS) is None
    told = logprobs_of(HEAD, "pois", "0n", TAIL)
    assert probability_of(told, HEAD + "pois0n" + TAIL, len(HEAD), "poison", WEAPONS) is None
    assert probability_of(told, HEAD + "pois0n" + TAIL, len(HEAD), "pois0n", ["pois0n"]) == 1


@pytest.mark.parametrize("logprob", [None, True, "high", 5, float("nan"), float("-inf"), -(10**400), -9999])
def test_odd_logarithms_of_a_value_count_as_zero(logprob: Any) -> None:
    """What is no logarithm of a probability, or one of next to none, adds nothing to any value."""
    told = logprobs_of(HEAD, {"poison": 0.3, "other": 0.1, "firearm": 0.5}, TAIL)
    told["content"][1]["top_logprobs"][2]["logprob"] = logprob
    assert probability_of(told, HEAD + "poison" + TAIL, len(HEAD), "poison", WEAPONS) == pytest.approx(0.75)


@given(
    st.dictionaries(
        st.sampled_from(
            ["true", "false", " true", " false", "t", "f", "True", "FALSE", "true,", "false}", "x", " ", ""]
        ),
        st.one_of(st.none(), st.floats(1e-9, 1)),
    ),
    st.sampled_from(["true", "false", "True"]),
    st.sampled_from(["", '"']),
    st.booleans(),
)
def test_true_is_a_value_as_any_other(likely: dict[str, float | None], value: str, mark: str, is_cut: bool) -> None:
    """For usual tokens the probability of true, or of false, is the one that is told of a decision."""
    if mark:
        likely = {token: share for token, share in likely.items() if token.isalpha()}
    written = value[:1] if is_cut else value
    head = '{"detected": ' + mark
    told = logprobs_of(head, {written: 0.5, **likely}, value[len(written) :] + mark + "}")
    text = head + value + mark + "}"
    of_true = probability_of_true(told, text, len(head))
    of_value = probability_of(told, text, len(head), value, ["true", "false"])
    assert (of_true is None) == (of_value is None)
    if of_true is not None:
        assert of_value == pytest.approx(of_true if value.lower() == "true" else 1 - of_true)


def tokens_from(
    weights: dict[str, int], value: str, around: tuple[str, str], chance: random.Random
) -> list[dict[str, Any]]:
    """Tokens of a text with a value, cut anywhere, from a model that writes each value as often as its weight says.

    Another value is cut as this one as long as they are the same, and then is the rest of it, or its next piece only.
    """
    whole = {each: (around[0] + each + around[1]).encode() for each in weights}
    text = whole[value]
    cuts = sorted({0, len(text), *(chance.randrange(len(text)) for _ in range(chance.randrange(len(text))))})
    tokens = []
    for start, end in pairwise(cuts):
        possible = [each for each in weights if whole[each][:start] == text[:start]]
        shares: dict[bytes, float] = {text[start:end]: 0.0}
        for each in possible:
            other = whole[each]
            apart = next((at for at in range(start, end) if other[at : at + 1] != text[at : at + 1]), None)
            closed = len((around[0] + each).encode()) + 1
            until = end if apart is None else chance.choice([apart + 1, max(closed, apart + 1)])
            shares[other[start:until]] = shares.get(other[start:until], 0.0) + weights[each]
        total = sum(weights[each] for each in possible)
        candidates = [likely(token, share / total) for token, share in shares.items()]
        taken, *others = candidates
        chance.shuffle(candidates)
        tokens.append({**taken, "top_logprobs": candidates if chance.random() < 0.5 else others})
    return tokens


@given(
    st.dictionaries(
        st.from_regex(r"[agnué€][agnué€ -]{0,5}[agnué€]?", fullmatch=True), st.integers(1, 9), min_size=1, max_size=6
    ),
    st.sampled_from([(HEAD, TAIL), ('{"weapon": \'', "'}"), ('é€ ```json\n{"weapon":"', '"}\n```')]),
    st.randoms(use_true_random=False),
)
def test_the_shares_along_any_tokens_multiply_to_the_probability(
    weights: dict[str, int], around: tuple[str, str], chance: random.Random
) -> None:
    """However the text is cut into tokens, what the model's distribution gives a value is what is found."""
    for value in weights:
        told = {"content": tokens_from(weights, value, around, chance)}
        found = probability_of(told, value.join(around), len(around[0]), value, [each.upper() for each in weights])
        assert found == pytest.approx(weights[value] / sum(weights.values()))


@given(
    st.dictionaries(st.sampled_from(["true", "false", "null", "nul", "tru", "t"]), st.integers(1, 9), min_size=1),
    st.sampled_from([",", "}", " }", "\n}"]),
    st.randoms(use_true_random=False),
)
def test_values_without_quotation_marks_end_where_the_word_does(
    weights: dict[str, int], tail: str, chance: random.Random
) -> None:
    """A value that stands bare is closed by whatever is no letter."""
    head = '{"detected": '
    for value in weights:
        told = {"content": tokens_from(weights, value, (head, tail), chance)}
        found = probability_of(told, head + value + tail, len(head), value, list(weights))
        assert found == pytest.approx(weights[value] / sum(weights.values()))


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([HEAD, TAIL, "po", "ison", "lice", '"', "", " ", "fire", b"\xc3"]),
            st.one_of(st.none(), st.floats(1e-9, 1)),
            min_size=1,
        ),
        max_size=6,
    ),
    st.integers(0, 60),
    st.sampled_from(WEAPONS),
)
def test_any_tokens_give_a_value_a_probability_or_none(steps: Any, place: int, value: str) -> None:
    """Whatever the tokens are, the outcome is from 0 to 1, or None."""
    told = logprobs_of(HEAD, "po", *steps)
    text = b"".join(bytes(token["bytes"] or token["token"].encode()) for token in told["content"])
    for at in (place, len(HEAD)):
        found = probability_of(told, text.decode("utf-8", "replace"), at, value, WEAPONS)
        assert found is None or 0 <= found <= 1
