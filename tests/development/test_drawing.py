"""Drawing a development sample."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.development.drawing import Candidate, draw, most_with_hold_out

LABELS = st.sampled_from(["", "0", "1"])
CANDIDATES = st.lists(
    st.builds(Candidate, st.sampled_from("abcdefghij"), st.sampled_from(["cme", "le"]), LABELS, st.just(False)),
    unique_by=lambda each: each[:2],
    max_size=20,
)


def of_incidents(count: int, positive_every: int) -> list[Candidate]:
    """Two narratives an incident; of every so many incidents both are labelled 1, of the others 0."""
    return [
        Candidate(f"{number:04d}", kind, str(int(number % positive_every == 0)))
        for number in range(count)
        for kind in ("cme", "le")
    ]


@given(CANDIDATES, st.integers(1, 25), st.integers(1, 25))
def test_a_larger_sample_only_continues_a_smaller_one(candidates: list[Candidate], n: int, m: int) -> None:
    """The first narratives of a larger sample are those of a smaller one, and none is drawn twice."""
    small, large = sorted([draw(candidates, n).indices, draw(candidates, m).indices], key=len)
    assert large[: len(small)] == small
    assert len(set(large)) == len(large) == min(max(n, m), len(candidates))


@given(CANDIDATES, st.integers(1, 25))
def test_labelled_ones_come_first_and_labels_in_turn(candidates: list[Candidate], n: int) -> None:
    """No unlabelled narrative is drawn while there are labelled ones, and each label as often as the other while that
    has some."""
    drawn = [candidates[index].label for index in draw(candidates, n).indices]
    assert drawn == sorted(drawn, key=lambda label: label == "")
    total, counts = Counter(each.label for each in candidates), Counter(drawn)
    for label in ("0", "1"):
        other = "1" if label == "0" else "0"
        assert counts[label] <= counts[other] + 1 or counts[other] == total[other]


@given(CANDIDATES, st.integers(1, 25))
def test_weights_bring_back_the_mix_of_the_workbook(candidates: list[Candidate], n: int) -> None:
    """The weights of the narratives of a label that was drawn add up to all narratives with that label."""
    drawn = draw(candidates, n)
    totals = Counter(each.label for each in candidates)
    for label in {candidates[index].label for index in drawn.indices}:
        pairs = zip(drawn.indices, drawn.weights, strict=True)
        weight = sum(weight for index, weight in pairs if candidates[index].label == label)
        assert abs(weight - totals[label]) < 1e-9


def test_positives_and_negatives_alike_where_few_are_positive() -> None:
    """Of 20 narratives of a workbook with five positives in a hundred, 10 are positive."""
    candidates = of_incidents(200, positive_every=20)
    assert Counter(candidates[index].label for index in draw(candidates, 20).indices) == {"0": 10, "1": 10}


def test_a_workbook_with_other_rows_has_nearly_the_same_sample() -> None:
    """A tenth of new rows changes about a tenth of the sample, and no row that is gone is drawn."""
    before = of_incidents(200, positive_every=4)
    after = of_incidents(220, positive_every=4)
    keys = [{each[index][:2] for index in draw(each, 100).indices} for each in (before, after)]
    assert len(keys[0] & keys[1]) > 75


def test_what_was_kept_comes_first() -> None:
    """Narratives of an earlier sample stay in it, also where their labels have changed since."""
    candidates = of_incidents(50, positive_every=5)
    kept = [candidates[index][:2] for index in draw(candidates, 10).indices]
    changed = [each._replace(label="") for each in candidates]
    again = [changed[index][:2] for index in draw(changed, 20, kept).indices]
    assert again[:10] == kept


@given(CANDIDATES)
def test_a_hold_out_leaves_half_of_each_label_unseen(candidates: list[Candidate]) -> None:
    """A sample of the largest size that a hold-out allows leaves half of each label in incidents of which none was
    drawn, and one narrative more would not."""
    most = most_with_hold_out(candidates)

    def leaves_half(n: int) -> bool:
        seen = {candidates[index].incident_id for index in draw(candidates, n).indices} if n else set()
        total = Counter(each.label for each in candidates)
        unseen = Counter(each.label for each in candidates if each.incident_id not in seen)
        return all(2 * unseen[label] >= count for label, count in total.items())

    assert leaves_half(most)
    assert most == len(candidates) or not leaves_half(most + 1)


def test_incidents_with_a_label_of_their_own_are_drawn_whole() -> None:
    """Where the labels are those of incidents, no narrative of a drawn incident is left out, and a larger sample still
    continues a smaller one; where narratives have labels, exactly as many are drawn as are asked for."""
    candidates = of_incidents(50, positive_every=5)
    whole = [each._replace(is_of_incident=True) for each in candidates]
    drawn = [whole[index] for index in draw(whole, 21).indices]
    assert {*Counter(each.incident_id for each in drawn).values()} == {2} and len(drawn) > 21
    larger = draw(whole, 30, [each[:2] for each in drawn]).indices
    assert [whole[index] for index in larger][: len(drawn)] == drawn
    assert len(draw(candidates, 21).indices) == 21
