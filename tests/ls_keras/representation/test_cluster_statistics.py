import functools
import json

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.representation import (
    ClusterAccumulator,
    cluster_statistics,
    confidence_spread,
    mean_logits,
)

ARRAYS = ("counts", "spread", "own_distance", "other_distance", "equidistance")


@pytest.fixture
def data(rng):
    w = rng.normal(size=(7, 5)).astype("float32")
    y = rng.integers(0, 4, 40)
    x = (2 * w.T[y, :6] + rng.normal(size=(40, 6))).astype("float32")
    return y, x, w


def assert_same(one, other, rtol=1e-4):
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=1e-5)
    assert one.between == pytest.approx(other.between, rel=rtol)


def test_statistics_equal_a_direct_computation(data):
    y, x, w = data
    found = cluster_statistics(y, x, w)
    ones = np.concatenate([x, np.ones((40, 1))], 1)
    centered = w - w.mean(1, keepdims=True)
    # The library avoids this array of 40 × 5 × 7.
    distances = np.linalg.norm(ones[:, None, :] - centered.T[None], axis=-1)
    for k in range(4):
        rows = y == k
        others = np.delete(distances[rows], k, axis=1)
        assert found.counts[k] == rows.sum()
        means = ones[rows].mean(0)
        spread = np.sqrt(((ones[rows] - means) ** 2).sum(1).mean())
        assert found.spread[k] == pytest.approx(spread, rel=1e-5)
        assert found.own_distance[k] == pytest.approx(distances[rows, k].mean(), rel=1e-5)
        assert found.other_distance[k] == pytest.approx(others.mean(), rel=1e-5)
        variation = (others.std(1) / others.mean(1)).mean()
        assert found.equidistance[k] == pytest.approx(variation, rel=1e-4)
    assert found.counts[4] == 0
    assert np.isnan(found.equidistance[4])
    class_means = np.stack([ones[y == k].mean(0) for k in y])
    between = np.sqrt(((class_means - ones.mean(0)) ** 2).sum(1).mean())
    assert found.between == pytest.approx(between, rel=1e-5)


def test_a_vector_added_to_all_templates_changes_nothing(data):
    y, x, w = data
    moved = w + np.linspace(-20, 20, 7, dtype="float32")[:, None]
    assert_same(cluster_statistics(y, x, w), cluster_statistics(y, x, moved), rtol=1e-3)


def test_in_span_ignores_activations_outside_the_span(data, rng):
    y, x, w = data
    ones = np.concatenate([x, np.ones((40, 1), "float32")], 1)
    centered = w - w.mean(1, keepdims=True)
    left, scale, _ = np.linalg.svd(centered)
    outside = left[:, int((scale > 1e-5).sum()) :]
    assert outside.shape[1] == 3
    moved = ones + 30 * rng.normal(size=(40, 3)) @ outside.T
    np.testing.assert_allclose(moved @ centered, ones @ centered, atol=1e-4)
    assert_same(
        cluster_statistics(y, ones, w, in_span=True),
        cluster_statistics(y, moved, w, in_span=True),
        rtol=2e-3,
    )
    plain = [cluster_statistics(y, a, w).summary()["equidistance"] for a in (ones, moved)]
    assert plain[1] < plain[0] / 2


def test_in_span_changes_nothing_with_more_classes_than_features(rng):
    w, y = rng.normal(size=(3, 6)), rng.integers(0, 6, 20)
    x = rng.normal(size=(20, 3))
    assert_same(cluster_statistics(y, x, w), cluster_statistics(y, x, w, in_span=True))


def test_a_simplex_is_equidistant():
    w = np.eye(6)
    found = cluster_statistics(np.arange(6), np.eye(6) * 3, w)
    np.testing.assert_allclose(found.equidistance, 0, atol=1e-6)
    np.testing.assert_allclose(found.spread, 0, atol=1e-6)
    assert found.summary()["relative_spread"] == pytest.approx(0, abs=1e-6)


def test_batches_padding_and_masks_give_the_same_statistics(data):
    y, x, w = data
    clusters = ClusterAccumulator(w)
    for start in range(0, 40, 13):
        clusters.update(y[start : start + 13], x[start : start + 13])
    whole = cluster_statistics(y, x, w)
    assert_same(whole, clusters.result(), rtol=1e-5)
    labels = np.full((5, 10), -1)
    labels[:, :8] = y.reshape(5, 8)
    activations = np.full((5, 10, 6), np.nan, "float32")
    activations[:, :8] = x.reshape(5, 8, 6)
    assert_same(whole, cluster_statistics(labels, activations, w, ignore_class=-1), rtol=1e-5)
    masked = cluster_statistics(np.abs(labels), activations, w, mask=labels >= 0)
    assert_same(whole, masked, rtol=1e-5)


def test_summary_and_rows_can_be_stored_as_json(data):
    found = cluster_statistics(*data)
    rows = found.rows(["a", "b", "c", "d", "e"])
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    assert json.loads(json.dumps(rows)) == rows
    summary = found.summary()
    weights = found.counts[:4] / 40
    assert summary["equidistance"] == pytest.approx(weights @ found.equidistance[:4])
    assert summary["spread"] == pytest.approx(np.sqrt(weights @ found.spread[:4] ** 2))
    assert summary["relative_spread"] == pytest.approx(summary["spread"] / found.between)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, x, w: (np.full(40, 5), x, w), "labels in \\[0, 5\\)"),
        (lambda y, x, w: (y[:7], x, w), "labels of shape \\(40,\\)"),
        (lambda y, x, w: (np.eye(5)[y], x, w), "integer labels"),
        (lambda y, x, w: (y, x[:, :4], w), "features"),
        (lambda y, x, w: (y, x * np.nan, w), "NaN"),
        (lambda y, x, w: (y[:0], x[:0], w), "at least one example"),
    ],
)
def test_wrong_arguments_raise_input_errors(data, change, message):
    with pytest.raises(InputError, match=message):
        cluster_statistics(*change(*data))


@pytest.mark.parametrize("template", [np.zeros((6, 1)), np.full((6, 1), 0.1)])
def test_equal_templates_with_in_span_raise_an_input_error(data, template):
    y, x, w = data
    alike = np.repeat(template[: w.shape[0]], w.shape[1], axis=1).astype("float32")
    with pytest.raises(InputError, match="Expected templates that differ"):
        cluster_statistics(y, x, alike, in_span=True)


def test_statistics_use_the_keras_mask(rng):
    tokens = np.array([[1, 2, 0], [4, 3, 0]])
    y = np.array([[0, 1, 2], [1, 2, 2]])
    x = keras.layers.Embedding(5, 4, mask_zero=True)(tokens)
    w = rng.normal(size=(4, 3)).astype("float32")
    at = tokens > 0
    plain = np.asarray(keras.ops.convert_to_numpy(x))
    found = cluster_statistics(y, x, w)
    assert list(found.counts) == [1, 2, 1]
    assert_same(found, cluster_statistics(y, plain, w, mask=at))
    spread = functools.partial(confidence_spread, from_logits=True)
    for read, name in ((mean_logits, "matrix"), (spread, "mean")):
        found, expected = (getattr(one, name) for one in (read(y, x), read(y, plain, mask=at)))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
