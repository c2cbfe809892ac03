"""Every public symbol has an entry in the API pages, or the build fails.

Public are the names that `ls_keras` and `lsk_engine` offer, those in the `__all__` of each
subpackage of the library, and what each module of the engine and of the ground defines.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Collection, Iterator
from types import ModuleType

GROUND, LIBRARY, ENGINE = "ls_base", "ls_keras", "lsk_engine"
INTERNAL = {"ls_keras.backend", "ls_keras.inputs"}
# The page of each that lists what it offers.
INDEXES = {LIBRARY: "api/library/index", ENGINE: "api/engine/index"}


def modules() -> list[str]:
    """Returns the dotted names of what has an entry as a module.

    The library documents the names that its public subpackages offer, not its modules.
    """
    ground = pkgutil.iter_modules(importlib.import_module(GROUND).__path__, f"{GROUND}.")
    library = pkgutil.iter_modules(importlib.import_module(LIBRARY).__path__, f"{LIBRARY}.")
    engine = pkgutil.walk_packages(importlib.import_module(ENGINE).__path__, f"{ENGINE}.")
    packages = (m for m in library if m.ispkg and m.name not in INTERNAL)
    return [module.name for module in (*ground, *packages, *engine)]


def public_names(module: ModuleType) -> list[str]:
    """Returns a module's `__all__` or, without one, the public classes and functions it defines."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return list(names)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def undocumented(documented: Collection[str]) -> list[str]:
    """Returns the public symbols that have no entry.

    Args:
        documented: The dotted names that have one.
    """
    missing = []
    for name in modules():
        module = importlib.import_module(name)
        entries = [f"{name}.{n}" for n in public_names(module) if has_entry(getattr(module, n))]
        missing += [entry for entry in (name, *entries) if entry not in documented]
    for package in INDEXES:
        missing += [short for short, entry in offered(package) if entry not in documented]
    return list(dict.fromkeys(missing))


def offered(package: str) -> Iterator[tuple[str, str]]:
    """Yields `(PACKAGE.X, where X has its entry)` for each name that a package imports to offer it.

    Those are the names in its `import` statements; modules of its own that are attributes only
    because somebody imported them are not among them.

    Args:
        package: `ls_keras` or `lsk_engine`.
    """
    module, known = importlib.import_module(package), modules()
    for node in ast.parse(inspect.getsource(module)).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            name = alias.asname or alias.name
            if name.startswith("_") or f"{package}.{name}" in INTERNAL:
                continue
            # Where it is defined or, where that is a module of the library's, its subpackage.
            defined = getattr(getattr(module, name), "__module__", None)
            home = defined if defined in known else node.module
            yield f"{package}.{name}", f"{home}.{alias.name}"


def table(package: str) -> str:
    """Returns what a package offers in Markdown, each with a link to its entry and its summary."""
    rows = ["| name | what it is |", "|---|---|"]
    for short, entry in offered(package):
        rows.append(summary_row(short.rpartition(".")[2], entry))
    return "\n".join(rows) + "\n"


def summary_row(name: str, entry: str) -> str:
    """Returns a row of a table in Markdown: a name that leads to its entry, and what it is.

    Args:
        name: What is shown.
        entry: The dotted name of the entry.
    """
    # With the colon: else the module of that name, where there is one.
    value = pkgutil.resolve_name(":".join(entry.rsplit(".", 1)))
    role = "mod" if isinstance(value, ModuleType) else "obj"
    return f"| {{py:{role}}}`{name} <{entry}>` | {_summary(value)} |"


def _summary(value: object) -> str:
    if not (isinstance(value, ModuleType) or has_entry(value)):
        return f"`{value}`".replace("collections.abc.", "").replace("|", r"\|")
    return (value.__doc__ or "").strip().partition("\n")[0].replace("|", r"\|")


def has_entry(value: object) -> bool:
    """Returns whether autodoc shows what a value is; else `automodule` passes over it."""
    # Constants and type aliases have no docstring that autodoc could show.
    return inspect.isclass(value) or inspect.isroutine(value)


def _append(app, docname: str, source: list[str]) -> None:
    for package, page in INDEXES.items():
        if docname == page:
            source[0] = source[0].replace(f"<!-- names of {package} -->", table(package))


def _check(app, env) -> None:
    from sphinx.util import logging

    domain = env.domains["py"]
    for name in undocumented({*domain.objects, *domain.modules}):
        logging.getLogger(__name__).warning("Expected an entry for %s in docs/api", name)


def setup(app):
    """Connects tables and check to Sphinx."""
    app.connect("source-read", _append)
    app.connect("env-check-consistency", _check)
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: [*INDEXES.values()])
    return {"parallel_read_safe": True}
