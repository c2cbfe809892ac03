import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_softmax, softmax

from ls_base.errors import InputError
from ls_keras.calibration import fit_matrix_scaling, fit_mixed_temperature, fit_temperature


def sample(rng, number=400, classes=4):
    """Logits that a matrix calibrates: class 3 is taken for class 2."""
    z = rng.normal(size=(number, classes)) * 3
    matrix = np.eye(classes) / 2
    matrix[3, 2] = 0.4
    return (z @ matrix.T + rng.gumbel(size=z.shape)).argmax(-1), z


def objective(matrix, bias, p, y, strength=1.0):
    """The loss as its docstring states it, of probabilities after the mixed temperature."""
    number, size = p.shape
    log_q = log_softmax(np.log(p) @ matrix.T + bias, -1)
    change = matrix - np.eye(size)
    off = (change**2).sum() - (np.diag(change) ** 2).sum()
    near = (bias**2).sum() + (np.diag(change) ** 2).sum()
    penalty = strength * size / number * (near + (size - 1) * off)
    return -log_q[np.arange(number), y].mean() + penalty


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_optimum_is_stationary(rng, strength):
    y, z = sample(rng)
    fit = fit_matrix_scaling(y, z, from_logits=True, strength=strength)
    p = fit_mixed_temperature(y, z, from_logits=True).probabilities(z, from_logits=True)

    def loss(flat):
        return objective(flat[:16].reshape(4, 4), flat[16:], p, y, strength)

    found = np.r_[fit.matrix.ravel(), fit.bias]
    assert fit.converged
    np.testing.assert_allclose(approx_fprime(found, loss, 1e-7), 0, atol=1e-5)
    assert loss(found) < loss(np.r_[np.eye(4).ravel(), np.zeros(4)])


def test_matrix_corrects_confused_classes(rng):
    y, z = sample(rng, 5000)
    fit = fit_matrix_scaling(y, z, from_logits=True)
    assert fit.nll_after < fit_mixed_temperature(y, z, from_logits=True).nll_after - 0.02
    assert fit.matrix[3, 2] > 0.3


def test_matrix_stays_finite_without_wrong_predictions(rng):
    """All right, fewer examples than parameters: unpenalized, no optimum is finite."""
    z = rng.normal(size=(10, 6))
    fit = fit_matrix_scaling(z.argmax(-1), z, from_logits=True)
    assert fit.converged
    assert np.abs(fit.matrix).max() < 3
    strict = fit_matrix_scaling(z.argmax(-1), z, from_logits=True, strength=1e6)
    np.testing.assert_allclose(strict.matrix, np.eye(6), atol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("number", [200, 1000])
def test_equals_probmetrics(rng, number):
    calibrators = pytest.importorskip("probmetrics.calibrators")
    y, z = sample(rng, number)
    p = softmax(z, -1)
    theirs = calibrators.get_calibrator("sms").fit(p, y)
    fit = fit_matrix_scaling(y, p)
    # Theirs stops earlier, in float32: ours is at least as good by the loss of both.
    np.testing.assert_allclose(fit.probabilities(p), theirs.predict_proba(p), atol=1e-2)
    mixed = fit_mixed_temperature(y, p).probabilities(p)
    ours = objective(fit.matrix, fit.bias, mixed, y)
    assert ours <= objective(theirs.W_[:, :-1], theirs.W_[:, -1], mixed, y) + 1e-9
    assert ours == pytest.approx(objective(theirs.W_[:, :-1], theirs.W_[:, -1], mixed, y), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 0}, "strength"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"tolerance": 0}, "tolerance"),
    ],
)
def test_wrong_options_raise_input_errors(rng, options, message):
    with pytest.raises(InputError, match=message):
        fit_matrix_scaling(*sample(rng), from_logits=True, **options)


WIDE = (np.exp(-16.0), np.exp(16.0))  # where probmetrics looks for a temperature


def draw(rng, number=500):
    z = rng.normal(size=(number, 5)) * 3
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


def test_mixed_temperature_equals_temperature_plus_uniform_share(rng):
    y, z = draw(rng)
    fit = fit_mixed_temperature(y, z, from_logits=True)
    plain = fit_temperature(y, z, from_logits=True)
    assert fit.temperature == plain.temperature
    assert fit.mixing == pytest.approx(1 / 501)
    expected = 500 / 501 * softmax(z / plain.temperature, -1) + 1 / (501 * 5)
    np.testing.assert_allclose(fit.probabilities(z, from_logits=True), expected, atol=1e-12)
    assert fit.nll_after == pytest.approx(plain.nll_after, abs=1 / 500)


def test_loss_stays_finite_without_wrong_predictions():
    z = np.float32([[3, 0, 0], [0, 3, 0]])
    fit = fit_mixed_temperature([0, 1], z, from_logits=True)
    assert fit.at_bound == "lower"
    p = fit.probabilities(z, from_logits=True)
    np.testing.assert_allclose(p[0], [1 - 2 / 9, 1 / 9, 1 / 9])
    assert fit.nll_after == pytest.approx(-np.log(7 / 9))


@pytest.mark.peers
@pytest.mark.parametrize("right", [False, True])
def test_mixed_temperature_equals_probmetrics(rng, right):
    calibrators = pytest.importorskip("probmetrics.calibrators")
    y, z = draw(rng)
    if right:
        y = z.argmax(-1)
    p = softmax(z, -1)
    theirs = calibrators.get_calibrator("ts-mix").fit(p, y).predict_proba(p)
    fit = fit_mixed_temperature(y, p, bounds=WIDE)
    np.testing.assert_allclose(fit.probabilities(p), theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"), [({"bounds": (2, 1)}, "0 < lower"), ({"tolerance": 0}, "tolerance")]
)
def test_wrong_options_of_a_mixed_temperature_raise_input_errors(rng, options, message):
    with pytest.raises(InputError, match=message):
        fit_mixed_temperature(*draw(rng), from_logits=True, **options)
