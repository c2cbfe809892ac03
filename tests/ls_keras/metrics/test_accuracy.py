import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.metrics import Accuracy


def test_equals_keras_for_integer_and_dense_targets(rng):
    logits = rng.normal(size=(50, 6)).astype("float32")
    labels = rng.integers(0, 6, 50)
    smoothed = 0.9 * np.eye(6, dtype="float32")[labels] + 0.1 / 6
    for reference, y_true in (
        (keras.metrics.SparseCategoricalAccuracy(), labels),
        (keras.metrics.CategoricalAccuracy(), smoothed),
    ):
        reference.update_state(y_true, logits)
        metric = Accuracy(from_logits=True)
        metric.update_state(y_true, logits)
        assert float(metric.result()) == pytest.approx(float(reference.result()), rel=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_nan_predictions_poison_a_compiled_step_where_they_count(multi_label, traced):
    metric = Accuracy(from_logits=True, multi_label=multi_label)
    y_true = np.int32([[0, 1], [1, 0]]) if multi_label else np.int32([1, 0])

    def score(y_pred, weight):
        state = metric.stateless_update_state(metric.variables, y_true, y_pred, weight)
        return metric.stateless_result(state)

    z = np.float32([[-1, 1], [np.nan, 1]])
    assert np.isnan(traced(score, z, np.float32([1, 1])))
    assert traced(score, z, np.float32([1, 0])) == 1


def test_padding_is_neither_right_nor_wrong():
    metric = Accuracy(from_logits=True, ignore_class=0)
    metric.update_state([[2, 1, 0, 0]], [[[0.1, 0.2, 0.7]] * 4])
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("k", [2, 4])
def test_top_k_equals_keras(rng, k):
    logits, labels = rng.normal(size=(60, 6)).astype("float32"), rng.integers(0, 6, 60)
    reference = keras.metrics.SparseTopKCategoricalAccuracy(k)
    reference.update_state(labels, logits)
    metric = Accuracy(k, from_logits=True, ignore_class=9)
    metric.update_state(np.append(labels, 9), np.concatenate([logits, logits[:1]]))
    assert float(metric.result()) == pytest.approx(float(reference.result()), rel=1e-6)
    assert Accuracy.from_config(metric.get_config()).k == k


@pytest.mark.parametrize("options", [{"k": 0}, {"k": 1.5}, {"k": 2, "multi_label": True}])
def test_k_must_be_a_count_of_classes(options):
    with pytest.raises(InputError, match="k"):
        Accuracy(**options)
