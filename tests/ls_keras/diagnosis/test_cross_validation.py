import numpy as np
import pytest
from scipy.special import log_softmax

import ls_keras
from diagnosed import predictions
from ls_keras.diagnosis.cross_validation import fold_ids, scaled_scores
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
    found = scaled_scores(read_host_examples(target if dense else y, z, from_logits=True), ids)
    for fold in range(3):
        at = ids == fold
        t = ls_keras.fit_temperature(y[~at], z[~at], from_logits=True).temperature
        log_p = log_softmax(z[at].astype(float) / t, -1)
        np.testing.assert_allclose(found.nll[at], -log_p[np.arange(30), y[at]], rtol=1e-6)
        np.testing.assert_allclose(found.confidence[at], np.exp(log_p).max(-1), rtol=1e-6)
        np.testing.assert_array_equal(found.correct[at], log_p.argmax(-1) == y[at])
