import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from ls_base.errors import InputError
from lsk_image.scoring import score


def test_errors_are_those_of_scikit_learn(rng):
    logits, labels = rng.normal(size=(200, 8)), rng.integers(0, 8, 200)
    ranked = np.argsort(-logits, axis=1)[:, :5].tolist()
    scores = score(labels.tolist(), ranked)
    for k in (1, 5):
        accuracy = top_k_accuracy_score(labels, logits, k=k, labels=range(8))
        assert scores.values[f"top_{k}_error"] == pytest.approx(100 * (1 - accuracy))
    assert set(scores.labels) == set(scores.values)


def test_by_hand():
    ranked = [[2, 0, 1, 3, 4], [0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]
    assert score([2, 4, 5, 1], ranked).values == {"top_1_error": 50.0, "top_5_error": 25.0}


def test_intervals_are_exact():
    """No error among n: the upper end is 1 − 0.025^(1/n)."""
    intervals = score([0] * 40, [[0, 1, 2, 3, 4]] * 40).intervals
    for ends in intervals.values():
        assert ends == pytest.approx((0.0, 100 * (1 - 0.025 ** (1 / 40))))
    low, high = score([0, 1] * 30, [[0]] * 60).intervals["top_1_error"]
    assert low < 50 < high


def test_one_ranked_class_has_no_top_5_error():
    assert score([1, 0], [[1], [1]]).values == {"top_1_error": 50.0}


@pytest.mark.parametrize(("labels", "ranked"), [([1], []), ([], []), ([1], [[1], [2]])])
def test_what_does_not_fit_is_told(labels, ranked):
    with pytest.raises(InputError, match=f"Received: {len(ranked)} and {len(labels)}"):
        score(labels, ranked)
