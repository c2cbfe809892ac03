import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.probabilities import class_labels, read_examples, top_label

GOOD = np.float32([[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("y_pred", "message"),
    [
        ([[0.25, 0.25], [0.5, 0.5]], "from_logits=True"),
        ([[2.0, -1.0], [0.5, 0.5]], "from_logits=True"),
        ([[1.5, -0.5], [0.5, 0.5]], "from_logits=True"),
        ([[3.0, 1.0], [0.5, -7.0]], "from_logits=True"),
        ([[np.nan, 1.0], [0.5, 0.5]], "NaN"),
    ],
)
def test_what_is_no_distribution_is_refused(y_pred, message):
    with pytest.raises(InputError, match=message):
        read_examples([0, 1], np.float32(y_pred))


def test_nan_logits_are_refused_and_forbidden_classes_are_not():
    with pytest.raises(InputError, match="NaN"):
        read_examples([0], np.float32([[np.nan, 1.0]]), from_logits=True)
    with pytest.raises(InputError, match=r"\+inf"):
        read_examples([0], np.float32([[np.inf, 1.0]]), from_logits=True)
    assert read_examples([0], np.float32([[-np.inf, 1.0]]), from_logits=True).weights is None


@pytest.mark.parametrize(
    "options", [{"sample_weight": [1.0, 0.0]}, {"ignore_class": 1}], ids=["weight", "ignored"]
)
def test_positions_that_do_not_count_may_hold_anything(options):
    y_pred = np.float32([[0.25, 0.75], [np.nan, 9.0]])
    weights = read_examples([0, 1], y_pred, **options).weights
    assert ops.convert_to_numpy(weights).tolist() == [1, 0]


def test_one_class_is_refused():
    with pytest.raises(InputError, match="K ≥ 2"):
        read_examples([0], np.ones((1, 1), np.float32))


def test_rounded_half_precision_probabilities_pass(rng):
    p = rng.dirichlet(np.ones(1000), 4).astype("float32")
    y_pred = ops.cast(ops.array(p), "bfloat16")
    assert read_examples([0, 1, 2, 3], y_pred).y_pred.shape == (4, 1000)


def test_top_label_of_logits_is_that_of_their_softmax(rng):
    logits = rng.normal(size=(3, 5, 11)).astype("float32") * 30
    logits[0, 0, :3] = -np.inf
    exact = np.exp(logits - logits.max(-1, keepdims=True), dtype=np.float64)
    exact /= exact.sum(-1, keepdims=True)
    predicted, confidence = top_label(ops.array(logits), from_logits=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(predicted), logits.argmax(-1))
    np.testing.assert_allclose(ops.convert_to_numpy(confidence), exact.max(-1), rtol=1e-5)


def test_of_equal_classes_the_first_is_predicted():
    assert ops.convert_to_numpy(top_label(ops.array(GOOD), from_logits=False)[0]).tolist() == [1, 0]


def test_the_class_of_a_dense_target_is_its_largest():
    targets = read_examples(np.float32([[0.05, 0.95], [0.9, 0.1]]), GOOD).targets
    assert ops.convert_to_numpy(class_labels(targets)).tolist() == [1, 0]
