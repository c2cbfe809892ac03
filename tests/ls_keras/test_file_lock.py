import subprocess
import sys
import threading

import pytest

from ls_keras.errors import RunDirectoryError
from ls_keras.file_lock import locked


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


def test_a_process_that_inherits_it_holds_it_as_long_as_it_lives(tmp_path):
    with locked(tmp_path / "lock", wait=False) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
    with pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
        pass
    child.communicate(b"\n")
    with locked(tmp_path / "lock", wait=False):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunDirectoryError, match="able to write"),
        locked(tmp_path / "file" / "lock", wait=True),
    ):
        pass
