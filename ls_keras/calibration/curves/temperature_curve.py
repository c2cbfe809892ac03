"""NLL and ECE of a model at many temperatures, in one pass over a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.model_logits import host_batches
from ls_keras.calibration.scaling.temperature_sums import TemperedSums, tempered_sums
from ls_keras.errors import InputError, shown
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.metrics.binning import check_num_bins


@dataclass(frozen=True, repr=False)
class TemperatureCurve(BriefRepr):
    """NLL and ECE of a model at each temperature.

    Attributes:
        temperatures: T `(B,)`.
        nll: Negative log-likelihood, nats per example, `(B,)`.
        ece: Expected calibration error `(B,)`.
        num_examples: Number of examples (positions) that count.
    """

    temperatures: tuple[float, ...]
    nll: tuple[float, ...]
    ece: tuple[float, ...]
    num_examples: int


def temperature_curve(
    model,
    dataset,
    temperatures: Sequence[float],
    *,
    from_logits: bool = False,
    output: Output = None,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    num_bins: int = 15,
    batch_size: int = 32,
) -> TemperatureCurve:
    """Computes NLL and ECE at each temperature; the model runs once over the data.

    `NLL(T) = mean −log softmax(z / T)_y` and `ECE(T) = Σ_b |accuracy_b − confidence_b| · n_b / n`
    over equal-width bins of the confidence `max_k softmax(z / T)_k`; with `multi_label`, of the
    probability `sigmoid(z / T)` of label 1. One batch of logits is in memory at a time. The Keras
    mask of the model's output and the sample weights of the data set are honored.

    Args:
        model: A `keras.Model`, or any function of `x`, that emits `(batch, ..., K)`.
        dataset: `(x, y)` or `(x, y, sample_weight)` arrays, or batches of them, read once; see
            `fit_temperature_dataset`.
        temperatures: Temperatures T > 0.
        from_logits: Whether the model emits logits. Default: `False`, as in Keras: it emits
            probabilities, whose logarithms are scaled.
        output: Output to read, for a model with several: name, key or index. Labels and weights may
            be given for each output, or for this one only.
        ignore_class: Label id, or several, whose positions do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.
        num_bins: Number of bins of the ECE.
        batch_size: Batch size for arrays.

    Returns:
        A `TemperatureCurve`, in the order of `temperatures`.

    Raises:
        InputError: If a temperature is not a finite number > 0, or no example counts.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration import temperature_curve
        >>> x = np.array([[4.0, 0.0]] * 10)
        >>> y = np.array([0] * 9 + [1])
        >>> curve = temperature_curve(lambda x: x, [(x, y)], [1.0, 2.0], from_logits=True)
        >>> [round(e, 3) for e in curve.ece]  # confidence 0.982 and 0.881, accuracy 0.9
        [0.082, 0.019]
    """
    check_num_bins(num_bins)
    chosen = as_array(temperatures, "temperatures").astype(np.float64)
    if chosen.ndim != 1 or not len(chosen) or not np.all((chosen > 0) & np.isfinite(chosen)):
        raise InputError(
            f"Expected one or more temperatures, finite and > 0. Received: {shown(temperatures)}"
        )
    total: TemperedSums | None = None
    for batch in host_batches(
        Forward(model, output),
        as_batches(dataset, "dataset", batch_size=batch_size, again=None),
        from_logits=from_logits,
        ignore_class=ignore_class,
        multi_label=multi_label,
    ):
        sums = tempered_sums(batch, 1 / chosen, moments=False, num_bins=num_bins)
        total = sums if total is None else total + sums
    if total is None:
        raise InputError(
            "Expected at least one example that counts: not ignored, not masked, of a weight "
            "above 0. Received: a data set without any"
        )
    return TemperatureCurve(
        tuple(chosen.tolist()), tuple(total.nll.tolist()), tuple(total.ece.tolist()), total.count
    )
