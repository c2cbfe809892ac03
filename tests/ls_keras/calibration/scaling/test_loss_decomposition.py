import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedKFold

from ls_base.errors import InputError
from ls_keras.calibration import fit_mixed_temperature, loss_decomposition


def sample(rng, number=900, classes=4):
    z = rng.normal(size=(number, classes)) * 3
    return (z / 2 + rng.gumbel(size=z.shape)).argmax(-1), z


def losses(p, y):
    target = np.eye(p.shape[1])[y]
    return -np.log(p[np.arange(len(y)), y]).mean(), ((p - target) ** 2).sum(-1).mean()


def test_parts_add_up_to_losses(rng):
    y, z = sample(rng)
    parts = loss_decomposition(y, z, from_logits=True)
    nll, brier = losses(softmax(z, -1), y)
    assert parts.nll == pytest.approx(nll)
    assert parts.brier == pytest.approx(brier)
    assert parts.nll_refinement + parts.nll_calibration == pytest.approx(nll)
    assert parts.brier_refinement + parts.brier_calibration == pytest.approx(brier)
    assert parts.nll_calibration > 0.05
    assert parts.brier_calibration > 0.01
    assert parts.num_examples == 900


def test_refinement_equals_loss_of_calibrated_logits(rng):
    """Logits of calibrated predictions, doubled: halved again nothing is left to gain."""
    y, z = sample(rng, 50_000)
    parts = loss_decomposition(y, z, from_logits=True)
    nll, brier = losses(softmax(z / 2, -1), y)
    assert parts.nll_refinement == pytest.approx(nll, abs=1e-4)
    assert parts.brier_refinement == pytest.approx(brier, abs=1e-3)
    calibrated = loss_decomposition(y, z / 2, from_logits=True)
    assert abs(calibrated.nll_calibration) < 1e-3


def test_folds_are_scored_with_fits_to_other_folds(rng):
    y, z = sample(rng, 300)
    folds = rng.integers(0, 3, 300)
    p = np.empty(z.shape)
    for k in range(3):
        found = fit_mixed_temperature(y[folds != k], z[folds != k], from_logits=True)
        p[folds == k] = found.probabilities(z[folds == k], from_logits=True)
    parts = loss_decomposition(y, z, from_logits=True, folds=folds)
    assert (parts.nll_refinement, parts.brier_refinement) == pytest.approx(losses(p, y), rel=1e-6)


def test_order_masks_weights_and_dense_targets(rng):
    y, z = sample(rng)
    folds = np.arange(900) % 4
    expected = dataclasses.astuple(loss_decomposition(y, z, from_logits=True, folds=folds))
    order = rng.permutation(900)
    wide = np.concatenate([z, np.full((5, 4), np.nan)]), np.r_[y, [-1] * 5], np.r_[folds, [9] * 5]
    found = {
        "order": loss_decomposition(y[order], z[order], from_logits=True, folds=folds[order]),
        "ignored": loss_decomposition(
            wide[1], wide[0], from_logits=True, ignore_class=-1, folds=wide[2]
        ),
        "one hot": loss_decomposition(np.eye(4)[y], z, from_logits=True, folds=folds),
        "probabilities": loss_decomposition(y, softmax(z, -1), folds=folds),
        "weights": loss_decomposition(
            y, z, from_logits=True, folds=folds, sample_weight=np.full(900, 0.5)
        ),
        "batch × time": loss_decomposition(
            y.reshape(225, 4, order="F"),
            z.reshape(225, 4, 4, order="F"),
            from_logits=True,
            folds=folds.reshape(225, 4, order="F"),
        ),
    }
    for what, parts in found.items():
        assert dataclasses.astuple(parts) == pytest.approx(expected, abs=1e-5), what


@pytest.mark.peers
@pytest.mark.parametrize("folds", [None, 5])
def test_equals_probmetrics(rng, folds):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("probmetrics.metrics")
    y, z = sample(rng)
    p = softmax(z.astype(np.float32), -1).astype(np.float64)
    p /= p.sum(-1, keepdims=True)
    end = f"ts-mix_{'all' if folds is None else 'cv-5'}"
    names = [f"{part}_{loss}_{end}" for loss in ("logloss", "brier")
             for part in ("refinement", "calib-err")]  # fmt: skip
    expected = metrics.Metrics.from_names(names).compute_all_from_labels_probs(
        torch.as_tensor(y), torch.as_tensor(p)
    )
    ids = None
    if folds is not None:
        ids = np.empty(len(y), int)
        splits = StratifiedKFold(5, shuffle=True, random_state=0).split(np.zeros(len(y)), y)
        for k, (_, held_out) in enumerate(splits):
            ids[held_out] = k
    parts = loss_decomposition(y, p, folds=ids)
    found = (
        parts.nll_refinement,
        parts.nll_calibration,
        parts.brier_refinement,
        parts.brier_calibration,
    )
    assert found == pytest.approx([float(expected[n]) for n in names], abs=2e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": np.zeros(20, int)}, "at least two ids.*0 for all"),
        ({"folds": np.zeros(20)}, "folds to be integers"),
        ({"folds": np.arange(3)}, r"folds of shape \(20,\)"),
    ],
)
def test_wrong_arguments_raise_input_errors(rng, options, message):
    y, z = sample(rng, 20)
    with pytest.raises(InputError, match=message):
        loss_decomposition(y, z, from_logits=True, **options)


def test_forbidden_class_with_target_zero_adds_no_loss(rng):
    y, z = sample(rng, 200)
    z[y != 0, 0] = -np.inf
    parts = loss_decomposition(np.eye(4)[y], z, from_logits=True)
    assert parts.nll == pytest.approx(-log_softmax(z, -1)[np.arange(200), y].mean())
