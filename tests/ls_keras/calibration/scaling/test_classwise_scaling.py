import numpy as np
import pytest
from keras import ops
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from ls_keras.calibration import fit_histogram, fit_isotonic, fit_temperature


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are its inputs."""

    def fit(self, x, y):
        self.classes_ = np.arange(x.shape[1])
        return self

    def predict(self, x):
        return x.argmax(-1)

    def predict_proba(self, x):
        return x


def sample(rng, classes, number=800, dtype=np.float32):
    z = rng.normal(size=(number, classes)) * 3
    y = (z / 2 + rng.gumbel(size=z.shape)).argmax(-1)
    return y, softmax(z, -1).astype(dtype)


def unmixed(fit, p):
    """Returns q of (1 − ε) q + ε/K."""
    return (fit.probabilities(p) - fit.mixing / p.shape[1]) / (1 - fit.mixing)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:.*does not appear to accept sample_weight")
def test_isotonic_equals_scikit_learn(rng, classes, weighted):
    # float64, since scikit-learn joins probabilities of float32 that are closer than 1e-6.
    y, p = sample(rng, classes, dtype=np.float64)
    weights = rng.random(len(y)).astype(np.float32) if weighted else None
    frozen = FrozenEstimator(Given().fit(p, y))
    theirs = CalibratedClassifierCV(frozen, method="isotonic", ensemble=False)
    theirs.fit(p, y, sample_weight=weights)
    new = sample(rng, classes, dtype=np.float64)[1]
    fit = fit_isotonic(y, p, sample_weight=weights)
    near = np.isclose(unmixed(fit, new), theirs.predict_proba(new), atol=2e-5)
    assert near.mean() > 0.995  # p is normalized once more here, which a steep curve shows
    for x, values in zip(fit.x, fit.y, strict=True):
        assert (np.diff(x) >= 0).all()
        assert (np.diff(values) >= 0).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_histogram_by_hand(rng, classes):
    y, p = sample(rng, classes)
    fit = fit_histogram(y, p, num_bins=4)
    q = np.empty(p.shape)
    for k in range(classes):
        for b in range(4):
            inside = (p[:, k] > b / 4) & (p[:, k] <= (b + 1) / 4)
            q[inside, k] = (y[inside] == k).mean()
    np.testing.assert_allclose(unmixed(fit, p), q / q.sum(-1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("fitted", [fit_histogram, fit_isotonic])
def test_first_of_two_classes_is_complement_of_second(fitted):
    # Votes of ten, on the edges of ten bins: in the mirror an edge is another bin's.
    second = np.repeat(np.arange(1, 10, dtype=np.float32) / 10, 20)
    p = np.stack([1 - second, second], -1)
    y = (np.arange(len(p)) % 20) / 20 < second**2  # shares that rise
    fit = fitted(y.astype(int), p, num_bins=10)
    share = np.array([y[second == v].mean() for v in second])
    np.testing.assert_allclose(unmixed(fit, p), np.stack([1 - share, share], -1), atol=1e-6)
    away = second - np.float32(0.02)  # from edges, where rounding decides
    logits = np.log(np.stack([1 - away, away], -1))
    in_a_layer = np.exp(ops.convert_to_numpy(fit.make_layer("fitted")(logits)))
    np.testing.assert_allclose(in_a_layer, fit.probabilities(logits, from_logits=True), atol=1e-6)


def test_empty_bin_maps_to_its_center():
    fit = fit_histogram([0, 1], [[0.9, 0.1], [0.1, 0.9]], num_bins=4)
    np.testing.assert_allclose(fit.y[1], [0, 0.375, 0.625, 1])
    np.testing.assert_allclose(fit.y[0], [0, 0.375, 0.625, 1])


@pytest.mark.peers
@pytest.mark.parametrize("classes", [2, 4])
def test_histogram_equals_netcal(rng, classes):
    from netcal.binning import HistogramBinning

    y, p = sample(rng, classes, 3000)
    theirs = HistogramBinning(10).fit(p, y).transform(p)
    fit = fit_histogram(y, p, num_bins=10)
    found = unmixed(fit, p)
    if classes == 2:
        found = found[:, 1]
    near = np.isclose(found, theirs.reshape(found.shape), atol=1e-4)
    assert near.mean() > 0.995


def test_isotonic_keeps_precision_of_overconfident_predictions(rng):
    """In float32, probabilities within 6e-8 of 1 are all the same."""
    z = 10 * rng.normal(size=(4000, 2))
    y = (z / 10 + rng.gumbel(size=z.shape)).argmax(-1)
    fit = fit_isotonic(y, z, from_logits=True)
    best = fit_temperature(y, z, from_logits=True)
    assert fit.nll_after < best.nll_after + 0.02
    layer = fit.make_layer("fitted")
    found = np.exp(ops.convert_to_numpy(layer(z.astype(np.float32))))
    near = np.isclose(found, fit.probabilities(z.astype(np.float32), from_logits=True), atol=1e-4)
    assert near.mean() > 0.99
