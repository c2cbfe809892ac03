"""From predictions to a diagnosis."""

from ls_keras.backend.tensors import as_array, mask_of
from ls_keras.calibration.curves.ece_bootstrap import MAX_RESAMPLES
from ls_keras.calibration.curves.top_label_statistics import (
    at_positions,
    check_level,
    group_of_each_row,
    read_groups,
)
from ls_keras.diagnosis.measure import Resampling, measured
from ls_keras.diagnosis.report import Diagnosis
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
    """Says whether a classifier's probabilities are all right, and what would make them better.

    Accuracy, NLL, Brier score, ECE and smECE, whether it is over- or underconfident, the best
    temperature and what it gains, how well confidence ranks errors last and what logit
    normalization gains, and the worst classes: each with an interval, and in the end what to do.

    - **Gains are held out.** Temperature and norm are fitted to K − 1 folds and scored on the other
      one; the worst classes are chosen on one half and measured on the other. T itself is that of
      all examples, to be used on others.
    - **Intervals** are from bootstraps by groups: of means by percentiles (shares by
      Clopper–Pearson's), of ECE and smECE by inverting a test, which corrects their bias as well.
      It is the corrected value, not the plug-in one, that lies inside.
    - Predictions are read on the host and not copied; of probabilities, logarithms are made.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`.
        y_pred: `(..., K)`, K ≥ 2, of any framework: probabilities, or logits.
        from_logits: Whether `y_pred` are logits. Default: `False`, as in Keras.
        sample_weight: Weights of the shape of the labels, or of their leading axes.
        mask: Boolean, of the shape of the labels, false where a position does not count. Default:
            the mask that Keras's layers attached to `y_pred`, if any.
        ignore_class: A label id, or several, that do not count, such as padding or "void".
        groups: Integers of the shape of the labels or of their leading axes: examples of one group
            depend on one another, and are resampled and held out together. Default: the first axis:
            each example of `(batch, K)`, the pixels of each image, the tokens of each sentence.
        class_names: K words.
        num_bins: Bins of the ECE.
        folds: Of the cross-validation, 2 to 100.
        confidence: Level of the intervals.
        resamples: Bootstrap resamples behind them, 100 to 10,000.
        seed: Of resamples and folds.

    Returns:
        A `Diagnosis`: print it, `plot()` it, `to_dict()` it.

    Raises:
        InputError: As `fit_temperature`, and if an option is out of its range.

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
    num_bins, folds, seed = (
        check_num_bins(num_bins),
        as_count(folds, "folds", 2, 100),
        as_seed(seed),
    )
    level = check_level(confidence)
    as_count(resamples, "resamples", 100, MAX_RESAMPLES)
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
        **measured(
            examples, ids, folds, num_bins, Resampling(level=level, resamples=resamples, seed=seed)
        ),
    )
