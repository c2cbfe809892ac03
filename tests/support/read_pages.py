"""HTML as tests look at it: its elements, what they say, and whether all is closed."""

import html.parser

VOID = {"meta", "link", "img"}
SHAPES = {"path", "circle", "rect"}  # of SVG, which close themselves


class Page(html.parser.HTMLParser):
    """A page, read once.

    Attributes:
        elements: Name and attributes of each.
        texts: What stands in elements, in order; scripts and styles left out.
        wrong: Ends without a beginning, and the other way round.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.wrong, self._open = [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in SHAPES:
            self.wrong.append(tag)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.wrong.append(tag)

    def handle_data(self, data):
        if data.strip() and self._open[-1:] not in (["script"], ["style"]):
            self.texts.append(" ".join(data.split()))

    def all(self, name):
        """Returns the attributes of each element of a name."""
        return [attributes for tag, attributes in self.elements if tag == name]
