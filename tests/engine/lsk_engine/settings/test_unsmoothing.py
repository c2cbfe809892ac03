import json

import pytest

from ls_base.errors import InputError
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.settings.unsmoothing import unsmooth_alpha
from lsk_engine.tasks.registry import load_task


def resolved(task="translation", **settings):
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return resolve_config(load_task(task), None, keys)


def alpha_of(config):
    return unsmooth_alpha(config.training, config.decoding, config.distillation)


@pytest.mark.parametrize("task", ["translation", "speech"])
@pytest.mark.parametrize(
    ("given", "alpha", "undone"),
    [
        ("0", 0.1, 0),
        ("fitted", 0.1, 0.1),
        ("fitted", 0, 0),  # nothing to undo: sweeps over α go through
        ("0.05", 0.1, 0.05),
        (0.2, 0, 0.2),
    ],
)
def test_the_alpha_undone_is_a_number_or_the_trainings(task, given, alpha, undone):
    config = resolved(task, decoding__unsmooth=given, training__alpha=alpha)
    assert alpha_of(config) == undone
    again = restore_config(load_task(task), json.loads(json.dumps(config.to_dict())))
    assert again == config


def test_nothing_is_undone_unless_asked_for():
    config = resolved(training__alpha=0.1)
    assert alpha_of(config) == 0
    assert alpha_of(resolved("image", training__alpha=0.1)) == 0


@pytest.mark.parametrize("given", ["1", "-0.1", "fited", "1.5"])
def test_other_values_are_told(given):
    with pytest.raises(InputError, match=r"decoding.unsmooth to be a number in \[0, 1\) or fitt"):
        resolved(decoding__unsmooth=given)


@pytest.mark.parametrize("given", ["fitted", "0.1"])
def test_a_q_that_depends_on_labels_is_refused_before_training(given):
    settings = {"training__smoothing": "neighborhood", "training__alpha": 0.1}
    with pytest.raises(InputError, match="Expected decoding.unsmooth=0 with .*=neighborhood"):
        resolved(**settings, decoding__unsmooth=given)
    assert alpha_of(resolved(**settings)) == 0


def test_other_losses_are_refused():
    settings = {"training__loss": "max_sup", "training__alpha": 0.1}
    with pytest.raises(InputError, match="Expected decoding.unsmooth=0 with training.loss=max_sup"):
        resolved(**settings, decoding__unsmooth="fitted")


def test_alpha_of_1_is_refused():
    with pytest.raises(InputError, match="Expected decoding.unsmooth=0 with training.alpha=1"):
        resolved(training__alpha=1, decoding__unsmooth="fitted")


@pytest.mark.parametrize("given", ["fitted", 0.1])
def test_a_student_is_refused(given):
    config = resolved(training__alpha=0.1, decoding__unsmooth=given)
    teacher = DistillationConfig(teacher="/teacher", teacher_sha256="0")
    message = f"decoding.unsmooth=0 for a student.* Received: decoding.unsmooth={given}"
    with pytest.raises(InputError, match=message):
        unsmooth_alpha(config.training, config.decoding, teacher)
    plain = resolved(training__alpha=0.1)
    assert unsmooth_alpha(plain.training, plain.decoding, teacher) == 0
