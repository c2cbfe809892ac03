import tracemalloc

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from ls_base.errors import InputError
from ls_keras.calibration import expected_calibration_error, temperature_curve
from ls_keras.calibration.scaling.temperature import fit_temperature
from ls_keras.calibration.scaling.temperature_dataset import Reservoir, fit_temperature_dataset
from ls_keras.calibration.scaling.temperature_search import tempered_sums
from ls_keras.inputs.numpy_examples import read_host_examples


def arrays(n=3_000, num_classes=6, temperature=2.0, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, num_classes)).astype(np.float32) * 3
    y = (z / temperature + rng.gumbel(size=z.shape)).argmax(-1)
    return z, y


def cut(*columns, size=256):
    return [tuple(c[i : i + size] for c in columns) for i in range(0, len(columns[0]), size)]


def identity(num_classes):
    model = keras.Sequential([keras.Input((num_classes,)), keras.layers.Dense(num_classes)])
    model.layers[0].set_weights([np.eye(num_classes), np.zeros(num_classes)])
    return model


class Counted:
    def __init__(self, batches):
        self.batches, self.passes = batches, 0

    def __iter__(self):
        self.passes += 1
        return iter(self.batches)


@pytest.mark.parametrize("objective", ["nll", "ece"])
def test_batches_give_same_fit_as_whole_data(objective):
    z, y = arrays()
    whole = fit_temperature(y, z, objective=objective, from_logits=True)
    data = Counted(cut(z, y))
    fit = fit_temperature_dataset(identity(6), data, objective=objective, from_logits=True)
    assert fit.temperature == pytest.approx(whole.temperature, rel=1e-4)
    assert fit.nll_before == pytest.approx(whole.nll_before, rel=1e-6)
    assert fit.nll_after == pytest.approx(whole.nll_after, rel=1e-6)
    assert fit.ece_before == pytest.approx(whole.ece_before, abs=1e-6)
    assert fit.ece_after == pytest.approx(whole.ece_after, abs=1e-4)
    assert fit.num_examples == len(y)
    assert data.passes == fit.iterations + 0 <= 5


def test_large_data_set_takes_at_most_five_passes():
    z, y = arrays(30_000)
    data = Counted(cut(z, y, size=5_000))
    fit = fit_temperature_dataset(lambda x: x, data, from_logits=True)
    assert fit.temperature == pytest.approx(
        fit_temperature(y, z, from_logits=True).temperature, rel=2e-5
    )
    assert data.passes <= 5


def test_pydatasets_and_probabilities():
    z, y = arrays(640)
    batches = cut(keras.ops.convert_to_numpy(keras.ops.softmax(z)), y)

    class Data(keras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, index):
            return batches[index % len(batches)]

    fit = fit_temperature_dataset(lambda x: x, Data(), from_logits=False)
    assert fit.temperature == pytest.approx(
        fit_temperature(y, z, from_logits=True).temperature, rel=1e-4
    )
    assert fit.num_examples == 640


@pytest.mark.tensorflow
def test_tf_data():
    import tensorflow as tf

    z, y = arrays(640)
    data = tf.data.Dataset.from_tensor_slices((z, y)).batch(100)
    fit = fit_temperature_dataset(identity(6), data, from_logits=True)
    assert fit.temperature == pytest.approx(
        fit_temperature(y, z, from_logits=True).temperature, rel=1e-5
    )
    with pytest.raises(InputError, match="finite"):
        fit_temperature_dataset(identity(6), data.repeat(), from_logits=True)


def test_sequences_with_masks_padding_and_weights():
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 12, (80, 9))
    lengths = rng.integers(3, 10, 80)
    tokens[np.arange(9) >= lengths[:, None]] = 0
    embedding = keras.layers.Embedding(12, 5, mask_zero=True)
    inputs = keras.Input((9,), dtype="int32")
    model = keras.Model(inputs, keras.layers.Dense(5, name="logits")(embedding(inputs)))
    embedding.set_weights([rng.standard_normal((12, 5)) * 3])
    model.get_layer("logits").set_weights([np.eye(5), np.zeros(5)])
    z = model.predict(tokens, verbose=0)
    y = (z / 2 + rng.gumbel(size=z.shape)).argmax(-1)
    weight = rng.random(80).astype(np.float32)
    spoilt = y.copy()
    spoilt[:5] = -1
    fit = fit_temperature_dataset(
        model, cut(tokens, spoilt, weight, size=16), ignore_class=-1, from_logits=True
    )
    counts = (tokens > 0) & (np.arange(80) >= 5)[:, None]
    expected = fit_temperature(
        y[counts],
        z[counts],
        sample_weight=np.broadcast_to(weight[:, None], y.shape)[counts],
        from_logits=True,
    )
    assert fit.num_examples == counts.sum()
    assert fit.temperature == pytest.approx(expected.temperature, rel=2e-5)
    assert fit.nll_after == pytest.approx(expected.nll_after, rel=1e-5)


def test_reservoir_takes_one_pass_over_an_iterator():
    z, y = arrays(8_000)
    exact = fit_temperature(y, z, from_logits=True).temperature
    for size in (100, 999):
        batches = iter(cut(z, y, size=size))
        fit = fit_temperature_dataset(
            lambda x: x, batches, reservoir=2_000, seed=3, from_logits=True
        )
        assert fit.num_examples == 2_000
        assert fit.temperature == pytest.approx(exact, rel=0.1)
        assert fit.temperature == pytest.approx(
            fit_temperature_dataset(
                lambda x: x, cut(z, y), reservoir=2_000, seed=3, from_logits=True
            ).temperature
        )
    everything = fit_temperature_dataset(lambda x: x, cut(z, y), reservoir=10_000, from_logits=True)
    assert everything.temperature == pytest.approx(exact, rel=2e-5)


@pytest.mark.slow
def test_memory_does_not_grow_with_data():
    num_classes, rows, steps = 4_000, 250, 160  # 640 MB of logits in all, 4 MB a batch
    rng = np.random.default_rng(0)
    made = [rng.standard_normal((rows, num_classes), dtype=np.float32) for _ in range(4)]

    class Data:
        def __iter__(self):
            for step in range(steps):
                z = made[step % 4]
                yield z, z.argmax(-1) if step % 3 else np.arange(rows)

    tracemalloc.start()
    fit = fit_temperature_dataset(lambda x: x, Data(), from_logits=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.num_examples == rows * steps
    assert peak < 1.5 * 2**26 + 2**25  # the sample, which grew by doubling, and temporaries


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda z, y: iter(cut(z, y)), {}, "several times"),
        (lambda z, y: [z], {}, r"batches \(x, y\)"),
        (lambda z, y: [], {}, "counts"),
        (lambda z, y: [], {"reservoir": 5}, "counts"),
        (lambda z, y: cut(z, y), {"reservoir": 0}, "reservoir"),
        (lambda z, y: cut(z, y * 0 - 1), {"ignore_class": -1}, "counts"),
        (lambda z, y: cut(z, y), {"bounds": (3, 2)}, "bounds"),
        (lambda z, y: cut(z * np.nan, y), {}, "NaN"),
    ],
)
def test_wrong_arguments_raise_input_errors(make, options, message):
    with pytest.raises(InputError, match=message):
        fit_temperature_dataset(lambda x: x, make(*arrays(100)), from_logits=True, **options)


def numbered(n):
    logits = np.stack([np.arange(n), np.zeros(n)], axis=1).astype(np.float32)
    return logits


def kept(capacity, n, cuts, seed=0):
    reservoir = Reservoir(capacity, seed)
    logits = numbered(n)
    for part in np.split(np.arange(n), cuts):
        reservoir.add(read_host_examples(np.zeros(len(part), int), logits[part], from_logits=True))
    return reservoir.examples()


def test_reservoir_sample_is_uniform():
    counts = np.zeros(30)
    for seed in range(3_000):
        examples = kept(6, 30, [4, 19], seed)
        assert len(np.unique(examples.logits[:, 0])) == 6
        counts[examples.logits[:, 0].astype(int)] += 1
    # Binomial(3000, 1/5): 600 ± 21.9; five standard deviations.
    assert np.abs(counts - 600).max() < 110


def test_reservoir_does_not_depend_on_batches():
    one, other = kept(6, 40, []), kept(6, 40, [1, 2, 17, 33])
    np.testing.assert_array_equal(one.logits, other.logits)


def test_reservoir_keeps_columns_together():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((50, 4)).astype(np.float32)
    logits[3:9, 1] = -np.inf
    dense = rng.dirichlet(np.ones(4), 50).astype(np.float32) * (logits > -np.inf)
    weights = rng.random(50) * (np.arange(50) % 3 > 0)
    reservoir = Reservoir(100)
    for rows in np.split(np.arange(50), [7, 20]):
        reservoir.add(
            read_host_examples(
                dense[rows], logits[rows], sample_weight=weights[rows], from_logits=True
            )
        )
    whole = read_host_examples(dense, logits, sample_weight=weights, from_logits=True)
    for name in ("loss", "slope", "curvature", "bins", "weight"):
        np.testing.assert_allclose(
            getattr(tempered_sums(reservoir.examples(), [0.5, 2.0]), name),
            getattr(tempered_sums(whole, [0.5, 2.0]), name),
            rtol=1e-12,
        )


TEMPERATURES = (0.5, 1.0, 3.0)


@pytest.fixture
def data(rng):
    return rng.integers(0, 5, 60), (2 * rng.normal(size=(60, 5))).astype("float32")


def test_curve_equals_scaled_probabilities(data):
    y, z = data
    curve = temperature_curve(
        lambda x: x, [(z[:25], y[:25]), (z[25:], y[25:])], TEMPERATURES, from_logits=True
    )
    assert curve.num_examples == 60
    for t, nll, ece in zip(TEMPERATURES, curve.nll, curve.ece, strict=True):
        p = softmax(z / t, axis=-1)
        assert nll == pytest.approx(log_loss(y, p, labels=range(5)), rel=1e-5)
        expected = keras.ops.convert_to_numpy(expected_calibration_error(y, p))
        assert ece == pytest.approx(float(expected), abs=1e-6)


def test_padding_and_weights_of_zero_do_not_count(data):
    y, z = data
    weights = np.ones(60)
    weights[:10] = 0
    padded = np.where(np.arange(60) < 20, -1, y)
    curve = temperature_curve(
        lambda x: x, [(z, padded, weights)], (2.0,), ignore_class=-1, from_logits=True
    )
    expected = -log_softmax(z[20:] / 2, axis=-1)[np.arange(40), y[20:]].mean()
    assert curve.nll[0] == pytest.approx(expected, rel=1e-5)
    assert curve.num_examples == 40


@pytest.mark.parametrize("temperatures", [(), (0.0,), (1.0, float("nan")), (-1.0,)])
def test_temperatures_out_of_range_raise_input_errors(data, temperatures):
    with pytest.raises(InputError, match="Expected one or more temperatures"):
        temperature_curve(lambda x: x, [data[::-1]], temperatures, from_logits=True)


def test_data_set_without_examples_raises_input_error():
    with pytest.raises(InputError, match="at least one example"):
        temperature_curve(lambda x: x, [], (1.0,), from_logits=True)


@pytest.mark.parametrize("size", [60, 25])
def test_masked_positions_do_not_count(data, size):
    y, z = data
    keep = np.arange(60) % 3 > 0
    dirty = np.where(keep[:, None], z, np.nan)
    batches = [(dirty[i : i + size], y[i : i + size]) for i in range(0, 60, size)]
    options = {"temperatures": TEMPERATURES, "from_logits": True}
    found = temperature_curve(lambda x: x, batches, mask=keep, **options)
    expected = temperature_curve(lambda x: x, (z[keep], y[keep]), **options)
    assert found.num_examples == expected.num_examples == 40
    assert (found.nll, found.ece) == (pytest.approx(expected.nll), pytest.approx(expected.ece))
    for wrong in (keep[:-1], np.ones(61, bool), True):
        with pytest.raises(InputError, match="mask"):
            temperature_curve(lambda x: x, (z, y), mask=wrong, **options)
