"""The comparison with other libraries says what is: names, arguments, versions, tables."""

import importlib
import inspect
import re
from importlib import metadata
from pathlib import Path

import pytest

from dotted_names import is_there

ROOT = Path(__file__).parents[1]
OURS, PEERS = ("ls_keras", "keras"), ("netcal", "torchmetrics", "probmetrics")


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "extensions"))
    return importlib.import_module("comparison_table")


def cells(comparison, library: str) -> list[str]:
    sections = comparison.read()[1].values()
    return [cell for rows in sections for row in rows.values() for cell in row.get(library, ())]


def object_of(dotted: str):
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def untrue(comparison, library: str) -> list[str]:
    """Returns the cells whose name is that of nothing, or whose argument it doesn't take."""
    found = []
    for cell in cells(comparison, library):
        name = comparison.symbol(cell)
        argument = re.fullmatch(r".* \| ([a-z_]+)", cell)
        if name is None:
            continue
        if not is_there(name):
            found.append(cell)
        elif argument:
            value = object_of(name)
            takes = argument[1] in inspect.signature(value).parameters
            if not (takes or hasattr(value, argument[1])):
                found.append(cell)
    return found


@pytest.mark.parametrize("library", OURS)
def test_what_is_ours_and_keras_s_is_there(comparison, library):
    assert len(cells(comparison, library)) > 10
    assert untrue(comparison, library) == []


# Of their imports, under the PyTorch of today.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::UserWarning")
@pytest.mark.peers
@pytest.mark.parametrize("library", PEERS)
def test_what_is_the_peers_is_there(comparison, library):
    assert len(cells(comparison, library)) > 5
    assert untrue(comparison, library) == []
    found = comparison.read()[0][library]
    assert metadata.version(found["package"]) == found["version"]


@pytest.mark.parametrize(
    "cell",
    ["ls_keras.Smoothed", "ls_keras.reliability_curve | binning", "ls_keras.calibration.none"],
)
def test_an_untrue_cell_is_found(comparison, monkeypatch, cell):
    planted = {"A": {"b": {"ls_keras": [cell, "ls_keras.reliability_curve | num_bins"]}}}
    monkeypatch.setattr(comparison, "read", lambda: ({}, planted))
    assert untrue(comparison, "ls_keras") == [cell]


def test_versions_are_those_that_the_tests_install(comparison):
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    libraries = comparison.read()[0]
    for library in ("keras", *PEERS):
        assert pinned[libraries[library]["package"]] == libraries[library]["version"]
    # The tests don't install it: its names were read from the package of this version.
    assert libraries["torch_uncertainty"]["package"] not in pinned


def test_every_row_is_of_known_libraries_and_has_something(comparison):
    libraries, sections = comparison.read()
    for rows in sections.values():
        for feature, row in rows.items():
            assert row, feature
            assert not comparison.unknown(row, libraries), feature


def test_where_others_have_more_it_is_said(comparison):
    rows = [row for rows in comparison.read()[1].values() for row in rows.values()]
    assert sum("ls_keras" not in row for row in rows) > 15


def test_the_page_has_the_tables(comparison):
    page = comparison.PAGE.read_text()
    assert page == comparison.page_with(page, comparison.tables())
    assert (
        "| ECE, equal width | `ExpectedCalibrationError` | – | `CalibrationError` | `ECE` |" in page
    )
