"""What every recalibration of probabilities has: scores before and after, arrays, a layer."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import keras
import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.temperature_sums import bin_sums
from ls_keras.inputs.numpy_examples import (
    HostExamples,
    blocks,
    in_threads,
    read_host_examples,
    read_rows,
)

_CHUNK = 1 << 19  # elements of float64 that one thread takes at a time


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Recalibration(BriefRepr):
    """A map of probabilities to probabilities that was fitted on held-out examples.

    Attributes:
        nll_before: Mean negative log-likelihood before, nats an example, on the fitted examples.
        nll_after: The same after.
        ece_before: Expected calibration error before.
        ece_after: The same after.
        num_examples: Examples that counted.
    """

    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float
    num_examples: int

    def probabilities(self, y_pred, *, from_logits: bool = False) -> np.ndarray:
        """Returns recalibrated probabilities, float64 `(..., K)`.

        Args:
            y_pred: `(..., K)`: probabilities, or logits.
            from_logits: Whether `y_pred` are logits.

        Raises:
            InputError: If they are neither, or of another number of classes.
        """
        y_pred = as_array(y_pred, "y_pred")
        examples = read_host_examples(
            np.zeros(y_pred.shape[:-1], np.int32),
            y_pred,
            from_logits=from_logits,
            label_may_be_forbidden=True,
        )
        self.check_classes(y_pred.shape[-1])
        log_p = self.log_probabilities(examples.logits.astype(np.float64))
        return np.exp(log_p).reshape(y_pred.shape)

    def scored(self, examples: HostExamples, num_bins: int) -> Self:
        """Returns the same with the scores after the map, of the examples it was fitted on."""
        after = score(examples, self.log_probabilities, num_bins)
        return replace(self, nll_after=after.nll, ece_after=after.ece)

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Returns recalibrated log-probabilities of float64 logits, both `(N, K)`."""
        raise NotImplementedError

    def layer(self, name: str) -> keras.layers.Layer:
        """Returns the layer that does the same to logits in a model."""
        raise NotImplementedError

    @property
    def num_classes(self) -> int | None:
        """K; `None` where it does for any."""
        return None

    def check_classes(self, number: int | None) -> None:
        """Raises an `InputError` if the fit is for another number of classes."""
        if None not in (number, self.num_classes) and number != self.num_classes:
            raise InputError(
                f"Expected a fit for the model's {number} classes. "
                f"Received: one for {self.num_classes} classes"
            )


class Scores(NamedTuple):
    """Weighted means over examples, and the ECE."""

    nll: float
    brier: float
    ece: float


class ExampleScores(NamedTuple):
    """What each example adds to the scores: arrays `(n,)`, unweighted.

    Attributes:
        nll: float64, nats.
        brier: float64, in [0, 2].
        confidence: float64, the largest probability.
        correct: Boolean.
    """

    nll: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray

    @classmethod
    def empty(cls, number: int) -> Self:
        """Returns arrays of so many examples, to be filled."""
        nll, brier, confidence = np.empty((3, number))
        return cls(nll, brier, confidence, np.empty(number, bool))


def score(
    examples: HostExamples,
    log_probabilities: Callable[[np.ndarray], np.ndarray],
    num_bins: int = 15,
) -> Scores:
    """Returns the scores of examples whose logits go through a map.

    Args:
        examples: What is scored, at least one.
        log_probabilities: Takes float64 logits `(n, K)`, returns normalized log-probabilities.
        num_bins: Bins of the ECE.
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
        examples: What is scored.
        log_probabilities: As for `score`.
    """
    n, num_classes = len(examples), examples.logits.shape[1]
    each = ExampleScores.empty(n)
    size = max(1, _CHUNK // num_classes)

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
                each.nll[at] = -(y * np.where(y == 0, 0, log_p)).sum(-1)  # 0 · −inf costs nothing
                each.brier[at] = square - 2 * (y * p).sum(-1) + np.square(y).sum(-1)
            guess = log_p.argmax(-1)
            each.confidence[at] = p[index, guess]
            each.correct[at] = guess == labels

    in_threads(run, range(0, n, size))
    return each


def tempered_log_probabilities(
    z: np.ndarray, temperature: float | np.ndarray = 1.0, mixing: float = 0.0
) -> np.ndarray:
    """Returns log((1 − ε) softmax(z/T) + ε/K) `(N, K)`; a class of −inf keeps it, others share ε.

    Args:
        z: float64 logits `(N, K)`.
        temperature: T, or one for each row, `(N, 1)`.
        mixing: ε.
    """
    scaled = (z - z.max(-1, keepdims=True)) / temperature
    log_p = scaled - np.log(np.exp(scaled).sum(-1, keepdims=True))
    if not mixing:
        return log_p
    allowed = z != -math.inf
    with np.errstate(divide="ignore"):
        share = np.log(mixing * allowed / allowed.sum(-1, keepdims=True))
    return np.logaddexp(math.log1p(-mixing) + log_p, share) if mixing < 1 else share
