"""What stands in an HTML page, as its tests look at it."""

from html.parser import HTMLParser

VOID = {"meta", "img", "link", "br", "input"}


class Elements(HTMLParser):
    """All elements of a page as (name, attributes), its texts, and the names of what is left open at its end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, *names: str) -> list[tuple[str, dict[str, str | None]]]:
        """The elements of these names."""
        return [(name, attributes) for name, attributes in self.found if name in names]
