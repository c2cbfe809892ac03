"""Every public symbol has an entry in the API pages, or the build fails.

Public are the names in the `__all__` of `ls_keras` and of each of its subpackages, and the modules
of `ls_keras` itself.
"""

import importlib
import pkgutil
from collections.abc import Collection, Iterator
from types import ModuleType

PACKAGE = "ls_keras"
INDEX = "api/index"


def modules() -> list[str]:
    """Returns the dotted names of the subpackages and modules right below the package."""
    package = importlib.import_module(PACKAGE)
    return [f"{PACKAGE}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]


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
        entries = [f"{name}.{n}" for n in public_names(module) if _has_entry(getattr(module, n))]
        missing += [entry for entry in entries if entry not in documented]
        if name not in documented:
            missing.append(name)
    missing += [short for short, entry in top_level() if entry not in documented]
    return list(dict.fromkeys(missing))


def top_level() -> Iterator[tuple[str, str]]:
    """Yields `(ls_keras.X, where X has its entry)` for each exported name."""
    package = importlib.import_module(PACKAGE)
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, ModuleType):
            yield f"{PACKAGE}.{name}", value.__name__
            continue
        homes = (f"{PACKAGE}.{part}" for part in value.__module__.split(".")[1:2])
        yield f"{PACKAGE}.{name}", f"{next(homes)}.{name}"


def table() -> str:
    """Returns the exported names in Markdown, each with a link to its entry and its summary."""
    rows = ["| name | what it is |", "|---|---|"]
    package = importlib.import_module(PACKAGE)
    for short, entry in top_level():
        value = getattr(package, short.rpartition(".")[2])
        role = "mod" if isinstance(value, ModuleType) else "obj"
        summary = (value.__doc__ or "").strip().partition("\n")[0].replace("|", r"\|")
        rows.append(f"| {{py:{role}}}`{short} <{entry}>` | {summary} |")
    return "\n".join(rows) + "\n"


def _has_entry(value: object) -> bool:
    # Constants and type aliases have no docstring that autodoc could show.
    return isinstance(value, type) or callable(value)


def _append(app, docname: str, source: list[str]) -> None:
    if docname == INDEX:
        source[0] = source[0].replace("<!-- exported names -->", table())


def _check(app, env) -> None:
    from sphinx.util import logging

    domain = env.domains["py"]
    for name in undocumented({*domain.objects, *domain.modules}):
        logging.getLogger(__name__).warning("Expected an entry for %s in docs/api", name)


def setup(app):
    """Connects table and check to Sphinx."""
    app.connect("source-read", _append)
    app.connect("env-check-consistency", _check)
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: [INDEX])
    return {"parallel_read_safe": True}
