import signal
import threading

import pytest

from ls_base.process import handle_signals


def test_the_previous_handlers_return_after_an_error():
    before = signal.getsignal(signal.SIGTERM)
    came, told = [], []

    def fail():
        with handle_signals(
            ["SIGTERM", "SIGHUP"], lambda number, frame: came.append(number)
        ) as others:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
            told.append(others[signal.SIGTERM])
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert told == [before]
    assert came == [signal.SIGTERM, signal.SIGHUP]
    assert signal.getsignal(signal.SIGTERM) is before


def test_ignored_signals_stay_ignored(request):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    with handle_signals(["SIGHUP", "SIGNOSUCH"], lambda number, frame: None) as previous:
        assert previous == {}
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_change_no_handler():
    found = []

    def work():
        with handle_signals(["SIGTERM"], lambda number, frame: None) as previous:
            found.append((dict(previous), signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [({}, before)]
