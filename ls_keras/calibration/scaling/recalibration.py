"""Base class of all fits, their scores (NLL, Brier score, ECE), and L-BFGS on affine maps."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import keras
import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.numpy_examples import (
    HostExamples,
    blocks,
    check_any_counts,
    in_threads,
    read_host_examples,
    read_rows,
)
from ls_keras.metrics.binning import equal_width_edges

CHUNK = 1 << 19  # elements of float64 that one thread takes at a time


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Recalibration(BriefRepr):
    """A map from logits to calibrated logits, fitted on held-out examples.

    Attributes:
        nll_before: Mean negative log-likelihood of the fitted examples before, nats per example.
        nll_after: The same with the map.
        ece_before: Expected calibration error of the fitted examples before, in [0, 1].
        ece_after: The same with the map.
        num_examples: Examples that counted (not ignored, not masked, weight above 0).
    """

    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    num_examples: int

    def logits(self, y_pred, *, from_logits: bool = True) -> np.ndarray:
        """Returns calibrated logits, float64 `(..., K)`; their softmax is `probabilities`.

        Args:
            y_pred: Logits `(..., K)`, or probabilities.
            from_logits: Whether `y_pred` are logits. Default: `True`.

        Raises:
            InputError: If `y_pred` is not what `from_logits` says, or K is not that of the fit.
        """
        z, shape = self._read(y_pred, from_logits), np.shape(y_pred)
        scaled = self.scale_logits(z)
        return (np.diff(scaled) if self._of_sigmoids else scaled).reshape(shape)

    def probabilities(self, y_pred, *, from_logits: bool = False) -> np.ndarray:
        """Returns calibrated probabilities, float64 `(..., K)`.

        Args:
            y_pred: Probabilities `(..., K)`, or logits.
            from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.

        Raises:
            InputError: If `y_pred` is not what `from_logits` says, or K is not that of the fit.
        """
        p = np.exp(self.log_probabilities(self._read(y_pred, from_logits)))
        return (p[:, 1] if self._of_sigmoids else p).reshape(np.shape(y_pred))

    def scale_logits(self, z: np.ndarray) -> np.ndarray:
        """Returns calibrated logits of float64 logits, both `(N, K)`; −inf stays −inf."""
        raise NotImplementedError

    def make_layer(self, name: str) -> keras.layers.Layer:
        """Returns the Keras layer that maps the logits of a model."""
        raise NotImplementedError

    @property
    def num_classes(self) -> int | None:
        """Number of classes K, or `None` if the fit applies to any."""
        return None

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Returns calibrated log-probabilities of float64 logits, both `(N, K)`."""
        return log_softmax(self.scale_logits(z))

    def check_classes(self, number: int | None) -> None:
        """Raises an `InputError` if the fit is for another number of classes."""
        if None not in (number, self.num_classes) and number != self.num_classes:
            raise InputError(
                f"Expected a fit for the model's {number} classes. "
                f"Received: a fit for {self.num_classes} classes"
            )

    @classmethod
    def with_scores(
        cls, examples: HostExamples, num_bins: int, before: tuple[float, float], **values: Any
    ) -> Self:
        """Returns a fit with the scores of the fitted examples.

        Args:
            examples: The fitted examples.
            num_bins: Number of bins of the ECE.
            before: NLL and ECE without the map.
            **values: The attributes of the class of the fit.
        """
        unknown = {"nll_after": math.nan, "ece_after": math.nan}
        nll, ece = before
        number = len(examples)
        fit = cls(nll_before=nll, ece_before=ece, num_examples=number, **unknown, **values)
        after = score(examples, fit.log_probabilities, num_bins)
        return replace(fit, nll_after=after.nll, ece_after=after.ece)

    @property
    def _of_sigmoids(self) -> bool:
        return getattr(self, "multi_label", False)

    def _read(self, y_pred, from_logits: bool) -> np.ndarray:
        """Returns logits `(N, K)`; a sigmoid becomes two logits, `(N · K, 2)`."""
        y_pred = as_array(y_pred, "y_pred")
        examples = read_host_examples(
            np.zeros(y_pred.shape if self._of_sigmoids else y_pred.shape[:-1], np.int32),
            y_pred,
            from_logits=from_logits,
            label_may_be_forbidden=True,
            multi_label=self._of_sigmoids,
        )
        self.check_classes(examples.logits.shape[-1])
        return examples.logits.astype(np.float64)


class Scores(NamedTuple):
    """Weighted means over examples, and the ECE."""

    nll: float
    brier: float
    ece: float


class ExampleScores(NamedTuple):
    """Scores of each example: arrays `(n,)`, unweighted.

    Attributes:
        nll: Negative log-likelihood, float64, nats.
        brier: Brier score, float64, in [0, 2].
        confidence: Largest probability, float64.
        correct: Whether the most probable class is the target's, Boolean.
    """

    nll: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray

    @classmethod
    def empty(cls, number: int) -> Self:
        """Returns uninitialized arrays for a number of examples."""
        nll, brier, confidence = np.empty((3, number))
        return cls(nll, brier, confidence, np.empty(number, bool))


def read_fit_examples(
    y_true, y_pred, from_logits, sample_weight, mask, ignore_class, multi_label=False
) -> HostExamples:
    """Reads the arguments that every `fit_*` function shares; at least one example must count."""
    examples = read_host_examples(
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
        multi_label=multi_label,
    )
    check_any_counts(examples)
    return examples


def score(
    examples: HostExamples,
    log_probabilities: Callable[[np.ndarray], np.ndarray],
    num_bins: int = 15,
) -> Scores:
    """Returns the mean scores of examples whose logits go through a map.

    Args:
        examples: At least one example.
        log_probabilities: Maps float64 logits `(n, K)` to normalized log-probabilities.
        num_bins: Number of bins of the ECE.
    """
    each, weights = example_scores(examples, log_probabilities), examples.weights
    total = weights.sum()
    bins = bin_sums(each.confidence[None], each.correct, weights, num_bins)[0]
    return Scores(
        float(weights @ each.nll / total),
        float(weights @ each.brier / total),
        float(np.abs(bins[1] - bins[2]).sum() / total),
    )


def example_scores(
    examples: HostExamples, log_probabilities: Callable[[np.ndarray], np.ndarray]
) -> ExampleScores:
    """Returns the scores of each example, in one pass over the logits.

    Args:
        examples: Examples to score.
        log_probabilities: Maps float64 logits `(n, K)` to normalized log-probabilities.
    """
    n, num_classes = len(examples), examples.logits.shape[1]
    each = ExampleScores.empty(n)
    size = max(1, CHUNK // num_classes)

    def run(start: int) -> None:
        for at in blocks(start, min(start + size, n), num_classes):
            z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            log_p = log_probabilities(z)
            p, index = np.exp(log_p), np.arange(len(z))
            square = np.einsum("ij,ij->i", p, p)
            if examples.labels is not None:
                labels = examples.labels[at]
                each.nll[at] = -log_p[index, labels]
                each.brier[at] = square - 2 * p[index, labels] + 1
            else:
                y = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
                y = y.astype(np.float64)
                labels = y.argmax(-1)
                each.nll[at] = -(y * np.where(y == 0, 0, log_p)).sum(-1)  # 0 · −inf counts as 0
                each.brier[at] = square - 2 * (y * p).sum(-1) + np.square(y).sum(-1)
            guess = log_p.argmax(-1)
            each.confidence[at] = p[index, guess]
            each.correct[at] = guess == labels

    in_threads(run, range(0, n, size))
    return each


def log_softmax(z: np.ndarray, temperature: float | np.ndarray = 1.0) -> np.ndarray:
    """Returns log softmax(z/T) of float64 logits `(N, K)`, which may hold −inf.

    Args:
        z: Logits.
        temperature: T, a number or one for each row, `(N, 1)`.
    """
    scaled = (z - z.max(-1, keepdims=True)) / temperature
    return scaled - np.log(np.exp(scaled).sum(-1, keepdims=True))


def bin_sums(confidence, correct, weights, num_bins) -> np.ndarray:
    """Sums weight, confidence and accuracy `(B, 3, num_bins)` of confidences `(B, n)` by bin."""
    edges = equal_width_edges(num_bins)[1:-1]
    sums = np.empty((len(confidence), 3, num_bins))
    hits = weights * correct
    for out, row in zip(sums, confidence.astype(np.float32), strict=True):
        index = np.searchsorted(edges, row, side="left")  # left-open, right-closed
        for to, values in zip(out, (weights, weights * row, hits), strict=True):
            to[:] = np.bincount(index, values, num_bins)
    return sums


def minimize_nll(
    examples: HostExamples,
    start: np.ndarray,
    *,
    features: Callable[[np.ndarray], np.ndarray],
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray],
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray],
    penalty: Callable[[np.ndarray], tuple[float, np.ndarray | float]],
    max_iterations: int,
    tolerance: float,
) -> tuple[np.ndarray, int, bool]:
    """Minimizes mean NLL plus penalty of an affine map of the logits by L-BFGS.

    Gradients are analytic, in float64, over blocks of rows.

    Args:
        examples: At least one example.
        start: First parameters `(P,)`.
        features: Maps logits `(N, K)` to features `(N, K)`; −inf may map to any value.
        apply: Maps parameters and features to logits `(N, K)`.
        gradient: Maps dNLL/dlogits and features to the gradient by the parameters.
        penalty: Maps parameters to a value and its gradient.
        max_iterations: Largest number of L-BFGS iterations.
        tolerance: Largest entry of the gradient at which the search ends.

    Returns:
        Parameters, number of iterations, and whether the gradient is below the tolerance.
    """
    from scipy.optimize import minimize  # imported late: it takes long

    def loss(parameters: np.ndarray):
        value, slope = _mean_nll(examples, features, apply, gradient, parameters)
        cost, extra = penalty(parameters)
        return value + cost, slope + extra

    options = {
        "maxiter": max_iterations,
        "maxfun": 2 * max_iterations + 50,
        "gtol": tolerance,
        "ftol": 0.0,
    }
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return best.x, int(best.nit), bool(np.abs(best.jac).max() <= tolerance)


def _mean_nll(examples: HostExamples, features, apply, gradient, parameters: np.ndarray):
    """Returns the mean NLL and its gradient by the parameters."""
    num_classes = examples.logits.shape[1]
    size = max(1, CHUNK // num_classes)

    def run(start: int):
        value, total = 0.0, np.zeros_like(parameters)
        for at in blocks(start, min(start + size, len(examples)), num_classes):
            z = read_rows(examples.logits, examples.rows, at).astype(np.float64)
            absent = z == -np.inf
            x = features(z)
            x[absent] = 0
            scaled = apply(parameters, x)
            scaled[absent] = -np.inf
            log_p, weights = log_softmax(scaled), examples.weights[at]
            if examples.labels is not None:
                index, labels = np.arange(len(z)), examples.labels[at]
                value -= weights @ log_p[index, labels]
                g = np.exp(log_p) * weights[:, None]
                g[index, labels] -= weights
            else:
                y = read_rows(examples.dense, examples.rows, at)  # type: ignore[arg-type]
                value -= weights @ (y * np.where(y == 0, 0, log_p)).sum(-1)
                mass = examples.mass[at]  # type: ignore[index]
                g = (np.exp(log_p) * mass[:, None] - y) * weights[:, None]
            total += gradient(g, x)
        return value, total

    parts = in_threads(run, range(0, len(examples), size))
    weight = examples.weights.sum()
    value, slope = (sum(part[i] for part in parts) / weight for i in range(2))
    return float(value), slope
