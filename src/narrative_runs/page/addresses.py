"""The addresses of the page's rooms, as its links name them."""

from urllib.parse import quote, urlencode


def address_of(room: str, which: str = "", *further: str, **filters: str | list[str]) -> str:
    """The address of a room.

    room: `now`, `findings`, `history`, `narratives` or `acts`, or `experiment` for the state of one experiment;
    which: the experiment's slug or id, where the room is one of an experiment; further: the rest of the path, such as
    an incident and a narrative type; filters: the query, empty ones left out.
    """
    match room, which:
        case "now", _:
            path = "/"
        case "history", _:
            path = "/history"
        case _, "":
            path = f"/{quote(room, safe='')}"
        case "experiment", _:
            path = f"/experiments/{quote(which, safe='')}"
        case _:
            path = f"/experiments/{quote(which, safe='')}/{quote(room, safe='')}"
    path += "".join(f"/{quote(part, safe='')}" for part in further)
    query = urlencode({name: value for name, value in filters.items() if value}, doseq=True)
    return f"{path}?{query}" if query else path
