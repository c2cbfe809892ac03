"""Who imports whom, read from the sources: every import, wherever in a file it stands."""

import ast
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

Graph = dict[str, set[str]]


def modules_below(roots: Mapping[str, Path]) -> dict[str, Path]:
    """Returns every module's file by its dotted name.

    Args:
        roots: The folder of each import package.
    """
    found = {}
    for package, folder in roots.items():
        for file in sorted(folder.rglob("*.py")):
            parts = (package, *file.relative_to(folder).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def import_graph(modules: Mapping[str, Path]) -> Graph:
    """Returns the modules that each module imports.

    Imports under `TYPE_CHECKING` and inside functions count. `from package import name` is an
    import of the module that defines the name, whichever packages hand it on.

    Args:
        modules: Files by dotted name.
    """
    imports = {name: _imports(file) for name, file in modules.items()}
    packages = {name for name, file in modules.items() if file.name == "__init__.py"}
    handed_on: dict[str, dict[str, tuple[str, str]]] = {}
    for name in modules:
        handed_on[name] = {
            alias.asname or alias.name: (module, alias.name)
            for module, alias in _from_imports(imports[name], name, name in packages)
        }

    def definer(module: str, name: str) -> str:
        """Follows a name from package to package to the module that defines it."""
        seen = set()
        while (module, name) not in seen:
            seen.add((module, name))
            if f"{module}.{name}" in modules:
                return f"{module}.{name}"
            if module not in packages or name not in handed_on[module]:
                break
            module, name = handed_on[module][name]
        return module

    graph: Graph = {}
    for name, nodes in imports.items():
        found = {
            definer(module, alias.name)
            for module, alias in _from_imports(nodes, name, name in packages)
        }
        for node in nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = {module for module in found if module in modules} - {name}
    return graph


def foreign_imports(file: Path) -> set[str]:
    """Returns the top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def private_names(file: Path) -> set[str]:
    """Returns the private names of others that a file reads.

    Those are `keras.src` and what is below it, imported or not; imported names that begin with an
    underscore; and attributes that do, unless the file itself defines them, of whatever object.
    """
    tree = ast.parse(file.read_text())
    own, found = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.id if isinstance(node, ast.Name) else node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found |= {node.attr} if _is_private(node.attr) and node.attr not in own else set()
            found |= {"keras.src"} if ast.unparse(node) == "keras.src" else set()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            for alias in node.names:
                name = f"{module}.{alias.name}" if module else alias.name
                if name.startswith("keras.src") or any(map(_is_private, name.split("."))):
                    found.add(name)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            name = getattr(node.args[1], "value", None)
            found |= {name} if isinstance(name, str) and _is_private(name) else set()
    return found


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Returns the import cycles: groups of modules that import one another, directly or not."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


@functools.cache
def _imports(file: Path) -> list[ast.Import | ast.ImportFrom]:
    """Returns the imports of a file, wherever in it they stand."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _from_imports(nodes: Iterable[ast.AST], name: str, is_package: bool):
    """Yields `(module, alias)` of every `from module import alias`, relative ones resolved."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = name.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                module = ".".join([*parents, *([module] if module else [])])
            for alias in node.names:
                yield module, alias
