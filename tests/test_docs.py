"""The examples of README and docs run, and every public symbol has an entry in the API pages."""

import doctest
import importlib
import re
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> doctest.DocTest:
    """Returns the `>>>` examples of a page, in one namespace, with the page's line numbers."""
    text = page.read_text()
    lines = [""] * (text.count("\n") + 1)
    for block in FENCE.finditer(text):
        first = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        lines[first : first + len(code)] = code  # the fences stay blank: they end the output
    name = str(page.relative_to(ROOT))
    return doctest.DocTestParser().get_doctest("\n".join(lines), {}, name, str(page), 0)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if examples(page).examples],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(examples(page), out=report.append)
    assert not runner.failures, "".join(report)


def test_readme_and_quick_start_have_examples_that_run():
    for page in ("README.md", "docs/quick_start.md"):
        assert examples(ROOT / page).examples, page


def test_every_python_block_of_a_prompt_is_found():
    for page in PAGES:
        prompts = [line for line in page.read_text().splitlines() if line.startswith(">>> ")]
        assert len(prompts) == len(examples(page).examples), page


@pytest.fixture
def extension(monkeypatch):
    """Imports one of the Sphinx extensions of the docs; none needs Sphinx for its arithmetic."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "extensions"))
    imported = []

    def load(name: str):
        imported.append(name)
        return importlib.import_module(name)

    yield load
    for name in imported:
        sys.modules.pop(name, None)


@pytest.fixture
def public_symbols(extension):
    """The check that the Sphinx build runs."""
    return extension("public_symbols")


def entries(public_symbols) -> set[str]:
    """Returns what the `automodule` directives of the API pages document."""
    found = set()
    for page in (ROOT / "docs" / "api").glob("*.md"):
        for name in re.findall(r"^\.\. automodule:: (\S+)$", page.read_text(), re.MULTILINE):
            module = importlib.import_module(name)
            found |= {name, *(f"{name}.{n}" for n in public_symbols.public_names(module))}
    return found


def test_every_public_symbol_is_documented(public_symbols):
    assert public_symbols.undocumented(entries(public_symbols)) == []


@pytest.mark.parametrize(
    "symbol", ["ls_keras.losses.SmoothedCE", "ls_keras.layers", "ls_base.errors.InputError"]
)
def test_a_missing_entry_is_reported(public_symbols, symbol):
    assert symbol in public_symbols.undocumented(entries(public_symbols) - {symbol})


def test_every_api_page_and_every_guide_is_in_a_table_of_contents():
    for folder in ("docs", "docs/api"):
        index = (ROOT / folder / "index.md").read_text()
        listed = {
            line.strip()
            for block in re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)
            for line in block.splitlines()
        }
        pages = {page.stem for page in (ROOT / folder).glob("*.md")} - {"index"}
        assert pages <= listed, folder


def test_the_command_line_page_has_every_command(extension, monkeypatch):
    from lsk.main import cli

    page = extension("cli_reference").reference(cli, "lsk")
    headings = re.findall(r"^## `(.*)`$", page, re.MULTILINE)
    names = ("calibrate", "evaluate", "reliability", "show", "tasks", "train", "translate")
    assert headings[0] == "lsk"
    assert {f"lsk {name}" for name in names} <= set(headings)
    assert "Usage: lsk translate [OPTIONS] RUN [FILE]" in page
    assert "--alpha FLOAT" in page


def test_a_command_that_does_not_load_fails_the_build(extension):
    @click.group
    def program():
        pass

    @program.command(short_help="(broken plugin)")
    def broken():
        pass

    with pytest.raises(ValueError, match="Received: broken"):
        extension("cli_reference").reference(program, "lsk")


@pytest.mark.parametrize(
    ("markdown", "restructured"),
    [
        ("Σ |a − b|, not `a|b`", r"Σ \|a − b\|, not `a|b`"),
        ("See [A\nB, 2016](https://x.org/1).", "See `A B, 2016 <https://x.org/1>`__."),
        ("```python\n>>> 1\n1\n```", "\n.. code-block:: python\n\n    >>> 1\n    1\n"),
        ("Example:\n>>> 1\n1", ".. rubric:: Example\n\n>>> 1\n1"),
        ("Example:\n    >>> 1\n    1", "Example:\n    >>> 1\n    1"),
        ("A sum.\n\n    s = |x|\n\nMore |y|.", "A sum.\n\n::\n\n    s = |x|\n\nMore \\|y\\|."),
        ("Args:\n    x: Of |x|.\n\n        More.", "Args:\n    x: Of \\|x\\|.\n\n        More."),
    ],
    ids=["bars", "link", "fence", "example", "indented example", "formula", "argument"],
)
def test_docstrings_become_restructured_text(extension, markdown, restructured):
    convert = extension("markdown_docstrings").convert
    assert "\n".join(convert(markdown.split("\n"))) == restructured
