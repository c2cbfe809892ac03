"""Wrong values of every public function's arguments give an error of one line or a result.

`hostile_calls` has the table. No error of a framework or of NumPy may come back, and no call may
need much memory or time.
"""

import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fault_cases import FAULTS
from hostile_calls import FUNCTIONS, VALUES, arguments_of, call, try_case


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_argument_gives_an_error_of_one_line_or_a_result(name):
    valid, names = arguments_of(name)
    call(name, valid)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=min(25 * len(names) or 1, 150),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(names), st.sampled_from(list(VALUES)))
    def check(argument, value):
        start = time.monotonic()
        outcome = try_case((name, argument, value))
        assert outcome.result not in FAULTS, str(outcome)
        assert time.monotonic() - start < 60

    if names:
        check()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
