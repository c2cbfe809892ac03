import pytest

from lsk_engine.progress import Reporter
from lsk_engine.scoring.teacher_gamma import teacher_gammas
from tiny_points import TinyPoints
from untrained_run import untrained_run

pytestmark = pytest.mark.tensorflow
QUIET = Reporter(verbosity=-1)


def gammas(*runs):
    for run in runs:
        run.gamma_file.unlink(missing_ok=True)
    return [gamma for (gamma,) in teacher_gammas(TinyPoints(), runs, [[2.0]] * len(runs), QUIET)]


@pytest.mark.parametrize("settings", [{"training.max_examples": 9}, {"training.alpha": 0.3}])
def test_teachers_together_give_the_same_gammas_as_alone(tmp_path, settings):
    """Also teachers trained on a part of the data, whose γ is over that part."""
    first = untrained_run(TinyPoints(), tmp_path / "a").directory
    other = untrained_run(TinyPoints(), tmp_path / "b", seed=1, **settings).directory
    alone = [*gammas(first), *gammas(other)]
    assert gammas(first, other) == pytest.approx(alone, rel=1e-6)
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)
