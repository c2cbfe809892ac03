"""Streams that are closed or full: a line, not a traceback."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ls_base.errors import FileError, InputError
from lsk.support.options import read_stdin
from lsk_engine.progress import Reporter

LSK = f"{sys.executable} -m lsk"


def shell(command, folder):
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("arguments", ["tasks", "--help"])
def test_a_full_disk_is_reported(arguments, tmp_path):
    done = shell(f"{LSK} {arguments} > /dev/full", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line


def test_a_closed_output_is_no_error(tmp_path):
    done = shell(f"{LSK} tasks >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", ["tasks", "tasks --json", "--help", "train -h"])
def test_a_reader_that_has_gone_gives_exit_code_141(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lsk", *arguments.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_without_a_reader_gives_exit_code_141():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lsk", "show", "nowhere"]
    done = subprocess.run(command, stdout=writing, stderr=writing, check=False)
    os.close(writing)
    assert done.returncode == 141


def test_a_closed_input_is_refused(tmp_path):
    """As with `<&-`."""
    code = "from lsk.support.options import read_stdin; read_stdin('text', 9)"
    done = shell(f'{sys.executable} -c "{code}" <&-', tmp_path)
    assert done.stderr.endswith("InputError: Expected text on stdin. Received: stdin is closed\n")


def test_long_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"four")))
    assert read_stdin("text", 4) == b"four"
    sys.stdin.seek(0)
    with pytest.raises(
        InputError, match="at most 3 bytes of text at once. Received: more on stdin"
    ):
        read_stdin("text", 3)


def test_a_closed_error_output_is_no_error(tmp_path):
    done = shell(f"{LSK} tasks 2>&-", tmp_path)
    assert done.returncode == 0
    assert "translation" in done.stdout
    assert shell(f"{LSK} train --task nothing 2>&-", tmp_path).returncode == 2


def test_a_reporter_works_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    reporter = Reporter()
    reporter.message("text")
    reporter.status(lambda: "status")


def test_an_unwritable_log_is_reported(tmp_path):
    reporter = Reporter(log=tmp_path)  # a folder
    with pytest.raises(FileError, match="Expected to be able to write"):
        reporter.message("text")
