"""Examples in README and docs run, and the names and files that pages mention exist."""

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path

import click
import pytest

from dotted_names import is_there
from floors import FLOORS
from ls_keras.inputs.registry import LOSSES, METRICS
from lsk_engine.tasks.registry import COMMAND_GROUP, TASK_GROUP

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r"\{py:\w+\}`(?:[^`<]*<)?~?([\w.]+)>?`")
DOTTED = re.compile(r"`((?:ls_base|ls_keras|lsk_engine|lsk)(?:\.\w+)+)(?:\(.*?\))?`")
GROUPS = {TASK_GROUP, COMMAND_GROUP}  # of entry points, named like modules
FOLDERS = "benchmarks|cli|docs|engine|examples|ls_base|ls_keras|plugins|tests"
FILE = re.compile(rf"[`(]((?:{FOLDERS})/(?!_build)[a-z\d_/.]*)[`)]")  # not what is made of them


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


def test_the_table_of_names_has_all_that_are_found_by_name():
    page = (ROOT / "docs" / "beyond_uniform_smoothing.md").read_text()
    rows = re.findall(r'^\| `"(\w+)"` \| `(\w+)`.*\| `([\w.]+)` \|$', page, re.MULTILINE)
    expected = [
        (name, entry.__name__, f"ls_keras.{package}.get")
        for package, registry in (("losses", LOSSES), ("metrics", METRICS))
        for name, entry in registry.entries.items()
    ]
    assert sorted(rows) == sorted(expected)


def test_every_page_can_be_reached_from_the_first():
    def pages_from(index: Path) -> set[Path]:
        found = {index}
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text(), re.DOTALL):
            for name in re.findall(r"^[\w/]+$", block, re.MULTILINE):
                found |= pages_from(index.parent / f"{name}.md")
        return found

    assert pages_from(ROOT / "docs" / "index.md") == set(PAGES) - {ROOT / "README.md"}


def by_page(pattern: re.Pattern) -> list[tuple[str, str]]:
    """Returns `(page, what the pattern's first group found)`, guides for contributors included."""
    pages = [*PAGES, ROOT / "CONTRIBUTING.md"]
    return [
        (str(page.relative_to(ROOT)), found[1])
        for page in pages
        for found in pattern.finditer(page.read_text())
    ]


def test_every_name_in_a_page_is_that_of_something():
    named = {*by_page(ROLE), *by_page(DOTTED)}
    assert {"lsk_engine.tasks.contract.Task", "ls_keras.SmoothedCE"} <= {name for _, name in named}
    assert [(p, n) for p, n in sorted(named) if n not in GROUPS and not is_there(n)] == []
    assert not is_there("ls_keras.experiment")
    assert not is_there("ls_keras.losses.Smoothed")


def test_every_file_that_a_page_names_is_there():
    named = by_page(FILE)
    assert ("CONTRIBUTING.md", "ls_keras/losses/smoothed_ce.py") in named
    # Of links too, which are relative to the page.
    assert [
        (page, file)
        for page, file in named
        if not ((ROOT / file).exists() or (ROOT / page).parent.joinpath(file).exists())
    ] == []


def test_the_architecture_page_lists_the_packages_from_the_bottom_up():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for floor in FLOORS:
        (row,) = re.findall(rf"^\| `{floor.folder}/` \|.*$", page, re.MULTILINE)
        assert re.findall(r"`(\w+)`", row.split("|")[3]) == [room.name for room in floor.rooms]


def test_the_command_line_page_has_every_command(extension, monkeypatch):
    from lsk.main import cli

    page = extension("cli_reference").reference(cli, "lsk")
    headings = re.findall(r"^## `(.*)`$", page, re.MULTILINE)
    names = ("calibrate", "evaluate", "reliability", "show", "tasks", "train", "translate")
    assert headings[0] == "lsk"
    assert {f"lsk {name}" for name in names} <= set(headings)
    assert "Usage: lsk translate [OPTIONS] RUN [FILE]" in page
    assert "--alpha FLOAT" in page
    assert not re.search(r"\w-$", page, re.MULTILINE)  # names are whole, as in the help


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
        (
            "Returns:\n    A row: `x`, y.\n    More: two.",
            "Returns:\n    : A row: `x`, y.\n    More: two.",
        ),
        ("Args:\n    x: Of |x|.\n\n        More.", "Args:\n    x: Of \\|x\\|.\n\n        More."),
        # A letter and a point would begin a list.
        ("Args:\n    n (int): K. More.", "Args:\n    n (int): \\K. More."),
        ("Args:\n    n: K.\n    m: Kinds.", "Args:\n    n: \\K.\n    m: Kinds."),
    ],
    ids=[
        "bars",
        "link",
        "fence",
        "example",
        "indented-example",
        "formula",
        "returned",
        "argument",
        "letter-and-more",
        "letter",
    ],
)
def test_docstrings_become_restructured_text(extension, markdown, restructured):
    convert = extension("markdown_docstrings").convert
    assert "\n".join(convert(markdown.split("\n"))) == restructured


def test_what_a_property_is_has_no_type_before_a_colon(extension):
    process = extension("markdown_docstrings")._process
    described, function = ["Tensor `(D, K)`: the kernel."], ["Adds: all."]
    process(None, "property", "x.kernel", None, None, described)
    process(None, "function", "x.add", None, None, function)
    assert described == [": Tensor `(D, K)`: the kernel."]
    assert function == ["Adds: all."]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"a = b, \qquad c = d", ["a = b,", "c = d"]),
        (r"\frac{a \qquad b}{c} \qquad d", [r"\frac{a \qquad b}{c}", "d"]),
        (r"\begin{cases} a \qquad b \end{cases}", [r"\begin{cases} a \qquad b \end{cases}"]),
        ("x", ["x"]),
    ],
)
def test_formulas_beside_one_another_are_parted(extension, formula, expected):
    assert extension("mathml").parts(formula) == expected


TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [p for p in TUTORIALS if p.stem != "index"], ids=lambda p: p.stem)
def test_a_tutorial_can_be_downloaded_and_uses_what_is_there(page):
    """They run when the pages are built; here, a name that is gone is noticed sooner."""
    text = page.read_text()
    assert f"{{nb-download}}`{page.stem}.ipynb`" in text
    assert "## Summary" in text
    assert "Next steps: " in text.partition("## Summary")[2]
    cells = [re.sub(r"^%.*$", "", cell, flags=re.MULTILINE) for cell in CELL.findall(text)]
    assert len(cells) > 4
    named = set()
    for node in ast.walk(ast.parse("\n".join(cells))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(("ls_", "lsk_")):
            named |= {f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named |= {f"ls_keras.{node.attr}"} if node.value.id == "ls_keras" else set()
    assert named
    assert [name for name in sorted(named) if not is_there(name)] == []


def test_the_tutorials_are_on_their_page_and_linked_on_the_start_page():
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text()
    start = (ROOT / "docs" / "index.md").read_text()
    names = re.findall(r"^\| \[.*\]\((\w+)\.md\)", index, re.MULTILINE)
    assert sorted(names) == [page.stem for page in TUTORIALS if page.stem != "index"]
    assert "(tutorials/index.md)" in start


def test_outputs_of_tutorials_are_kept_while_the_code_stays_the_same(extension, tmp_path):
    tutorials = extension("tutorials")
    code, pins = tmp_path / "code", tmp_path / "pins.txt"
    (code / "inner").mkdir(parents=True)
    (code / "inner" / "a.py").write_text("1\n")
    pins.write_text("x==1\n")
    before = tutorials.digest([code, pins])
    (code / "notes.md").write_text("not run\n")
    assert tutorials.digest([code, pins]) == before
    for file, text in ((code / "inner" / "a.py", "2\n"), (pins, "x==2\n"), (code / "b.py", "")):
        old = file.read_text() if file.exists() else None
        file.write_text(text)
        assert tutorials.digest([code, pins]) != before
        file.unlink() if old is None else file.write_text(old)
    kept = tutorials.outputs_folder(tmp_path, "one")
    kept.mkdir(parents=True)
    assert tutorials.outputs_folder(tmp_path, "one").is_dir()
    assert tutorials.outputs_folder(tmp_path, "two") == tmp_path / "tutorials" / "two"
    assert not kept.exists()
