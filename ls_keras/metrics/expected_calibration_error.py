"""Expected calibration error: the metric and the function."""

from typing import Any, get_args

import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend import exact_sum
from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor, to_numpy_or_none
from ls_keras.backend.warnings import warn_caller
from ls_keras.inputs.numpy_examples import to_host
from ls_keras.inputs.probabilities import (
    Examples,
    class_labels,
    confidence_and_correct,
    probabilities,
)
from ls_keras.inputs.registry import METRICS
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_choice, as_flag
from ls_keras.metrics.base import CalibrationMetric
from ls_keras.metrics.binning import check_num_bins
from ls_keras.metrics.calibration_error import Norm, calibration_error
from ls_keras.metrics.chunked_sum import sum_over_rows
from ls_keras.metrics.confidence_histogram import Binning, ConfidenceHistogram
from ls_keras.metrics.numpy_top_label import TopLabels, read_top_labels

_WHOLE = 1 << 22  # examples whose counts a float32 increment holds exactly


@METRICS.register("ece")
class ExpectedCalibrationError(CalibrationMetric):
    """Expected calibration error: how far confidence is from accuracy, over bins of confidence.

        ECE = Σ_b (n_b / N) |accuracy_b − confidence_b|                         norm="l1"
        root mean square: (Σ_b (n_b / N) (accuracy_b − confidence_b)²)^½        norm="l2"
        maximum calibration error: max_b |accuracy_b − confidence_b|            norm="max"

    The confidence of an example is its largest probability; the prediction is correct if that class
    is the target's (for dense targets: their largest entry). With `multi_label`, every entry is an
    example, its confidence is the probability of label 1, and its accuracy the frequency of label
    1, as in torchmetrics' `BinaryCalibrationError` and scikit-learn's `calibration_curve`.

    Bins are left-open and right-closed with float32 edges b/B; confidence 0.0 is in the first bin,
    1.0 in the last. (netcal and torchmetrics close bins on the left, and torchmetrics puts 1.0 into
    an extra bin.)

    Equal-mass bins come from a fixed histogram of 5,890 cells, finer towards 0 and 1, that is
    merged when the result is read; a cell that contains an edge is divided in proportion. The
    `"l1"` result differs from exact equal-mass binning by at most `equal_mass_error_bound()`, which
    is small unless many confidences are equal; then exact equal-mass binning depends on the order
    of the examples.

    The state is O(bins), or O(bins × K) with `classwise`. Its sums stay exact past 2^24 examples
    (`ls_keras.backend.exact_sum`), do not depend on batches, and add up over replicas under
    `tf.distribute`.

    NaN predictions raise `InputError` in eager use. In a compiled graph they are left out of the
    bins and counted in `nan_count`, and reading or resetting the metric eagerly warns. Before the
    first example that counts, the result is NaN.

    Args:
        num_bins: Number of bins, B.
        norm: `"l1"`, `"l2"` or `"max"`, as above.
        binning: `"equal_width"`, or `"equal_mass"` for bins that hold 1/B of the examples each.
        classwise: Whether to return the mean over the K classes of the error of each class, with
            the probability of the class as confidence and "is the target's class" as correct. With
            `multi_label`: the mean over the labels that count.
        debias: Whether to subtract the variance of each bin's accuracy, acc_b (1 − acc_b) /
            (n_b − 1), from its squared gap (only with `norm="l2"`), without which the estimate is
            too large (Kumar et al.); bins of one example add nothing. With sample weights, n_b is
            the effective number (Σw)² / Σw².
        **arguments: `from_logits`, `ignore_class`, `name`, `dtype` and `multi_label`, see
            `CalibrationMetric`.

    Raises:
        InputError: If an argument is not one of these values.

    Example:
    >>> import ls_keras
    >>> ece = ls_keras.ExpectedCalibrationError(num_bins=2)
    >>> ece.update_state([0, 1, 0, 0], [[0.75, 0.25]] * 4)
    >>> float(ece.result())  # confidence 0.75, and three of four are right
    0.0
    >>> ece.update_state([1, 1, 1, 1], [[0.75, 0.25]] * 4)
    >>> float(ece.result())  # |3/8 − 0.75|
    0.375

    References:
        Naeini, Cooper, Hauskrecht, *Obtaining Well Calibrated Probabilities Using Bayesian
        Binning*, AAAI 2015; Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017;
        Nixon et al., *Measuring Calibration in Deep Learning*, 2019; Kumar, Liang, Ma, *Verified
        Uncertainty Calibration*, NeurIPS 2019.
    """

    default_name = "ece"

    def __init__(
        self,
        num_bins: int = 15,
        *,
        norm: Norm = "l1",
        binning: Binning = "equal_width",
        classwise: bool = False,
        debias: bool = False,
        **arguments,
    ):
        super().__init__(**arguments)
        as_choice(norm, "norm", get_args(Norm))
        as_choice(binning, "binning", get_args(Binning))
        as_flag(classwise, "classwise")
        if as_flag(debias, "debias") and norm != "l2":
            raise InputError(f'Expected norm="l2" with debias=True. Received: norm={norm!r}')
        self.num_bins = check_num_bins(num_bins)
        self.norm = norm
        self.binning = binning
        self.classwise = classwise
        self.debias = debias
        self._histogram = ConfidenceHistogram(self.num_bins, binning, classwise, squares=debias)
        self._bins: Any = None
        self._nan = self.add_variable((exact_sum.WORDS,), "zeros", dtype="float32", name="nan")
        if not classwise:
            self.build(None)

    def build(self, num_classes: int | None):
        """Creates the state; with `classwise`, the first update does, when K is known."""
        if self._bins is None:
            shape = (exact_sum.WORDS, *self._histogram.shape(num_classes))
            self._bins = self.add_variable(shape, "zeros", dtype="float32", name="bins")

    def build_for(self, state) -> None:
        """Creates the state of a classwise metric for stored arrays."""
        if len(state) > 1:
            self.build(state[1].shape[-2])  # words × rows × classes × bins

    def add_on_host(self, y_true, y_pred, **options) -> bool:
        """Adds a batch with NumPy if it can: 3 to 20 times faster (`benchmarks/calibration.py`)."""
        if self.classwise:
            return False
        y_pred = y_pred if isinstance(y_pred, np.ndarray) else as_tensor(y_pred, "y_pred")
        top = read_top_labels(y_true, y_pred, **options)
        if top is not None:
            self._add_top_labels(top)
        return top is not None

    def add(self, examples: Examples) -> None:
        """Adds a batch with the backend's operations."""
        # With `classwise`, each sigmoid has its own histogram and weights.
        columns = examples.y_pred.shape[-2] if self.multi_label and self.classwise else 1
        weights = examples.weights
        if weights is None:
            weights = ops.ones_like(examples.y_pred[..., 0], dtype="float32")
        weights = ops.reshape(weights, (-1, columns))
        if examples.wrong is not None:
            # Weight 0 does not count: 0 · NaN would be NaN.
            wrong = ops.logical_and(ops.reshape(examples.wrong, (-1, columns)), weights != 0)
            weights = ops.where(wrong, float("nan"), weights)
        if self.classwise and not self.multi_label:
            num_classes = examples.y_pred.shape[-1]
            self.build(num_classes)
            labels = ops.reshape(class_labels(examples.targets), (-1, 1))
            # A dozen tensors of examples × classes, a few examples at a time.
            rows = (weights, ops.reshape(examples.y_pred, (-1, num_classes)), labels)
            missing, sums = sum_over_rows(self._classwise_sums, rows, num_classes)
        else:
            compared = confidence_and_correct(
                examples, from_logits=self.from_logits, multi_label=self.multi_label
            )
            rows = (weights, *(ops.reshape(values, (-1, columns)) for values in compared))
            if self.classwise:
                self.build(columns)
                missing, sums = sum_over_rows(self._sums, rows, columns)
            else:
                missing, sums = self._sums(*rows)
        self._nan.assign(exact_sum.add(self._nan, missing))
        self._bins.assign(exact_sum.add(self._bins, sums))

    def _classwise_sums(self, weights, y_pred, labels):
        """Returns `_sums` of N examples: weights, labels `(N, 1)`; y_pred `(N, K)`."""
        confidence = ops.cast(probabilities(y_pred, from_logits=self.from_logits), "float32")
        classes = ops.arange(y_pred.shape[-1], dtype="int32")
        return self._sums(weights, confidence, ops.equal(labels, classes))

    def _sums(self, weights, confidence, correct):
        """Sums N examples: confidence, correct `(N, 1)` or `(N, K)`.

        Weights are `(N, 1)`; for sigmoids, of the shape of `confidence`.

        Returns:
            Number of examples that count and have NaN, and the sums of the others.
        """
        missing = ops.isnan(confidence)
        if not self.multi_label:
            missing = ops.any(missing, axis=-1, keepdims=True)
        counted = ops.logical_and(missing, weights != 0)
        weights = ops.where(missing, ops.zeros_like(weights), weights)
        # Values that do not count may be infinite, and 0 · ∞ is NaN.
        absent = ops.logical_or(missing, weights == 0)
        confidence = ops.where(absent, ops.zeros_like(confidence), confidence)
        sums = self._histogram.sums(weights, confidence, ops.cast(correct, "float32"))
        return ops.sum(ops.cast(counted, "float32")), sums

    def _add_top_labels(self, top: TopLabels):
        """Adds a batch that NumPy has read: only the small sums reach the backend."""
        confidence, correct = top.confidence.reshape(-1), top.correct.reshape(-1)
        weights = None if top.weights is None else top.weights.reshape(-1)
        for start in range(0, len(confidence), _WHOLE):
            at = slice(start, start + _WHOLE)
            words = to_host(ops.convert_to_tensor(self._bins))
            of_part = None if weights is None else weights[at]
            sums = self._histogram.sums_of_arrays(confidence[at], correct[at], of_part)
            with np.errstate(invalid="ignore"):  # an infinite weight
                words = exact_sum.add(words, sums)
            self._bins.assign(words)

    @no_autograph
    def result(self):
        """Returns the error so far, a scalar; NaN before the first example that counts.

        Warns:
            UserWarning: In eager use, if NaN predictions were left out, or a compiled step met
                wrong values.
        """
        self._warn_about_nan()
        if self._bins is None:
            return ops.cast(float("nan"), self.dtype)
        with np.errstate(invalid="ignore"):  # 0 / 0: NaN, before the first example
            bins, _ = self._histogram.bins(self._bins)
            error = calibration_error(bins, norm=self.norm, debias=self.debias)
            # Some sigmoids may have no label that counts.
            seen = ops.sum(ops.convert_to_tensor(bins.weight), axis=-1) > 0
            number = ops.sum(ops.cast(seen, "float32"))
            error = ops.sum(ops.where(seen, ops.cast(error, "float32"), 0.0)) / number
        # Comparisons with NaN may have lost it.
        wrong = ops.any(ops.isnan(ops.convert_to_tensor(self._bins)))
        return ops.cast(ops.where(wrong, float("nan"), error), self.dtype)

    def reset_state(self):
        """Resets the state.

        Warns:
            UserWarning: In eager use, if NaN predictions were left out. On JAX, this is where `fit`
                and `evaluate` first read the metric outside a graph.
        """
        self._warn_about_nan()
        super().reset_state()

    def equal_mass_error_bound(self) -> float:
        """Returns how far the result can be from exact equal-mass binning, for `norm="l1"`.

        The bound is ½ Σ_j m_j (1 + w) over the B − 1 inner edges, m_j the share of the examples
        in the cell that edge j divides and w the widest cell; with `classwise`, its mean over
        the classes, or the labels that count. Eager use only. 0 with `binning="equal_width"`.
        """
        if self._bins is None or self.binning == "equal_width":
            return 0.0
        bins, split = self._histogram.bins(self._bins)
        total = ops.sum(bins.weight, axis=-1)
        seen = total > 0
        share = ops.where(seen, ops.sum(split, axis=-1) / total, 0.0)
        mean = ops.sum(share) / ops.sum(ops.cast(seen, "float32"))
        return float(mean * (1 + self._histogram.widest_cell) / 2)

    @property
    def nan_count(self) -> int:
        """Number of examples left out because `y_pred` had NaN there. Eager use only."""
        return int(exact_sum.value(ops.convert_to_tensor(self._nan)))

    def _warn_about_nan(self):
        words = to_numpy_or_none(ops.convert_to_tensor(self._nan))
        if words is not None and words.any():
            warn_caller(
                f"{self.name}: {self.nan_count} examples with NaN predictions were left out"
            )
        if self._bins is not None:
            self.warn_if_nan(self._bins)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "norm": self.norm,
            "binning": self.binning,
            "classwise": self.classwise,
            "debias": self.debias,
        }


def expected_calibration_error(
    y_true,
    y_pred,
    *,
    sample_weight=None,
    num_bins: int = 15,
    norm: Norm = "l1",
    binning: Binning = "equal_width",
    classwise: bool = False,
    debias: bool = False,
    from_logits: bool = False,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
) -> float:
    """Returns the expected calibration error of arrays, in one call.

    Args:
        y_true: Integers `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: Array `(..., K)`: probabilities, or logits with `from_logits=True`.
        sample_weight: Array of shape `(...)` or of its leading axes, or `None`.
        num_bins: Number of bins.
        norm: `"l1"`, `"l2"` or `"max"`, see `ExpectedCalibrationError`.
        binning: `"equal_width"` or `"equal_mass"`.
        classwise: Whether to average the errors of the classes.
        debias: Whether to subtract the noise of the bins, with `norm="l2"`.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        ignore_class: Label id, or several, whose positions do not count.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own.

    Raises:
        InputError: As `ExpectedCalibrationError`, and if no example counts.

    Example:
    >>> import ls_keras
    >>> ls_keras.expected_calibration_error([1, 1], [[0.25, 0.75], [0.75, 0.25]])
    0.25
    """
    metric = ExpectedCalibrationError(
        num_bins,
        norm=norm,
        binning=binning,
        classwise=classwise,
        debias=debias,
        from_logits=from_logits,
        ignore_class=ignore_class,
        multi_label=multi_label,
    )
    metric.update_state(y_true, y_pred, sample_weight=sample_weight)
    error = float(metric.result())
    if error != error:
        raise InputError(
            "Expected at least one example that counts. Received: y_pred of shape "
            f"{tuple(np.shape(y_pred))}, all of it ignored, masked, of weight 0 or empty"
        )
    return error
