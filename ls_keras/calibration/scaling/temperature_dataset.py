"""Best temperature and temperature curve of a model on a data set, batch by batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.scaling.model_logits import host_batches
from ls_keras.calibration.scaling.temperature import (
    Objective,
    TemperatureFit,
    check_options,
    fit_examples,
    search,
    warm_start,
    warn_at_bound,
)
from ls_keras.calibration.scaling.temperature_search import TemperedSums, tempered_sums
from ls_keras.errors import InputError, shown
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_flag, as_seed
from ls_keras.metrics.binning import check_num_bins

# Logits kept from the first pass, to start the search: 512 tokens of 32,000 classes.
_SAMPLE_BYTES = 64 << 20
_SAMPLE = 4096

_NONE_COUNTS = (
    "Expected at least one example that counts: not ignored, not masked, of a weight above 0. "
    "Received: a data set without any"
)


def fit_temperature_dataset(
    model,
    dataset,
    *,
    from_logits: bool = False,
    output: Output = None,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
    objective: Objective = "nll",
    reservoir: int | None = None,
    bounds: tuple[float, float] = (1e-2, 1e2),
    tolerance: float = 1e-5,
    num_bins: int = 15,
    batch_size: int = 32,
    seed: int = 0,
) -> TemperatureFit:
    """Fits the temperature of a model on a data set; see `ls_keras.fit_temperature`.

    The exact fit runs the model over the data several times and holds at most one batch of logits,
    a sample of 64 MiB and about 16 MiB of temporaries: usually four passes for the NLL (T = 1, then
    the search from the sample's optimum), and four for the ECE (T = 1, 200 temperatures, twice 21).
    With `reservoir` it runs the model once, keeps that many examples, drawn uniformly, and fits
    them: T then has their sampling error.

    The Keras mask of the model's output, `ignore_class` and sample weights are honored. Models with
    a preprocessor, as those of Keras Hub, get raw inputs such as strings, as in `predict`.

    Args:
        model: A `keras.Model`, or any function of `x`, that emits `(batch, ..., K)`.
        dataset: `(x, y)` or `(x, y, sample_weight)` arrays, or batches of them that can be read
            several times: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch `DataLoader`, a
            list. With `reservoir`, an iterator works too. The model must be deterministic.
        from_logits: Whether the model emits logits. Default: `False`, as in Keras: it emits
            probabilities, whose logarithms are scaled.
        output: Output to scale, for a model with several: name, key or index. Labels and weights
            may be given for each output, or for this one only.
        ignore_class: Label id, or several, whose positions do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example:
            `(batch, 1)` for a binary model. Default: `False`.
        objective: Quantity to minimize: `"nll"` or `"ece"`.
        reservoir: Number of examples (positions) to keep, or `None` for the exact fit.
        bounds: Lower and upper bound of T.
        tolerance: Relative error allowed in T with `objective="nll"`.
        num_bins: Number of bins of the ECE.
        batch_size: Batch size for arrays.
        seed: Seed of the reservoir.

    Returns:
        A `TemperatureFit`; `iterations` counts passes, over the reservoir if there is one.

    Raises:
        InputError: As `fit_temperature`, and for an endless data set, one that is an iterator
            (without `reservoir`), or batches without targets.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration import fit_temperature_dataset
        >>> x = np.array([[4.0, 0.0]] * 10)
        >>> y = np.array([0] * 9 + [1])
        >>> batches = [(x[:5], y[:5]), (x[5:], y[5:])]
        >>> fit = fit_temperature_dataset(lambda x: x, batches, from_logits=True)
        >>> round(fit.temperature, 4), fit.num_examples
        (1.8205, 10)
    """
    check_options(objective, bounds, tolerance, num_bins)
    forward = Forward(model, output)
    seed = as_seed(seed)
    again = ", or `reservoir=` for one pass" if reservoir is None else None
    data = as_batches(dataset, "dataset", batch_size=batch_size, again=again)

    def examples():
        return host_batches(
            forward,
            data,
            from_logits=from_logits,
            ignore_class=ignore_class,
            multi_label=multi_label,
        )

    if reservoir is not None:
        kept = Reservoir(as_count(reservoir, "reservoir", 1, 2**62), seed)
        for batch in examples():
            kept.add(batch)
        if not kept.seen:
            raise InputError(_NONE_COUNTS)
        fit = fit_examples(kept.examples(), objective, bounds, tolerance, num_bins)
        warn_at_bound(fit)
        return fit

    sample: Reservoir | None = None

    def with_sample(batches: Iterable[HostExamples]) -> Iterable[HostExamples]:
        nonlocal sample
        for batch in batches:
            if sample is None:
                sample = Reservoir(sample_size(batch, _SAMPLE, _SAMPLE_BYTES), seed)
            sample.add(batch)
            yield batch

    def evaluate(betas, moments: bool) -> TemperedSums:
        batches = examples() if sample is not None else with_sample(examples())
        return _sum_batches(batches, betas, moments, num_bins)

    def start() -> float:
        return 1.0 if sample is None else warm_start(sample.examples(), bounds)

    fit = search(
        evaluate,
        start,
        objective,
        bounds,
        tolerance,
        multi_label=as_flag(multi_label, "multi_label"),
    )
    warn_at_bound(fit)
    return fit


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
    mask=None,
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
        mask: Boolean, of the shape of the labels of all batches in order, or of its leading axes;
            false where a position does not count. Default: the Keras mask of the model's output.
        output: Output to read, for a model with several: name, key or index. Labels and weights may
            be given for each output, or for this one only.
        ignore_class: Label id, or several, whose positions do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and a separate example:
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
    batches = host_batches(
        Forward(model, output),
        as_batches(dataset, "dataset", batch_size=batch_size, again=None),
        from_logits=from_logits,
        ignore_class=ignore_class,
        multi_label=multi_label,
        mask=mask,
    )
    total = _sum_batches(batches, 1 / chosen, False, num_bins)
    return TemperatureCurve(
        tuple(chosen.tolist()), tuple(total.nll.tolist()), tuple(total.ece.tolist()), total.count
    )


def _sum_batches(
    batches: Iterable[HostExamples], betas, moments: bool, num_bins: int
) -> TemperedSums:
    total: TemperedSums | None = None
    for batch in batches:
        sums = tempered_sums(batch, betas, moments=moments, num_bins=num_bins)
        total = sums if total is None else total + sums
    if total is None:
        raise InputError(_NONE_COUNTS)
    return total


def sample_size(examples: HostExamples, most: int, num_bytes: int) -> int:
    """Returns the number of examples whose logits fit into `num_bytes`: 1 to `most`."""
    row = examples.logits.shape[1] * examples.logits.dtype.itemsize
    return max(1, min(most, num_bytes // row))


class Reservoir:
    """Uniform sample of a stream of examples in bounded memory (Vitter's algorithm R).

    The sample depends on `seed` and the order of the examples only, not on batches.

    Args:
        capacity: Number of examples to keep; all if fewer are added.
        seed: Integer ≥ 0.
    """

    def __init__(self, capacity: int, seed: int = 0):
        self.capacity = capacity
        self.seen = 0
        self._flat, self._masked = True, False
        self._rng = np.random.default_rng(seed)
        self._logits = np.empty((0, 0))
        self._columns: dict[str, np.ndarray] = {}

    def add(self, examples: HostExamples) -> None:
        """Adds a batch; the logits that are kept are copied."""
        logits, rows = examples.logits, examples.rows
        if not self.seen:
            self._logits = np.empty((0, logits.shape[1]), logits.dtype)
        n = len(examples)
        order = np.arange(self.seen, self.seen + n)
        # One random number per example, even while the reservoir fills: batches do not matter.
        slots = (self._rng.random(n) * (order + 1)).astype(np.int64)
        slots = np.where(order < self.capacity, order, slots)
        kept_rows = np.flatnonzero(slots < self.capacity)
        # If several examples draw one slot, the last one stays.
        slots, last = np.unique(slots[kept_rows][::-1], return_index=True)
        kept_rows = kept_rows[::-1][last]
        self.seen += n
        size = min(self.seen, self.capacity)
        self._logits = _grow(self._logits, size, self.capacity)
        self._logits[slots] = logits[kept_rows if rows is None else rows[kept_rows]]
        columns = {
            "weights": examples.weights,
            "top": examples.top,
            "gap": examples.gap,
            "correct": examples.correct,
        }
        for name, values in (("mass", examples.mass), ("positive", examples.positive)):
            if values is not None:
                columns[name] = values
        for name, values in columns.items():
            kept = _grow(self._columns.get(name, values[:0]), size, self.capacity)
            kept[slots] = values[kept_rows]
            self._columns[name] = kept
        self._flat = self._flat and examples.flat
        self._masked = self._masked or examples.masked

    def examples(self) -> HostExamples:
        """Returns the sample."""
        size = min(self.seen, self.capacity)
        columns = {name: values[:size] for name, values in self._columns.items()}
        return HostExamples(
            logits=self._logits[:size],
            rows=None,
            mass=columns.pop("mass", None),
            positive=columns.pop("positive", None),
            flat=self._flat,
            masked=self._masked,
            **columns,
        )


def _grow(array: np.ndarray, size: int, capacity: int) -> np.ndarray:
    """Returns `array` with room for `size` rows; doubles it, so that copies stay few."""
    if len(array) >= size:
        return array
    larger = np.empty((max(size, min(2 * len(array), capacity)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
