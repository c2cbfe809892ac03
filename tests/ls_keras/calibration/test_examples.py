"""The examples of the docstrings and of the docs page run."""

import doctest
import importlib
from pathlib import Path

import pytest

MODULES = [
    "metrics.accuracy",
    "metrics.brier_score",
    "metrics.calibration_error",
    "backend.exact_sum",
    "metrics.expected_calibration_error",
    "metrics.negative_log_likelihood",
    "calibration.curves.reliability",
    "plots.reliability_diagram",
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"ls_keras.{name}"))
    assert result.attempted
    assert not result.failed


def test_docs_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the page saves a plot
    page = Path(__file__).parents[3] / "docs" / "calibration.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted >= 15
    assert not result.failed
