"""Tests have the same names whenever they are collected: workers of one run compare them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def collected(folder: Path, *options: str, **environment: str) -> list[str]:
    """Returns the names that pytest gives the tests in a folder, in its order."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if "::" in line]


def collected_otherwise(folder: Path) -> list[str]:
    """Collects with another clock and other hashes."""
    path = os.pathsep.join(
        filter(None, [str(ROOT / "tests/support"), os.environ.get("PYTHONPATH")])
    )
    return collected(folder, "-p", "other_clock", PYTHONHASHSEED="4711", PYTHONPATH=path)


@pytest.mark.slow
def test_the_suite_is_collected_alike_at_another_time_with_other_hashes():
    first = collected(ROOT / "tests", PYTHONHASHSEED="1")
    assert len(first) > 1000
    assert len(set(first)) == len(first)
    assert collected_otherwise(ROOT / "tests") == first


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    ["[gzip.compress(b'text')]", "sorted({'a', 'b', 'c', 'd', 'e'}, key=hash)"],
    ids=["clock", "hashes"],
)
def test_a_name_that_depends_on_them_would_be_noticed(tmp_path, values):
    (tmp_path / "test_names.py").write_text(
        "import gzip, pytest\n"
        f"@pytest.mark.parametrize('value', {values})\n"
        "def test_it(value):\n"
        "    pass\n"
    )
    assert collected(tmp_path, PYTHONHASHSEED="1") != collected_otherwise(tmp_path)
