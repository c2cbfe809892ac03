"""Uncertainty of a temperature: folds of groups, held-out scores, influence on gains, interval."""

import numpy as np

from ls_keras.calibration.curves.intervals import Interval, mean_noise
from ls_keras.calibration.scaling.recalibration import (
    ExampleScores,
    example_scores,
    log_softmax,
)
from ls_keras.calibration.scaling.temperature import TemperatureFit, fit_examples
from ls_keras.inputs.numpy_examples import HostExamples, blocks, in_threads, read_rows


def fold_ids(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Returns the fold `(n,)` of each example; groups are shuffled and not split.

    Args:
        groups: Integers `(n,)`.
        folds: Number of folds; with fewer groups, each group is a fold.
        seed: Seed of the shuffle.

    Example:
        >>> import numpy as np
        >>> from ls_keras.diagnosis.temperature import fold_ids
        >>> np.bincount(fold_ids(np.repeat(np.arange(10), 3), 5, seed=0)).tolist()
        [6, 6, 6, 6, 6]
    """
    unit = np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(unit.max()) + 1)
    return order[unit] % folds


def scale_held_out(examples: HostExamples, ids: np.ndarray) -> tuple[ExampleScores, np.ndarray]:
    """Fits a temperature to all folds but one, and scores that one with it, for each fold.

    Args:
        examples: At least one in each of two folds.
        ids: Fold of each example, integers `(n,)`.

    Returns:
        Scores of each example at the temperature that is best for the other folds, and that
        temperature, float64 `(n,)`.
    """
    each, temperatures = ExampleScores.empty(len(ids)), np.empty(len(ids))
    for fold in np.unique(ids):
        held_out = ids == fold
        temperature = fit_examples(examples.chosen(~held_out)).temperature
        temperatures[held_out] = temperature
        found = example_scores(
            examples.chosen(held_out),
            lambda z, t=temperature: log_softmax(z, t),  # type: ignore[misc]
        )
        for to, values in zip(each, found, strict=True):
            to[held_out] = values
    return each, temperatures


def influence_by_folds(
    examples: HostExamples, temperatures: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how much each example moves held-out gains through the temperatures of the folds.

    A gain depends on an example twice: by its own score, and by the temperatures that are fitted
    to it. The second part has mean 0. Without it, intervals of the gain are half as wide as they
    should be where the best T is near 1: those of calibrated models then lie below 0 too often.

    Args:
        examples: All examples.
        temperatures: T of each example, from `scale_held_out`.
        ids: Fold of each example.

    Returns:
        Influences on the gains of NLL and Brier score, float64 `(n,)` each, to be added to the
        gains of the examples.
    """
    by_nll, by_brier, curvature = slopes(examples, 1 / temperatures)
    weights = examples.weights
    of_nll, of_brier = np.zeros((2, len(ids)))
    if not curvature:
        return of_nll, of_brier
    for fold in np.unique(ids):
        held_out, others = ids == fold, ids != fold
        weight = weights[others].sum()
        # At the best T of these folds, their mean slope is 0; one Newton step moves β.
        step = np.average(by_nll[others], weights=weights[others]) - by_nll[others]
        step /= curvature * weight
        of_nll[others] -= weights[held_out] @ by_nll[held_out] * step
        of_brier[others] -= weights[held_out] @ by_brier[held_out] * step
    return of_nll, of_brier


def temperature_interval(
    examples: HostExamples,
    fit: TemperatureFit,
    groups: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> Interval:
    r"""Returns the interval of a temperature that was fitted to the NLL.

    $$\beta^* = \hat\beta - \frac{\overline{s}^*}{\overline{h}}, \qquad T^* = 1 / \beta^*$$

    with s and h the first and second derivative of an example's loss by β = 1/T: one Newton step
    from the optimum of the data to that of each resample. It takes one pass over the logits.

    Args:
        examples: The fitted examples.
        fit: Result of `fit_temperature` with `objective="nll"`.
        groups: Integers `(n,)`: examples of one group are resampled together.
        level: Level of the interval, such as 0.95.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Returns:
        (NaN, NaN) if all logits are equal, if the optimum is at a bound, or with a single group.
        The upper end is infinite if the data exclude no large temperature.
    """
    beta = 1 / fit.temperature
    unknown = float("nan"), float("nan")
    if fit.flat or fit.at_bound:
        return unknown
    slope, _, curvature = slopes(examples, beta)
    noise = mean_noise(slope, examples.weights, groups, resamples, seed)
    if noise is None or not curvature:
        return unknown
    ends = np.quantile(beta - noise / curvature, [(1 + level) / 2, (1 - level) / 2])
    low, high = (float(1 / end) if end > 0 else float("inf") for end in ends)
    return low, high


def slopes(examples: HostExamples, betas) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns the derivatives of NLL and Brier score by the inverse temperature.

    Args:
        examples: At least one.
        betas: Inverse temperature, a number or one for each example, `(n,)`.

    Returns:
        First derivatives of the NLL and of the Brier score of each example, float64 `(n,)`, and the
        weighted mean of the NLL's second derivative.
    """
    n, num_classes = len(examples), examples.logits.shape[1]
    nll, brier, variance = np.empty((3, n))
    mass = np.ones(n) if examples.mass is None else examples.mass
    betas = np.broadcast_to(betas, n)

    def run(at: slice) -> None:
        d = read_rows(examples.logits, examples.rows, at).astype(np.float64)
        d -= examples.top[at][:, None]
        np.maximum(d, -1e30, out=d)  # in place of −inf, whose product with 0 would be NaN
        p = np.exp(betas[at][:, None] * d)
        p /= p.sum(-1, keepdims=True)
        mean = np.einsum("ij,ij->i", p, d)
        variance[at] = np.maximum(np.einsum("ij,ij,ij->i", p, d, d) - mean**2, 0)
        nll[at] = mass[at] * mean - examples.gap[at]
        changes = p * (d - mean[:, None])  # dp/dβ
        brier[at] = 2 * np.einsum("ij,ij->i", p, changes)
        if examples.labels is not None:
            brier[at] -= 2 * changes[np.arange(len(d)), examples.labels[at]]
        elif examples.dense is not None:
            y = read_rows(examples.dense, examples.rows, at)
            brier[at] -= 2 * np.einsum("ij,ij->i", y, changes)

    in_threads(run, list(blocks(0, n, num_classes)))
    curvature = float(examples.weights @ (mass * variance) / examples.weights.sum())
    return nll, brier, curvature
