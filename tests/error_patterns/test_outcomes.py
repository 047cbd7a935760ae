from narrative_runs.error_patterns.outcomes import ABSENT, ErrorKind, Outcomes, kind_of

TIMEOUT = ErrorKind("timeout", "no answer within 300 s")


def put(outcomes: Outcomes, narrative: int, error: ErrorKind | None = None, **other: str) -> None:
    """Put a narrative of 100 characters for each of its number."""
    how = {"shard": "1-of-2", "server": "", "host": "a", "asked_at": "1970-01-01 00:01:00", **other}
    outcomes.put(narrative, 100 * narrative, how["shard"], how["server"], how["host"], how["asked_at"], error)


def test_rows_are_in_the_order_of_the_answers() -> None:
    """Each narrative is a row with its numbers; what nobody says is absent."""
    outcomes = Outcomes({"Sex": ["M", "F", "M"]})
    put(outcomes, 3, TIMEOUT, shard="2-of-2", server="http://b", asked_at="1970-01-01 00:02:00")
    put(outcomes, 1, host="", asked_at="in March")
    table = outcomes.table()
    assert list(table.narratives) == [3, 1] and list(table.characters) == [300, 100]
    assert list(table.seconds) == [120, ABSENT]
    assert [bool(error) for error in table.errors] == [True, False] and outcomes.error(table.errors[0]) == TIMEOUT
    named = {
        name: [None if each == ABSENT else outcomes.name_of(name, each) for each in column]
        for name, column in table.columns.items()
    }
    assert named == {
        "group Sex": ["M", "M"],
        "server": ["http://b", None],
        "host": ["a", None],
        "shard": ["2-of-2", "1-of-2"],
    }


def test_a_retry_takes_the_place_of_the_first_pass() -> None:
    """A narrative that is asked again has one row, of the shard in which it was, and its error is gone if it was
    answered."""
    outcomes = Outcomes()
    put(outcomes, 1, TIMEOUT)
    put(outcomes, 2, TIMEOUT)
    assert outcomes.n_errors == 2
    put(outcomes, 1, shard="retry", host="b")
    table = outcomes.table()
    assert outcomes.n_errors == 1 and list(table.narratives) == [1, 2] and table.errors[0] == 0
    assert outcomes.name_of("shard", table.columns["shard"][0]) == "1-of-2"
    assert outcomes.name_of("host", table.columns["host"][0]) == "b"


def test_what_is_set_aside_is_gone_from_all_columns() -> None:
    """A table without a range of one column has the other rows, whole."""
    outcomes = Outcomes({"Sex": ["M", "F", "M"]})
    for narrative in (1, 2, 3):
        put(outcomes, narrative)
    table = outcomes.table()
    left = table.without(table.characters, 150, 250)
    assert list(left.narratives) == [1, 3] and all(len(column) == 2 for column in left.columns.values())


def test_messages_differ_in_more_than_numbers() -> None:
    """Seconds, tokens and counts make no other kind of an error; an HTTP status does."""

    def of(message: str) -> ErrorKind:
        return kind_of(ErrorKind("api_error", message))

    assert of("no answer within 300 s") == of("no answer within 12.5 s")
    assert of("a context of 4,096 tokens") == of("a context of 512 tokens")
    assert of("HTTP 500") != of("HTTP 503")


def test_a_result_without_an_error_has_no_kind() -> None:
    """A category makes an error, with a message or without one."""
    assert ErrorKind.of(None, None) is None
    assert ErrorKind.of("timeout", None) == ErrorKind("timeout", "")
