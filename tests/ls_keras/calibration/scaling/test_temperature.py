import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ls_base.errors import InputError
from ls_keras.calibration.scaling.temperature import fit_temperature


def sample(n, num_classes, temperature=2.0, seed=0):
    """Logits whose true temperature is known: labels drawn from softmax(logits / T)."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, num_classes)) * 3
    y_true = (logits / temperature + rng.gumbel(size=logits.shape)).argmax(-1)
    return y_true, logits.astype(np.float32)


def reference_nll(y_true, logits, temperature, weights=None):
    log_p = log_softmax(np.asarray(logits, np.float64) / temperature, axis=-1)
    return np.average(-log_p[np.arange(len(y_true)), y_true], weights=weights)


def reference(y_true, logits, weights=None):
    """SciPy's bounded Brent search on float64 log-softmax."""
    best = minimize_scalar(
        lambda u: reference_nll(y_true, logits, math.exp(u), weights),
        bounds=(math.log(1e-2), math.log(1e2)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return math.exp(best.x)


def reference_ece(y_true, logits, temperature, num_bins=15):
    p = softmax(np.asarray(logits, np.float64) / temperature, axis=-1)
    confidence, hit = p.max(-1), p.argmax(-1) == y_true
    total = 0.0
    for b in range(num_bins):
        inside = (confidence > b / num_bins) & (confidence <= (b + 1) / num_bins)
        if inside.any():
            total += abs(confidence[inside].mean() - hit[inside].mean()) * inside.mean()
    return total


@pytest.mark.parametrize(
    ("n", "num_classes", "temperature"),
    [(400, 2, 0.5), (500, 10, 1.0), (20_000, 10, 2.0), (3_000, 300, 4.0), (400, 5, 0.2)],
)
def test_temperature_equals_scipy(n, num_classes, temperature):
    y_true, logits = sample(n, num_classes, temperature)
    fit = fit_temperature(y_true, logits, from_logits=True)
    assert fit.converged
    assert fit.at_bound is None
    assert fit.temperature == pytest.approx(reference(y_true, logits), rel=2e-5)
    assert fit.nll_before == pytest.approx(reference_nll(y_true, logits, 1.0), rel=1e-5)
    after = reference_nll(y_true, logits, fit.temperature)
    assert fit.nll_after == pytest.approx(after, rel=1e-5)
    assert fit.ece_before == pytest.approx(reference_ece(y_true, logits, 1.0), abs=1e-5)
    assert fit.ece_after == pytest.approx(reference_ece(y_true, logits, fit.temperature), abs=1e-5)
    assert fit.num_examples == n
    assert fit.iterations <= 12


def test_large_data_take_at_most_five_passes():
    y_true, logits = sample(60_000, 20)
    assert fit_temperature(y_true, logits, from_logits=True).iterations <= 5


def test_values_computed_by_hand():
    # Confidence σ(4/T) equals the accuracy 9/10 at 4/T = ln 9.
    logits = np.tile([4.0, 0.0], (10, 1))
    fit = fit_temperature([0] * 9 + [1], logits, from_logits=True)
    assert fit.temperature == pytest.approx(4 / math.log(9), rel=1e-6)
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert fit.nll_after == pytest.approx(entropy, rel=1e-6)
    assert fit.ece_before == pytest.approx(1 / (1 + math.exp(-4)) - 0.9, rel=1e-6)
    assert fit.ece_after == pytest.approx(0, abs=1e-6)


def test_tensors_sequences_and_arrays_are_read_alike():
    y_true, logits = sample(600, 7)
    flat = fit_temperature(y_true, logits, from_logits=True)
    tensors = fit_temperature(
        ops.convert_to_tensor(y_true.reshape(60, 10)),
        ops.convert_to_tensor(logits.reshape(60, 10, 7)),
        from_logits=True,
    )
    assert tensors == flat
    assert fit_temperature(y_true[:, None].tolist(), logits, from_logits=True) == flat


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_logits_equal_scipy(dtype):
    y_true, logits = sample(800, 9)
    low = ops.cast(ops.convert_to_tensor(logits), dtype)
    exact = np.asarray(ops.convert_to_numpy(ops.cast(low, "float32")), np.float64)
    assert fit_temperature(y_true, low, from_logits=True).temperature == pytest.approx(
        reference(y_true, exact), rel=2e-5
    )


def test_float64_arrays_keep_precision():
    y_true, logits = sample(500, 6)
    fit = fit_temperature(y_true, logits.astype(np.float64), from_logits=True)
    assert fit.nll_before == pytest.approx(reference_nll(y_true, logits, 1.0), rel=1e-13)


def test_dense_targets_equal_scipy_optimum():
    y_true, logits = sample(500, 6)
    dense = np.full((500, 6), 0.1 / 6)
    dense[np.arange(500), y_true] += 0.9
    fit = fit_temperature(dense.astype(np.float32), logits, from_logits=True)

    def loss(u):
        return -(dense * log_softmax(np.float64(logits) / math.exp(u), -1)).sum(-1).mean()

    best = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9})
    assert fit.temperature == pytest.approx(math.exp(best.x), rel=2e-5)
    assert fit.nll_after == pytest.approx(best.fun, rel=1e-5)
    hard = np.eye(6, dtype=np.float32)[y_true]
    assert fit_temperature(hard, logits, from_logits=True).temperature == pytest.approx(
        fit_temperature(y_true, logits, from_logits=True).temperature, rel=1e-5
    )


def test_ignored_masked_and_weightless_examples_do_not_count():
    y_true, logits = sample(300, 5)
    expected = fit_temperature(y_true[:200], logits[:200], from_logits=True)
    spoilt = logits.copy()
    spoilt[200:] = np.nan
    labels = np.where(np.arange(300) < 200, y_true, -1)
    keep = np.arange(300) < 200
    assert fit_temperature(labels, spoilt, ignore_class=-1, from_logits=True) == expected
    assert fit_temperature(y_true, spoilt, mask=keep, from_logits=True) == expected
    assert (
        fit_temperature(y_true, spoilt, sample_weight=keep.astype(float), from_logits=True)
        == expected
    )
    assert expected.num_examples == 200


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=40, max_size=40), st.integers(0, 99))
@pytest.mark.filterwarnings("ignore:The best temperature is at the")
def test_integer_weights_equal_copies(weights, seed):
    y_true, logits = sample(40, 4, seed=seed)
    weights = np.array(weights)
    weights[0] = 1
    weighted = fit_temperature(y_true, logits, sample_weight=weights, from_logits=True)
    copies = fit_temperature(
        np.repeat(y_true, weights), np.repeat(logits, weights, axis=0), from_logits=True
    )
    assert weighted.temperature == pytest.approx(copies.temperature, rel=1e-4)
    assert weighted.nll_after == pytest.approx(copies.nll_after, rel=1e-5)
    assert weighted.ece_after == pytest.approx(copies.ece_after, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(2, 9),
    st.sampled_from([1e-6, 1e-2, 0.3, 1.0, 30.0, 1e4]),
    st.integers(0, 10_000),
)
@pytest.mark.filterwarnings("ignore:The best temperature is at the")
def test_fit_always_converges_and_never_raises_nll(n, num_classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((n, num_classes)) * scale).astype(np.float32)
    y_true = rng.integers(0, num_classes, n)
    fit = fit_temperature(y_true, logits, from_logits=True)
    assert fit.converged
    assert fit.temperature >= 1e-2 * (1 - 1e-9)
    assert fit.temperature <= 1e2 * (1 + 1e-9)
    assert fit.nll_after <= fit.nll_before * (1 + 1e-6) + 1e-12
    for other in (fit.temperature * 0.98, fit.temperature * 1.02):
        if 1e-2 <= other <= 1e2:
            assert fit.nll_after <= reference_nll(y_true, logits, other) * (1 + 2e-6) + 2e-7


def at_bound():
    return pytest.warns(UserWarning, match="The best temperature is at the")


def test_interval_covers_true_temperature():
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(200, 4))
        y = (z + rng.gumbel(size=z.shape)).argmax(-1)
        low, high = fit_temperature(y, 2 * z, from_logits=True).interval
        covered += low < 2 < high
    assert 53 <= covered <= 60  # 95 % of 60 are 57
    z[:3, 0] = 9
    unknown = fit_temperature(y[:3], z[:3] * 0, from_logits=True).interval
    assert np.isnan(unknown).all()


def test_optimum_at_a_bound_warns():
    logits = np.eye(4, dtype=np.float32) * 3
    with at_bound():
        perfect = fit_temperature(np.arange(4), logits, from_logits=True)
    assert perfect.temperature == pytest.approx(1e-2)
    assert (perfect.at_bound, perfect.converged) == ("lower", True)
    assert np.isnan(perfect.interval).all()
    assert perfect.nll_after < perfect.nll_before
    with at_bound():
        wrong = fit_temperature((np.arange(4) + 1) % 4, logits, from_logits=True)
    assert wrong.temperature == pytest.approx(1e2)
    assert (wrong.at_bound, wrong.converged) == ("upper", True)
    with at_bound():
        narrow = fit_temperature(*sample(500, 5), bounds=(0.5, 1.25), from_logits=True)
    assert narrow.temperature == pytest.approx(1.25)
    assert narrow.at_bound == "upper"


@pytest.mark.parametrize("scale", [10.0, 1e4])
def test_loss_of_zero_gives_lower_bound(scale):
    with at_bound():
        fit = fit_temperature(np.arange(4), np.eye(4, dtype=np.float32) * scale, from_logits=True)
    assert fit.at_bound == "lower"
    assert fit.nll_after == 0


def test_one_error_among_huge_logits():
    logits = np.array([[1e4, -1e4], [1e4, -1e4], [-1e4, 1e4], [1e4, -1e4]])
    y_true = np.array([0, 0, 1, 1])
    # σ(2e4/T) = 3/4 lies beyond the upper bound, 2e4/ln 3.
    with at_bound():
        fit = fit_temperature(y_true, logits, from_logits=True)
    assert fit.at_bound == "upper"
    wide = fit_temperature(y_true, logits, bounds=(1e-2, 1e6), from_logits=True)
    assert wide.temperature == pytest.approx(2e4 / math.log(3), rel=1e-5)


@pytest.mark.parametrize("objective", ["nll", "ece"])
def test_equal_logits_leave_the_temperature_at_one(objective):
    logits = np.full((6, 3), 2.5, np.float32)
    logits[3:, 2] = -np.inf
    fit = fit_temperature([0, 1, 1, 0, 0, 1], logits, objective=objective, from_logits=True)
    assert (fit.temperature, fit.flat, fit.converged, fit.at_bound) == (1.0, True, True, None)


def test_masked_classes_equal_absent_classes():
    y_true, logits = sample(400, 5)
    wide = np.concatenate([logits, np.full((400, 3), -np.inf, np.float32)], axis=-1)
    assert fit_temperature(y_true, wide, from_logits=True).temperature == pytest.approx(
        fit_temperature(y_true, logits, from_logits=True).temperature, rel=1e-6
    )


def test_ece_objective_finds_minimum_of_grid():
    y_true, logits = sample(4_000, 6, temperature=3.0)
    fit = fit_temperature(y_true, logits, objective="ece", from_logits=True)
    grid = np.geomspace(1e-2, 1e2, 200)
    lowest = min(reference_ece(y_true, logits, t) for t in grid)
    assert fit.ece_after <= lowest + 1e-6
    assert fit.ece_after == pytest.approx(reference_ece(y_true, logits, fit.temperature), abs=2e-4)
    assert fit.temperature == pytest.approx(3.0, rel=0.15)
    assert fit.nll_after == pytest.approx(reference_nll(y_true, logits, fit.temperature), rel=1e-5)
    assert fit.at_bound is None


def test_result_does_not_depend_on_number_of_cores(monkeypatch):
    y_true, logits = sample(30_000, 200)
    fits = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=cores: range(n), raising=False)
        fits.append(fit_temperature(y_true, logits, from_logits=True))
    assert fits[0] == fits[1] == fits[2]


def test_logits_are_not_copied():
    y_true, logits = sample(120_000, 100)  # 48 MB
    fit_temperature(y_true[:100], logits[:100], from_logits=True)
    tracemalloc.start()
    fit_temperature(y_true, logits, from_logits=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < logits.nbytes / 2


@pytest.mark.parametrize(
    ("y_true", "logits", "options", "message"),
    [
        ([0, 1], [[1.0, math.nan], [0.0, 1.0]], {}, "without NaN"),
        ([0, 1], [[1.0, math.inf], [0.0, 1.0]], {}, "without NaN or [+]inf"),
        ([0, 1], [[-math.inf, -math.inf], [0.0, 1.0]], {}, "finite one in every example"),
        ([0, 1], [[-math.inf, 1.0], [0.0, 1.0]], {}, "infinite at every temperature"),
        ([0, 1], [[1.0], [2.0]], {}, "K ≥ 2"),
        ([0, 2], [[1.0, 2.0], [0.0, 1.0]], {}, r"labels in \[0, 2\)"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"bounds": (2.0, 1.0)}, "lower < upper"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"bounds": (0.0, 1.0)}, "0 < lower"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"objective": "mse"}, "objective"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"tolerance": 0.0}, "tolerance"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"num_bins": 0}, "num_bins"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"sample_weight": [1.0, -1.0]}, "not negative"),
        ([0, 1], [[1.0, 2.0], [0.0, 1.0]], {"sample_weight": [0.0, 0.0]}, "counts"),
        ([1, 1], [[1.0, 2.0], [0.0, 1.0]], {"ignore_class": 1}, "counts"),
        (np.zeros(0, int), np.zeros((0, 3)), {}, "counts"),
    ],
)
def test_wrong_arguments_raise_input_errors(y_true, logits, options, message):
    with pytest.raises(InputError, match=message):
        fit_temperature(np.array(y_true), np.array(logits, np.float32), from_logits=True, **options)
