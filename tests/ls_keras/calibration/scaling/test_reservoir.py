import numpy as np

from ls_keras.calibration.scaling.temperature_dataset import Reservoir
from ls_keras.calibration.scaling.temperature_sums import tempered_sums
from ls_keras.inputs.numpy_examples import read_host_examples


def numbered(n):
    logits = np.stack([np.arange(n), np.zeros(n)], axis=1).astype(np.float32)
    return logits


def kept(capacity, n, cuts, seed=0):
    reservoir = Reservoir(capacity, seed)
    logits = numbered(n)
    for part in np.split(np.arange(n), cuts):
        reservoir.add(read_host_examples(np.zeros(len(part), int), logits[part], from_logits=True))
    return reservoir.examples()


def test_everything_is_kept_in_order_where_it_fits():
    examples = kept(10, 7, [3])
    np.testing.assert_array_equal(examples.logits, numbered(7))
    assert len(examples) == 7


def test_every_example_has_the_same_chance():
    counts = np.zeros(30)
    for seed in range(3_000):
        examples = kept(6, 30, [4, 19], seed)
        assert len(np.unique(examples.logits[:, 0])) == 6
        counts[examples.logits[:, 0].astype(int)] += 1
    # Binomial(3000, 1/5): 600 ± 21.9; five standard deviations.
    assert np.abs(counts - 600).max() < 110


def test_the_draw_does_not_depend_on_the_batches():
    one, other = kept(6, 40, []), kept(6, 40, [1, 2, 17, 33])
    np.testing.assert_array_equal(one.logits, other.logits)


def test_columns_stay_together():
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
