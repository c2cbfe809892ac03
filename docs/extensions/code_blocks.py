"""Blocks of code without the blank line that ends an example in Markdown."""

from collections.abc import Iterable
from typing import Any


def trim(blocks: Iterable[Any]) -> None:
    """Strips the end of what is shown as code; `>>>` examples need a blank line before the fence.

    Args:
        blocks: Nodes of docutils: lists of text, with `rawsource` and `astext`.
    """
    for block in blocks:
        text = block.astext()
        if block.rawsource == text:  # else it is no plain text
            block.rawsource = text.rstrip()
            block[:] = [type(block[0])(text.rstrip())]


def _trim(app, doctree) -> None:
    from docutils import nodes

    trim([block for block in doctree.findall(nodes.literal_block) if len(block)])


def setup(app):
    """Connects it to Sphinx."""
    app.connect("doctree-read", _trim)
    return {"parallel_read_safe": True}
