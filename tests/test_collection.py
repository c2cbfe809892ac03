"""Tests have the same names whenever they are collected: workers of one run compare them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def collected(folders: list, *options: str, **environment: str) -> list[str]:
    """Returns the names that pytest gives the tests in folders, in its order."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, *map(str, folders)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if "::" in line]


def collected_otherwise(folders: list) -> list[str]:
    """Collects with another clock and other hashes."""
    path = os.pathsep.join(
        filter(None, [str(ROOT / "tests/support"), os.environ.get("PYTHONPATH")])
    )
    return collected(folders, "-p", "other_clock", PYTHONHASHSEED="4711", PYTHONPATH=path)


@pytest.mark.slow
def test_what_is_collected_here_is_collected_alike_at_another_time_with_other_hashes(
    collected_here,
):
    names, folders = collected_here
    assert len(set(names)) == len(names)
    assert collected_otherwise(folders) == names


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
    assert collected([tmp_path], PYTHONHASHSEED="1") != collected_otherwise([tmp_path])
