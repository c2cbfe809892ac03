"""Two kills a task; `make verify-faults` does 25."""

import pytest

from kills import kill_trainings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.mark.parametrize("task", ["image", "translation", "speech"])
def test_killed_trainings_resume_to_the_same_files(task, tmp_path):
    count = kill_trainings(task, tmp_path, kills=2)
    assert count.faults == []
    assert count.kills >= 2
    assert count.in_training >= 1
