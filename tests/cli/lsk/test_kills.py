"""Two kills a task; `make verify-faults` does a hundred."""

import pytest

from kills import kill_trainings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.mark.parametrize("task", ["image", "translation", "speech"])
def test_killed_trainings_end_as_undisturbed_ones(task, tmp_path):
    count = kill_trainings(task, tmp_path, kills=2)
    assert count.lost == []
    assert count.kills == 2
