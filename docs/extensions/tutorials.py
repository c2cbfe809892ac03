"""How the tutorials run: in a clean kernel, and anew whenever the code that they run has changed.

Their outputs are made when the pages are built. jupyter-cache keeps them by what their cells say;
that the library has changed, it can't know. So what is kept lies in a folder named after the code.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = [ROOT / name for name in ("ls_base", "ls_keras", "engine", "plugins", "constraints.txt")]
CODE.append(Path(__file__))  # contains the code that each kernel runs
# Output of C++ (TensorFlow's messages) goes to the terminal of the build. What Python writes to
# stderr appears in the page and fails the build. tqdm (of keras-hub) warns about missing widgets.
KERNEL = """\
c.IPKernelApp.capture_fd_output = False
c.IPKernelApp.exec_lines = [
    "__import__('warnings').filterwarnings('ignore', 'IProgress not found')"
]
c.Application.log_level = 40
"""


# Python's part of the same, which TensorFlow writes to standard output in a notebook.
NOISE = re.compile(r"WARNING:|^[IWE]\d{4} ", re.MULTILINE)


def digest(paths: Iterable[Path]) -> str:
    """Returns what files, and the Python files below folders, are known by.

    Args:
        paths: Files and folders.
    """
    known = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            content = file.read_bytes()
            known.update(f"{file.relative_to(path.parent).as_posix()} {len(content)}\n".encode())
            known.update(content)
    return known.hexdigest()[:16]


def outputs_folder(build: Path, code: str) -> Path:
    """Returns where outputs are kept for this state of the code; those for others are removed.

    Args:
        build: Where the pages are built.
        code: Its digest.
    """
    kept = build / "tutorials"
    for other in kept.glob("*"):
        if other.name != code:
            shutil.rmtree(other)
    return kept / code


def _prepare(app, config) -> None:
    build = Path(app.outdir).resolve().parent
    profile = build / "ipython" / "profile_default"  # and none of a person's own
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL)
    os.environ["IPYTHONDIR"] = str(profile.parent)
    config.nb_execution_cache_path = str(outputs_folder(build, digest(CODE)))


def _check(app, doctree) -> None:
    from sphinx.util import logging

    if app.env.docname.startswith("tutorials/") and (found := NOISE.search(doctree.astext())):
        logging.getLogger(__name__).warning(
            "Expected outputs without noise. Received: %r", found[0], location=app.env.docname
        )


def setup(app):
    """Connects the preparation to Sphinx, before myst-nb reads where to keep outputs."""
    app.connect("doctree-read", _check)
    app.connect("config-inited", _prepare, priority=100)
    return {"parallel_read_safe": True}
