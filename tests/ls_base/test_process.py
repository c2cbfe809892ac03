"""Signals are handled for a while, and then as before."""

import signal
import threading

import pytest

from ls_base.process import handle_signals


def test_handlers_are_set_back_after_an_error_too():
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


def test_what_is_ignored_stays_so(request):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    with handle_signals(["SIGHUP", "SIGNOSUCH"], lambda number, frame: None) as those_before:
        assert those_before == {}
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_change_nothing():
    found = []

    def work():
        with handle_signals(["SIGTERM"], lambda number, frame: None) as those_before:
            found.append((dict(those_before), signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [({}, before)]
