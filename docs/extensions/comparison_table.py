"""The tables of `docs/comparison.md`, from `docs/comparison.toml`; run to write them there."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
PAGE, DATA = DOCS / "comparison.md", DOCS / "comparison.toml"
BEGIN, END = "<!-- tables of comparison.toml -->", "<!-- end -->"


def read() -> tuple[dict[str, Any], dict[str, dict[str, dict[str, list[str]]]]]:
    """Returns the libraries by import name, and the rows by section and feature."""
    data = tomllib.loads(DATA.read_text())
    return data.pop("libraries"), data


def symbol(cell: str) -> str | None:
    """Returns the dotted name in a cell, or `None` where it has words."""
    return None if cell.startswith("=") else cell.partition(" | ")[0]


def tables() -> str:
    """Returns the tables as Markdown, one a section."""
    libraries, sections = read()
    titles = [
        found["title"] + (f" {found['version']}" if "version" in found else "")
        for found in libraries.values()
    ]
    lines: list[str] = []
    for section, rows in sections.items():
        lines += [f"## {section}", "", ":::{container} breaking dense", ""]
        lines += [_row("", *titles), "|---" * (len(titles) + 1) + "|"]
        lines += [
            _row(feature, *(_shown(cells.get(name, ())) for name in libraries))
            for feature, cells in rows.items()
        ]
        lines += ["", ":::", ""]
    return "\n".join(lines)


def page_with(text: str, made: str) -> str:
    """Returns a page whose tables are these."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{made}\n{END}{rest.partition(END)[2]}"


def unknown(cells: Mapping[str, list[str]], libraries: Mapping[str, Any]) -> set[str]:
    """Returns the keys of a row that are no library."""
    return set(cells) - set(libraries)


def _shown(cells) -> str:
    return ", ".join(_cell(cell) for cell in cells) or "–"


def _cell(cell: str) -> str:
    name = symbol(cell)
    if name is None:
        return cell.removeprefix("= ")
    remark = cell.partition(" | ")[2]
    short = "lsk" if name == "lsk.main.cli" else name.rpartition(".")[2]
    return f"`{short}`" + (f" ({remark})" if remark else "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(), tables()))
