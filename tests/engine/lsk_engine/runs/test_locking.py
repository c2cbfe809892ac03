import threading
import time

import pytest

from lock_holder import held_by_another_process
from ls_base.errors import FileError
from lsk_engine.runs.locking import hold_lock


def test_one_waits_for_the_other(tmp_path):
    order = []

    def second():
        with hold_lock(tmp_path / "lock", wait=True):
            order.append("second")

    with hold_lock(tmp_path / "lock", wait=True):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_who_has_patience_tries_for_a_while(tmp_path):
    file, held = tmp_path / "lock", threading.Event()

    def look():
        with hold_lock(file, wait=False):
            held.set()
            time.sleep(0.2)

    thread = threading.Thread(target=look)
    thread.start()
    held.wait(10)
    with pytest.raises(BlockingIOError), hold_lock(file, wait=False):
        pass
    with hold_lock(file, wait=False, patience=10):
        pass
    thread.join(10)


def test_it_ends_with_its_process_however_that_ends(tmp_path):
    process = held_by_another_process(tmp_path / "lock")
    try:
        with pytest.raises(BlockingIOError), hold_lock(tmp_path / "lock", wait=False):
            pass
    finally:
        process.kill()
        process.communicate()
    with hold_lock(tmp_path / "lock", wait=False):
        pass


def test_only_who_holds_it_again_comes_in_again(tmp_path):
    file = tmp_path / "lock"
    with hold_lock(file, wait=False, again=True):
        with hold_lock(file, wait=False, again=True):
            pass
        with pytest.raises(BlockingIOError), hold_lock(file, wait=False):
            pass
        refused = []

        def another():
            try:
                with hold_lock(file, wait=False, again=True):
                    pass
            except BlockingIOError:
                refused.append(True)

        thread = threading.Thread(target=another)
        thread.start()
        thread.join(10)
        assert refused
    with hold_lock(file, wait=False):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(FileError, match="able to write"),
        hold_lock(tmp_path / "file" / "lock", wait=True),
    ):
        pass
