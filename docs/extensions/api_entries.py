"""The entries of the library's pages: by importance rather than by name, summed up at the top.

A page lists its names in blocks, an entry each, in this order:

    ```{entries} ls_keras.losses
    SmoothedCE
    smooth_labels
    ```

`*` stands for the names of `__all__` that no block of the page lists, and `:option:` lines go to
the classes of their block. Where `<!-- summaries -->` is, comes a table of all of them.
"""

import importlib
import re

from public_symbols import has_entry, public_names, summary_row

SUMMARIES = "<!-- summaries -->"
BLOCK = re.compile(r"^```\{entries\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REST = "*"


def expand(text: str) -> str:
    """Returns a page with a table in place of its placeholder, and directives in place of blocks.

    Args:
        text: The page in Markdown.

    Raises:
        ValueError: If a block lists what its package doesn't offer, or a name is listed twice.
    """
    blocks = {block[0]: _entries(block, text) for block in BLOCK.finditer(text)}
    rows = ["| name | what it is |", "|---|---|"]
    for block, entries in blocks.items():
        rows += [summary_row(name, f"{package}.{name}") for package, name in entries]
        options = re.findall(r"^:.*$", block, re.MULTILINE)
        directives = [_directive(*entry, options) for entry in entries]
        text = text.replace(block, "```{eval-rst}\n" + "\n\n".join(directives) + "\n```")
    return text.replace(SUMMARIES, "\n".join(rows) + "\n")


def listed(text: str) -> list[str]:
    """Returns the dotted names of what a page's blocks list."""
    blocks = BLOCK.finditer(text)
    return [f"{package}.{name}" for block in blocks for package, name in _entries(block, text)]


def _entries(block: re.Match, text: str) -> list[tuple[str, str]]:
    package = block[1]
    offered = public_names(importlib.import_module(package))
    everywhere = [name for one in BLOCK.finditer(text) if one[1] == package for name in _names(one)]
    wrong = {name for name in everywhere if name not in offered or everywhere.count(name) > 1}
    if wrong - {REST}:
        raise ValueError(
            f"Expected each name of {package} at most once. Received: {', '.join(sorted(wrong))}"
        )
    rest = [name for name in offered if name not in everywhere]
    names = _names(block)
    return [(package, one) for name in names for one in (rest if name == REST else [name])]


def _names(block: re.Match) -> list[str]:
    return [line for line in block[2].splitlines() if not line.startswith(":")]


def _directive(package: str, name: str, options: list[str]) -> str:
    value = getattr(importlib.import_module(package), name)
    kind = "class" if isinstance(value, type) else "function" if has_entry(value) else "data"
    return "\n   ".join(
        [f".. auto{kind}:: {package}.{name}", *(options if kind == "class" else ())]
    )


def _insert(app, docname: str, source: list[str]) -> None:
    if "{entries}" in source[0]:
        source[0] = expand(source[0])


def setup(app):
    """Connects the pages to Sphinx."""
    app.connect("source-read", _insert)
    return {"parallel_read_safe": True}
