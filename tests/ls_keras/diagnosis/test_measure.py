import numpy as np
import pytest
from scipy.special import softmax

from diagnosed import predictions
from ls_keras.calibration import classwise_reliability
from ls_keras.diagnosis import measure
from ls_keras.inputs.numpy_examples import read_host_examples

Y, Z = predictions(300)
P = softmax(Z.astype(float), -1)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_worst_calibrated_class_has_the_largest_error(weighted):
    weights = np.random.default_rng(0).uniform(0, 2, 300) if weighted else None
    curves = classwise_reliability(Y, P, sample_weight=weights, resamples=100)
    examples = read_host_examples(Y, Z, from_logits=True, sample_weight=weights)
    assert measure.worst_calibrated(examples, Y, 15, np.ones(300)) == max(
        curves, key=lambda k: curves[k].ece
    )


def test_worst_class_is_chosen_on_a_sample(monkeypatch):
    monkeypatch.setattr(measure, "_SAMPLE", 4 * 100)
    curves = classwise_reliability(Y[::3], P[::3], resamples=100)
    examples = read_host_examples(Y, Z, from_logits=True)
    assert measure.worst_calibrated(examples, Y, 15, np.ones(300)) == max(
        curves, key=lambda k: curves[k].ece
    )


def test_one_error_does_not_make_a_rare_class_the_least_recognized():
    labels = np.array([0] * 50 + [1] * 50 + [2])
    correct = np.array([True] * 45 + [False] * 5 + [True] * 10 + [False] * 40 + [False])
    assert measure.least_recalled(labels, correct, np.ones(101), 4) == 1
    weights = np.where(labels == 1, np.where(correct, 20.0, 0.1), 1.0)
    assert measure.least_recalled(labels, correct, weights, 4) != 1


def test_class_without_examples_is_never_least_recognized():
    """It would be, at the half that Laplace gives it, below classes that are mostly right."""
    labels, correct = np.array([0] * 10 + [1] * 10), np.array([True] * 18 + [False] * 2)
    assert measure.least_recalled(labels, correct, np.ones(20), 3) == 1


def test_hard_labels_are_largest_entries_of_dense_targets():
    targets = np.float32([[0.2, 0.8, 0, 0], [0.5, 0.1, 0.2, 0.2], [0, 0, 0, 1]])
    weights = np.float32([1, 0, 1])
    examples = read_host_examples(targets, Z[:3], from_logits=True, sample_weight=weights)
    np.testing.assert_array_equal(measure.hard_labels(examples), [1, 3])
