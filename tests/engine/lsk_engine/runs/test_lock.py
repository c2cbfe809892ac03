import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.runs.lock import at_work_in, in_use, locked
from lsk_engine.runs.run_directory import RunDirectory


def test_one_waits_for_the_other(tmp_path):
    order = []

    def second():
        with locked(tmp_path / "lock", wait=True):
            order.append("second")

    with locked(tmp_path / "lock", wait=True):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def held_by_another_process(file: Path) -> subprocess.Popen:
    """Starts a process that holds a lock until it is killed."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from lsk_engine.runs.lock import locked\n"
        "with locked(Path(sys.argv[1]), wait=False):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, file], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_it_ends_with_its_process_however_that_ends(tmp_path):
    process = held_by_another_process(tmp_path / "lock")
    try:
        with pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
            pass
    finally:
        process.kill()
        process.communicate()
    with locked(tmp_path / "lock", wait=False):
        pass


def test_a_run_that_another_process_is_at_work_in_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {"task": "tiny"})
    assert not in_use(run)
    process = held_by_another_process(run.lock_file)
    try:
        assert in_use(run)
        with (
            pytest.raises(InputError, match="no other process is at work in.*Received: .*run"),
            at_work_in(run),
        ):
            pass
    finally:
        process.kill()
        process.communicate()
    assert not in_use(run)
    with at_work_in(run):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(FileError, match="able to write"),
        locked(tmp_path / "file" / "lock", wait=True),
    ):
        pass
