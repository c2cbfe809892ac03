"""Writes a report: one self-contained HTML page about runs and studies."""

import base64
import dataclasses
import getpass
import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ls_base import __version__
from ls_base.errors import FileError
from ls_base.files import write_bytes
from lsk_engine.reports.charts import SIZE
from lsk_engine.reports.run_collections import Collection, collect, find_inputs
from lsk_engine.reports.sections import build_sections, missing_results

FILE = "report.html"
_HERE = Path(__file__).parent
_PATH = re.compile(
    r"""(?P<quote>['"])(?:file://)?(?:~|/|[A-Za-z]:\\)[^'"]+(?P=quote)  # quoted, spaces included
    |(?<![\w./<~])(?:file://)?(?:~[\w.-]*/|/(?!/)|[A-Za-z]:\\)[\w.~-][^\s'"<>,;)]*""",
    re.VERBOSE,
)


@dataclasses.dataclass(frozen=True)
class ReportResult:
    """The result of `write_report`.

    Attributes:
        file: The page.
        runs: The number of runs on the page.
        problems: A line for each file that could not be read.
    """

    file: Path
    runs: int
    problems: tuple[str, ...]


def write_report(
    folders: Sequence[Path], out: Path | None = None, *, anonymous: bool = False
) -> ReportResult:
    """Writes a page about runs and studies, without changing their files.

    The page shows the results that exist. A damaged file becomes one line on the page, and the rest
    is still shown. The same files give the same bytes.

    Args:
        folders: Runs, studies, or folders that contain them.
        out: The file to write; `None`: `report.html` in the folder if there is one only, otherwise
            in the current folder.
        anonymous: Whether to replace absolute paths by `…` and the user name by `user`.

    Raises:
        InputError: If a folder does not exist, or contains no run or study.
        FileError: If none of the files can be read, or the page cannot be written.
    """
    collections = collect(find_inputs(folders))
    problems = [problem for one in collections for problem in one.problems]
    if not any(one.readable or one.study or one.points or one.unfinished for one in collections):
        raise FileError(problems[0])
    if out is None:
        out = (folders[0] if len(folders) == 1 else Path()) / FILE
    text = _render(", ".join(folder.resolve().name for folder in folders), collections, anonymous)
    # A folder's name may not be valid Unicode.
    write_bytes(out, text.encode("utf-8", "backslashreplace"))
    return ReportResult(out, sum(len(one.runs) for one in collections), tuple(problems))


def _render(title: str, collections: Sequence[Collection], anonymous: bool) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_anonymize if anonymous else None,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["by_kind"] = _by_kind
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
        sections=build_sections(collections),
        notes=_notes(collections),
        problems=[problem for one in collections for problem in one.problems],
        missing=missing_results(runs),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(f"\n{style}"),
        script_hash=_hash(f"\n{script}"),
    )


def _anonymize(value: Any) -> Any:
    """Returns a text of the page without absolute paths and the user's name.

    A path could name a user or a project by any of its folders, so nothing of it is kept.
    """
    if type(value) is not str:  # a number, or a part of the page's own code
        return value
    user = getpass.getuser()
    if user != "root":
        value = re.sub(rf"(?<![A-Za-z]){re.escape(user)}(?![A-Za-z])", "user", value)
    return "…" if _is_path(value) else _PATH.sub("…", value)


def _is_path(text: str) -> bool:
    """Returns whether a whole text is one absolute path, which may contain spaces."""
    return bool(_PATH.fullmatch(f"'{text}'"))


def _notes(collections: Sequence[Collection]) -> list[str]:
    """Returns the notes about scores and their signatures, each once."""
    notes: dict[str, None] = {}
    for one in collections:
        notes |= dict.fromkeys(one.study.notes if one.study is not None else ())
        for run in one.runs:
            if run.metrics is not None:
                labels, signatures = run.metrics.labels, run.metrics.signatures
                how = (f"{labels.get(name, name)}: {text}" for name, text in signatures.items())
                notes |= dict.fromkeys((*run.metrics.notes, *how))
    return list(notes)


def _by_kind(blocks: Sequence[Any]) -> list[list[Any]]:
    """Returns lists of consecutive blocks of one kind, as charts stand side by side."""
    return [list(of_kind) for _, of_kind in itertools.groupby(blocks, lambda block: block.kind)]


def _hash(content: str) -> str:
    """Returns the hash in the page's security policy that allows an inline style or script."""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
