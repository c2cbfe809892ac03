"""The page: what was read, put into one self-contained HTML file."""

import base64
import dataclasses
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ls_base import __version__
from ls_base.errors import FileError
from ls_base.files import write_bytes
from lsk_engine.reports.charts import SIZE
from lsk_engine.reports.discover import find
from lsk_engine.reports.missing_results import missing
from lsk_engine.reports.run_collections import Collection, collect
from lsk_engine.reports.sections import sections_of

FILE = "report.html"
_HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Written:
    """What `write_report` has written.

    Attributes:
        file: The page.
        runs: How many runs it tells of.
        problems: A line for each file that could not be read.
    """

    file: Path
    runs: int
    problems: tuple[str, ...]


def write_report(folders: Sequence[Path], out: Path | None = None) -> Written:
    """Writes a page about runs and studies; their files are read only.

    What a run has is shown, what it hasn't is left out. A file that is damaged is told in one line
    on the page, and the rest stands. The same files give the same bytes.

    Args:
        folders: Runs, studies, or folders of them.
        out: The file to write; `None`: `report.html` in the only folder given, else in the current
            one.

    Raises:
        InputError: If a folder is none, or holds nothing to report of.
        FileError: If nothing in them can be read, or the page can't be written.
    """
    collections = collect(find(folders))
    problems = [problem for one in collections for problem in one.problems]
    told = any(one.readable or one.study or one.points or one.unfinished for one in collections)
    if not told:
        raise FileError(problems[0])
    if out is None:
        out = (folders[0] if len(folders) == 1 else Path()) / FILE
    names = [folder.resolve().name for folder in folders]
    text = render(", ".join(names), collections)
    # A folder's name need not be Unicode.
    write_bytes(out, text.encode("utf-8", "backslashreplace"))
    return Written(out, sum(len(one.runs) for one in collections), tuple(problems))


def render(title: str, collections: Sequence[Collection]) -> str:
    """Returns the page as HTML.

    Args:
        title: What it is about.
        collections: What was read.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["alike"] = _alike
    style, script = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    runs = [run for one in collections for run in one.runs]
    return environment.get_template("page.html").render(
        title=title,
        size=SIZE,
        version=__version__,
        about=[
            f"{one.title}: {one.about()}" if len(collections) > 1 else one.about()
            for one in collections
        ],
        sections=sections_of(collections),
        notes=_notes(collections),
        problems=[problem for one in collections for problem in one.problems],
        missing=missing(runs),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(f"\n{style}"),
        script_hash=_hash(f"\n{script}"),
    )


def _notes(collections: Sequence[Collection]) -> list[str]:
    """Returns what must be said with the scores, each once."""
    found: dict[str, None] = {}
    for one in collections:
        found |= dict.fromkeys(one.study.notes if one.study is not None else ())
        for run in one.runs:
            if run.metrics is not None:
                labels, signatures = run.metrics.labels, run.metrics.signatures
                how = (f"{labels.get(name, name)}: {text}" for name, text in signatures.items())
                found |= dict.fromkeys((*run.metrics.notes, *how))
    return list(found)


def _alike(blocks: Sequence[Any]) -> list[list[Any]]:
    """Returns blocks, those of a kind that follow one another together: charts side by side."""
    return [list(of_kind) for _, of_kind in itertools.groupby(blocks, lambda block: block.kind)]


def _hash(content: str) -> str:
    """Returns what a browser compares the content of an element with before it uses it."""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
