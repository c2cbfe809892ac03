import keras
import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras import metrics
from ls_keras.metrics.base import CalibrationMetric
from masked import masked


class Count(CalibrationMetric):
    """Adds up weights, optionally on the host."""

    def __init__(self, on_host=False, **arguments):
        super().__init__(**arguments)
        self.on_host, self.read = on_host, []
        self.total = self.add_variable((), "zeros", dtype="float32", name="total")

    def add_on_host(self, y_true, y_pred, **options):
        if self.on_host:
            self.read.append((y_true, y_pred, options))
        return self.on_host

    def add(self, examples):
        self.total.assign(self.total + ops.sum(examples.weights))

    def result(self):
        return ops.cast(self.total, self.dtype)


def test_masks_weights_and_ignored_classes_are_read_before_anything_is_added():
    metric = Count(from_logits=True, ignore_class=-1)
    z = masked(np.zeros((2, 3, 4), "float32"), [[True, True, False], [True] * 3])
    metric.update_state([[0, -1, 1], [2, 3, -1]], z, sample_weight=[1.0, 2.0])
    assert float(metric.result()) == 1 + 2 + 2


def test_what_is_added_on_the_host_is_not_read_again():
    metric = Count(on_host=True, ignore_class=0)
    metric.update_state("y", "p", sample_weight="w")
    options = {"sample_weight": "w", "from_logits": False, "ignore_class": 0}
    assert metric.read == [("y", "p", options)]
    assert float(metric.result()) == 0


def test_arguments_are_checked_and_kept():
    with pytest.raises(InputError, match="ignore_class"):
        Count(ignore_class=0.5)
    metric = Count(from_logits=True, ignore_class=(0, 1), name="n")
    config = metric.get_config()
    assert (config["from_logits"], config["ignore_class"]) == (True, (0, 1))
    with pytest.raises(NotImplementedError):
        CalibrationMetric().update_state([0], [[0.5, 0.5]])


def test_every_metric_reads_its_arguments_here():
    found = [
        value
        for value in vars(metrics).values()
        if isinstance(value, type) and issubclass(value, keras.metrics.Metric)
    ]
    assert len(found) == 5
    assert all(metric.update_state is CalibrationMetric.update_state for metric in found)


def test_auto_mode_of_keras_callbacks_knows_the_direction_of_every_metric(tmp_path):
    # `Metric._direction` is private in Keras: if this fails, see `MonitorCallback`.
    names = ("accuracy", "brier", "ece", "nll", "perplexity")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[metrics.get(name, from_logits=True) for name in names],
    )
    callbacks = [keras.callbacks.EarlyStopping(f"val_{name}") for name in names]
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_ece", save_best_only=True
    )
    data = np.eye(3, dtype="float32"), np.arange(3)
    model.fit(*data, validation_data=data, callbacks=[*callbacks, checkpoint], verbose=0)
    better = {name: c.monitor_op for name, c in zip(names, callbacks, strict=True)}
    assert better.pop("accuracy") is ops.greater
    assert set(better.values()) == {checkpoint.monitor_op} == {ops.less}
