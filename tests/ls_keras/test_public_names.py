"""The public names: imported, listed in `__all__`, sorted, documented, and nothing else."""

import ast
import importlib
import inspect
import types

import pytest

import ls_keras
from offered import INTERNAL, OFFERED, PAIRS

VERSION = {"ls_keras": ["__version__"]}


def imported(package: types.ModuleType) -> set[str]:
    """Returns the names that a package's `__init__` imports, those with two underscores apart."""
    return {
        alias.asname or alias.name
        for node in ast.parse(inspect.getsource(package)).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if not alias.name.startswith("__") and f"ls_keras.{alias.name}" not in INTERNAL
    }


@pytest.mark.parametrize("package", OFFERED)
def test_a_package_imports_and_completes_its_public_names(package):
    module = importlib.import_module(package)
    names = OFFERED[package]
    assert imported(module) == set(names)
    assert len(names) == len(set(names))
    assert sorted(module.__all__) == sorted([*names, *VERSION.get(package, ())])
    assert dir(module) == sorted(module.__all__)  # which a notebook completes names from


@pytest.mark.parametrize("package", OFFERED)
def test_nothing_else_leaks(package):
    module = importlib.import_module(package)
    others = set(vars(module)) - set(OFFERED[package])
    leaked = {
        name
        for name in others
        if not (name.startswith("__") and name.endswith("__"))
        # A submodule, once it is imported.
        and getattr(vars(module)[name], "__name__", "") != f"{package}.{name}"
    }
    assert leaked == set()


@pytest.mark.parametrize(("package", "name"), PAIRS)
def test_a_name_is_ours_public_and_documented(package, name):
    value = getattr(importlib.import_module(package), name)
    assert not name.startswith("_")
    home = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
    assert home.partition(".")[0] in ("ls_base", "ls_keras")
    assert vars(value)["__doc__"] if isinstance(value, type) else value.__doc__


def test_a_name_at_the_top_is_that_of_the_package_below():
    top = set(OFFERED["ls_keras"])
    both = [(package, name) for package, name in PAIRS if package != "ls_keras" and name in top]
    assert len(both) > 40
    for package, name in both:
        assert getattr(ls_keras, name) is getattr(importlib.import_module(package), name), name
