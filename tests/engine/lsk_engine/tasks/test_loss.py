import dataclasses
import io

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras import losses
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.loss import build_loss, check_loss
from tiny_task import NUM_CLASSES, TinyTask

CLASSES = [
    loss
    for loss in map(vars(losses).get, losses.__all__)
    if isinstance(loss, type)
    and issubclass(loss, keras.losses.Loss)
    and loss is not losses.SmoothedBCE
]
TASK = TinyTask()


def configured(**settings):
    return resolve_config(TASK, None, {f"training.{key}": value for key, value in settings.items()})


def silent():
    return Reporter(verbosity=-1, stream=io.StringIO())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    config = configured(steps=2)
    run = RunDirectory.create(tmp_path_factory.mktemp("loss") / "run", config.to_dict())
    run_experiment(TASK, config, run, silent())
    return config, run


@pytest.mark.tensorflow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("cls", CLASSES)
def test_every_loss_trains(finished, tmp_path, cls):
    config = configured(steps=2, loss=cls().name)
    run = RunDirectory.create(tmp_path / "run", config.to_dict())
    scores = run_experiment(TASK, config, run, silent())["test"]
    assert np.isfinite([scores[name] for name in ("loss", "nll", "ece")]).all()
    loss = build_loss(config, TASK.load_data(config), reduction="sum_over_batch_size")
    assert type(loss) is cls
    # What is reported as the loss is that of the class itself, positions of padding left out.
    data = TASK.load_data(config)
    inputs, labels = data.splits["test"].gather(np.arange(len(data.splits["test"])), 8)
    losses_of_positions, valid = loss.losses_and_valid(labels, run.load_model()(inputs))
    expected = np.asarray(losses_of_positions)[np.asarray(valid)].mean()
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.usefixtures("undrawn")
def test_scores_do_not_depend_on_the_training_loss(finished):
    config, run = finished
    before = run.read_metrics().splits["test"]
    other = config.replace("training", loss="focal_ce", alpha=0.0)
    after = evaluate(TASK, other, run, silent())["test"]
    assert after["loss"] < before["loss"]
    assert {k: v for k, v in after.items() if k != "loss"} == {
        k: v for k, v in before.items() if k != "loss"
    }


def test_arguments_come_from_the_settings_and_the_data():
    data = dataclasses.replace(TASK.load_data(configured()), unused_classes=(0,))
    config = configured(
        loss="margin_smoothing", alpha=0.2, **{"loss_options.margin": "6"}, smooth_unused_classes=0
    )
    loss = build_loss(config, data, reduction="sum")
    assert (loss.alpha, loss.margin, loss.ignore_class, loss.reduction) == (0.2, 6.0, 0, "sum")
    assert loss.from_logits
    prior = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    smoothed = build_loss(configured(smoothing="prior", prior=prior), data)
    np.testing.assert_allclose(smoothed.smoothing.probabilities, prior)
    assert len(prior) == NUM_CLASSES


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "focal"}, "Near matches: focal_ce"),
        ({"loss": "smoothed_bce"}, "'smoothed_bce', which needs sigmoid outputs"),
        ({"loss": "uniform"}, "training.loss to be a loss. Received: 'uniform'"),
        ({"loss": "smoothed_cross_entropy"}, "training.loss to be a loss"),
        ({"loss": "focal_ce", "loss_options.gama": 1}, "Near matches: gamma"),
        ({"loss": "focal_ce", "loss_options.gamma": -1}, "gamma"),
        ({"loss": "max_sup", "loss_options.alpha": 0.1}, "loss max_sup. It has none"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        check_loss(configured(**settings).training)
