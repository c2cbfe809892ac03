import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax

from ls_base.errors import InputError
from ls_keras import equivalent_smoothing
from ls_keras.distillation import EquivalentSmoothing, equivalent_smoothing_dataset


def random(n=50, num_classes=4, scale=3.0):
    rng = np.random.default_rng(0)
    return rng.integers(0, num_classes, n), rng.normal(0, scale, (n, num_classes))


@settings(max_examples=50, deadline=None)
@given(alpha=st.floats(1e-9, 1), num_classes=st.integers(2, 50), labels=st.lists(st.integers(0, 1)))
def test_gamma_of_smoothed_labels_is_alpha(alpha, num_classes, labels):
    labels = np.array([0, *labels])
    smoothed = (1 - alpha) * np.eye(num_classes)[labels] + alpha / num_classes
    assert equivalent_smoothing(labels, np.log(smoothed), from_logits=True) == pytest.approx(
        alpha, rel=1e-6
    )


@settings(max_examples=50, deadline=None)
@given(
    logits=hnp.arrays("float64", (6, 3), elements=st.floats(-30, 30)),
    temperature=st.floats(0.1, 20),
)
def test_gamma_is_the_mass_off_the_target(logits, temperature):
    labels = np.arange(6) % 3
    p = softmax(logits / temperature, -1)
    p[np.arange(6), labels] = 0
    gamma = equivalent_smoothing(labels, logits, temperature, from_logits=True)
    assert gamma == pytest.approx(1.5 * p.sum(-1).mean(), rel=1e-9)
    assert 0 <= gamma <= 1.5


def test_a_confident_teacher_keeps_precision():
    gamma = equivalent_smoothing([0], [[40.0, 0.0]], from_logits=True)
    assert gamma == pytest.approx(2 * np.exp(-40) / (1 + np.exp(-40)), rel=1e-12, abs=0)


def test_gamma_rises_with_the_temperature_to_one():
    labels, logits = random()
    labels = logits.argmax(-1)
    gammas = equivalent_smoothing(labels, logits, [0.5, 1, 2, 8, 1e6], from_logits=True)
    assert gammas.shape == (5,)
    assert (np.diff(gammas) > 0).all()
    assert gammas[-1] == pytest.approx(1, rel=1e-4)
    assert gammas[1] == pytest.approx(
        equivalent_smoothing(labels, logits, from_logits=True), rel=1e-12
    )


@pytest.mark.parametrize("cuts", [[50], [1, 49], [7, 20, 23]])
def test_batches_add_up(cuts):
    labels, logits = random()
    total = EquivalentSmoothing([1.0, 4.0], from_logits=True)
    for at in np.split(np.arange(50), np.cumsum(cuts)[:-1]):
        total.update(labels[at], logits[at])
    expected = equivalent_smoothing(labels, logits, [1.0, 4.0], from_logits=True)
    np.testing.assert_allclose(total.result(), expected, rtol=1e-12)


def test_large_inputs_are_read_in_blocks():
    labels, logits = random(3000, 200)
    p = softmax(logits, -1)[np.arange(3000), labels]
    expected = (1 - p).mean() * 200 / 199
    assert equivalent_smoothing(labels, logits, from_logits=True) == pytest.approx(
        expected, rel=1e-10
    )


def test_padding_masks_and_weights():
    labels, logits = random(12, 4)
    labels, logits = labels.reshape(3, 4), logits.reshape(3, 4, 4)
    off = 1 - np.take_along_axis(softmax(logits, -1), labels[..., None], -1)[..., 0]
    weights = np.random.default_rng(1).random((3, 4)).astype("float32")
    gamma = equivalent_smoothing(
        labels, logits, ignore_class=2, sample_weight=weights, from_logits=True
    )
    weights = weights * (labels != 2)
    assert gamma == pytest.approx((off * weights).sum() / weights.sum() * 4 / 3, rel=1e-6)
    logits[labels == 2] = np.nan
    again = equivalent_smoothing(labels, logits, mask=labels != 2, from_logits=True)
    assert again == pytest.approx(off[labels != 2].mean() * 4 / 3, rel=1e-6)


def test_dense_targets():
    labels, logits = random()
    one_hot = np.eye(4)[labels]
    assert equivalent_smoothing(one_hot, logits, from_logits=True) == pytest.approx(
        equivalent_smoothing(labels, logits, from_logits=True), rel=1e-6
    )


def test_log_probabilities_and_masked_classes():
    labels, logits = random()
    logits[:, 3] = -np.inf
    labels = labels % 3
    gammas = [
        equivalent_smoothing(labels, z, 2.0, from_logits=True)
        for z in (logits, log_softmax(logits, -1))
    ]
    assert gammas[0] == pytest.approx(gammas[1], rel=1e-9)
    p = softmax(logits[:, :3] / 2, -1)[np.arange(50), labels]
    assert gammas[0] == pytest.approx((1 - p).mean() * 4 / 3, rel=1e-9)


def test_a_dataset_is_read_batch_by_batch():
    labels, logits = random()
    seen = []

    def teacher(x):
        seen.append(len(x))
        return x * 2

    batches = [(logits[:30], labels[:30]), (logits[30:], labels[30:])]
    gamma = equivalent_smoothing_dataset(teacher, batches, 3.0, from_logits=True)
    assert seen == [30, 20]
    assert gamma == pytest.approx(
        equivalent_smoothing(labels, logits * 2, 3.0, from_logits=True), rel=1e-9
    )


@pytest.mark.parametrize(
    ("labels", "logits", "options", "message"),
    [
        ([0], [[1.0, 0.0]], {"temperature": 0}, "temperature to be a finite number above 0"),
        ([0], [[1.0, 0.0]], {"temperature": [1, -2]}, "temperature to be a finite number above 0"),
        ([0], [[1.0, 0.0]], {"temperature": []}, "at least one temperature"),
        ([2], [[1.0, 0.0]], {}, r"labels in \[0, 2\)"),
        ([0, 1], [[1.0, 0.0]], {}, "integer labels of shape"),
        ([0], [[np.nan, 0.0]], {}, "without NaN"),
        ([0], [[-np.inf, -np.inf]], {}, "a finite one"),
        ([1], [[1.0, 0.0]], {"ignore_class": 1}, "at least one position that counts"),
    ],
)
def test_wrong_arguments_raise_input_errors(labels, logits, options, message):
    with pytest.raises(InputError, match=message):
        equivalent_smoothing(labels, np.array(logits), from_logits=True, **options)
