"""Diagnosis of predictions, or of a model on a data set."""

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array, mask_of
from ls_keras.calibration.curves.intervals import MAX_RESAMPLES
from ls_keras.calibration.curves.top_label_statistics import (
    at_positions,
    check_level,
    group_of_each_row,
    read_groups,
)
from ls_keras.calibration.scaling.model_logits import predicted_batches
from ls_keras.diagnosis.measure import Resampling, measure
from ls_keras.diagnosis.report import Diagnosis
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.numpy_examples import check_any_counts, read_host_examples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_flag, as_names, as_seed
from ls_keras.metrics.binning import check_num_bins


def diagnose(
    y_true,
    y_pred,
    *,
    from_logits: bool = False,
    sample_weight=None,
    mask=None,
    ignore_class: IgnoreClass = None,
    groups=None,
    class_names=None,
    num_bins: int = 15,
    folds: int = 5,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Diagnosis:
    """Diagnoses the probabilities of a classifier and recommends how to improve them.

    It reports accuracy, NLL, Brier score, ECE and smECE, over- or underconfidence, the best
    temperature and its gain, how well confidence ranks errors and the gain of logit normalization,
    and the worst classes: each with an interval, followed by recommendations.

    - **Gains are held out.** Temperature and norm are fitted to all folds but one and scored on
      that one; the worst classes are chosen on one half and measured on the other. T itself is
      fitted to all examples, for use on other data.
    - **Intervals** are bootstrap intervals by groups: percentiles for means (Clopper–Pearson for
      shares), inverted tests for ECE and smECE, which also correct their bias: the intervals
      contain the corrected value, not the plug-in value.
    - Predictions are read with NumPy and not copied; probabilities become logarithms.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`; or a
            `keras.Model`.
        y_pred: `(..., K)`, K ≥ 2, of any framework: probabilities, or logits. For a model: its data
            set, `(x, y)` or `(x, y, sample_weight)` arrays or batches of them, see
            `fit_temperature_dataset`; all predictions are held in memory.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels or of their leading axes.
        mask: Boolean, of the shape of the labels; false where a position does not count. Default:
            the mask that Keras layers attached to `y_pred`, if any.
        ignore_class: Label id, or several, whose positions do not count, such as padding.
        groups: Integers of the shape of the labels or of their leading axes: examples of one group
            depend on each other, and are resampled and held out together. Default: the index on the
            first axis: each example of `(batch, K)`, all pixels of an image, all tokens of a
            sentence.
        class_names: Names of the K classes.
        num_bins: Number of bins of the ECE.
        folds: Number of folds of the cross-validation, 2 to 100.
        confidence: Level of the intervals.
        resamples: Number of bootstrap resamples, 100 to 10,000.
        seed: Seed of resamples and folds.

    Returns:
        A `Diagnosis`; print it, or use its `plot()` and `to_dict()`.

    Raises:
        InputError: As `fit_temperature`, and if an option is out of range.

    Example:
        >>> import numpy as np
        >>> import ls_keras
        >>> rng = np.random.default_rng(0)
        >>> z = 2 * rng.normal(size=(2000, 5))
        >>> y = (z / 2 + rng.gumbel(size=z.shape)).argmax(-1)  # logits are twice too large
        >>> found = ls_keras.diagnose(y, z, from_logits=True)
        >>> print(found.advice[0].partition(";")[0])
        Overconfident: divide logits by T = 2.01
        >>> found.nll_gain.above, found.aurc_gain.above
        (True, False)

    References:
        Guo et al. (2017), arXiv 1706.04599; Błasiok, Nakkiran (2023), arXiv 2309.12236; Geifman,
        El-Yaniv (2017), arXiv 1705.08500; Cattelan, Silva (2024), arXiv 2305.15508; Korn, Graubard,
        *Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data*, Survey Methodology 24 (1998).
    """
    from_logits = as_flag(from_logits, "from_logits")
    num_bins, folds = check_num_bins(num_bins), as_count(folds, "folds", 2, 100)
    as_count(resamples, "resamples", 100, MAX_RESAMPLES)
    resampling = Resampling(check_level(confidence), resamples, as_seed(seed))
    if isinstance(y_true, keras.Model):
        data = as_batches(y_pred, "the data set", again=None)
        batches = list(predicted_batches(y_true, data, from_logits=from_logits))
        if not batches:
            raise InputError("Expected at least one batch in the data set. Received: none")
        y_true, y_pred, weights, keep = (
            None if parts[0] is None else np.concatenate(parts)
            for parts in zip(*batches, strict=True)
        )
        sample_weight = weights if sample_weight is None else sample_weight
        mask = keep if mask is None else mask
    mask = mask_of(y_pred) if mask is None else mask
    shape = as_array(y_pred, "y_pred").shape[:-1]
    examples = read_host_examples(
        y_true,
        y_pred,
        from_logits=from_logits,
        sample_weight=sample_weight,
        mask=mask,
        ignore_class=ignore_class,
    )
    check_any_counts(examples)
    num_classes = examples.logits.shape[1]
    if class_names is not None:
        class_names = tuple(as_names(class_names, "class_names", num_classes))
    ids = group_of_each_row(shape) if groups is None else read_groups(groups)
    ids = at_positions(ids, shape, "groups").reshape(-1)
    ids = ids if examples.rows is None else ids[examples.rows]
    return Diagnosis(
        from_logits=from_logits,
        class_names=class_names,
        **measure(examples, ids, folds, num_bins, resampling),
    )
