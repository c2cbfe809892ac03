import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_keras.calibration.scaling.recalibration import example_scores, log_softmax
from ls_keras.diagnosis.temperature import fold_ids, influence_by_folds, scale_held_out
from ls_keras.inputs.numpy_examples import read_host_examples


def test_folds_hold_whole_groups_of_equal_number():
    groups = np.random.default_rng(0).integers(100, 137, 400)
    ids = fold_ids(groups, 5, seed=0)
    for group in np.unique(groups):
        assert len(np.unique(ids[groups == group])) == 1
    sizes = [len(np.unique(groups[ids == fold])) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1
    assert (fold_ids(groups, 5, seed=1) != ids).any()


@pytest.mark.parametrize("dense", [False, True])
def test_each_example_is_scored_by_the_other_folds_temperature(dense):
    y, z = predictions(90)
    ids = np.arange(90) % 3
    target = np.eye(4, dtype=np.float32)[y]
    examples = read_host_examples(target if dense else y, z, from_logits=True)
    found, temperatures = scale_held_out(examples, ids)
    for fold in range(3):
        at = ids == fold
        t = ls_keras.fit_temperature(y[~at], z[~at], from_logits=True).temperature
        np.testing.assert_allclose(temperatures[at], t)
        log_p = log_softmax(z[at].astype(float), t)
        np.testing.assert_allclose(found.nll[at], -log_p[np.arange(30), y[at]], rtol=1e-6)
        np.testing.assert_allclose(found.confidence[at], np.exp(log_p).max(-1), rtol=1e-6)
        np.testing.assert_array_equal(found.correct[at], log_p.argmax(-1) == y[at])


def test_influence_on_a_gain_is_what_a_little_more_weight_changes():
    y, z = predictions(200)
    ids, more = np.arange(200) % 4, 1e-3

    def gains(weights):
        examples = read_host_examples(y, z / 2.1, from_logits=True, sample_weight=weights)
        scaled = scale_held_out(examples, ids)
        before = example_scores(examples, log_softmax)
        each = [getattr(before, k) - getattr(scaled.scores, k) for k in ("nll", "brier")]
        return np.stack(each), np.stack(influence_by_folds(examples, scaled, ids))

    gain, influence = gains(np.ones(200))
    np.testing.assert_allclose(influence.mean(-1), 0, atol=1e-12)
    for i in (3, 50, 121):
        weights = 1 + more * (np.arange(200) == i)
        changed = np.average(gains(weights)[0], axis=-1, weights=weights)
        expected = (changed - gain.mean(-1)) * (200 + more) / more
        found = (gain + influence)[:, i] - gain.mean(-1)
        np.testing.assert_allclose(found, expected, rtol=0.2, atol=2e-3)
