"""What a browser would make of a page: its tags with their attributes, its links, its JSON-LD."""

from html.parser import HTMLParser
from typing import Any

Shape = list[tuple[str, tuple[str, ...]]]


class Read(HTMLParser):
    """`shape` is every opening tag with the names of its attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: Shape = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self.pieces: list[str] = []
        self._inside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag in ("script", "title", "h1", "h2", "h3"):
            self._inside.append(tag)
            if tag == "script":
                self.scripts.append("")
            elif tag != "title":
                self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "script":
            self.scripts[-1] += data
        else:
            self.text += data
            self.pieces.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [value for each, attribute, value in self.attributes if (each, attribute) == (tag, name)]


def read(page: Any) -> Read:
    return Read(page if isinstance(page, str) else page.decode())
