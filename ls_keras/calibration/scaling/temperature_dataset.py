"""Temperature scaling of a model on a data set, one batch of logits at a time."""

from ls_base.errors import InputError
from ls_keras.calibration.scaling.model_logits import host_batches
from ls_keras.calibration.scaling.reservoir import Reservoir
from ls_keras.calibration.scaling.temperature import (
    Objective,
    TemperatureFit,
    check_options,
    fit_examples,
    search,
    warm_start,
)
from ls_keras.calibration.scaling.temperature_sums import TemperedSums, tempered_sums
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output
from ls_keras.inputs.numpy_examples import HostExamples
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_count, as_seed

# Logits kept of the first pass, to start the search from: 512 tokens of 32,000 classes.
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

    The exact fit runs the model over the data several times and never holds more than one batch
    of logits, a sample of 64 MiB and about 16 MiB of temporaries: usually four passes for the NLL
    (T = 1, then the search, from the sample's optimum), also four for the ECE (T = 1, 200
    temperatures, twice 21). With `reservoir` it runs the model once, keeps that many examples,
    drawn uniformly, and fits them: T has their sampling error.

    The keras mask of the model's output, `ignore_class` and the sample weights all count.

    Args:
        model: A `keras.Model`, or any function of `x`, that emits `(batch, ..., K)`.
        dataset: `(x, y)` or `(x, y, sample_weight)` arrays, or batches of them that can be read
            several times: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of
            PyTorch, a list. With `reservoir` an iterator will do. The model must answer the same
            each time.
        from_logits: Whether the model emits logits. Of probabilities, the default as in Keras, the
            logarithms are taken.
        output: Of a model with several outputs, the one to be scaled: its name, its key or its
            place. Labels and weights may be given for each output, or for this one alone.
        ignore_class: A label id, or several, that do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid, and an example of its own:
            `(batch, 1)` for a binary model. Default: `False`.
        objective: `"nll"`, or `"ece"`.
        reservoir: Number of examples (positions) to keep, or `None` for the exact fit.
        bounds: Lower and upper bound of T.
        tolerance: Relative error of T allowed with `objective="nll"`.
        num_bins: Bins of the ECE.
        batch_size: Of arrays.
        seed: Of the reservoir's draw.

    Returns:
        A `TemperatureFit`; `iterations` are passes, over the reservoir where there is one.

    Raises:
        InputError: As `fit_temperature`, and for an endless data set, one that is an iterator
            (without `reservoir`), or batches without targets.

    Example:
        >>> import numpy as np
        >>> from ls_keras.calibration.scaling.temperature_dataset import fit_temperature_dataset
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
        return fit_examples(kept.examples(), objective, bounds, tolerance, num_bins)

    sample: Reservoir | None = None

    def evaluate(betas, moments: bool) -> TemperedSums:
        nonlocal sample
        first, total = sample is None, None
        for batch in examples():
            if sample is None:
                sample = Reservoir(sample_size(batch, _SAMPLE, _SAMPLE_BYTES), seed)
            if first:
                sample.add(batch)
            sums = tempered_sums(batch, betas, moments=moments, num_bins=num_bins)
            total = sums if total is None else total + sums
        if total is None:
            raise InputError(_NONE_COUNTS)
        return total

    def start() -> float:
        return 1.0 if sample is None else warm_start(sample.examples(), bounds)

    return search(evaluate, start, objective, bounds, tolerance, multi_label=bool(multi_label))


def sample_size(examples: HostExamples, most: int, num_bytes: int) -> int:
    """Returns how many examples' logits fit into `num_bytes`, at most `most`, at least 1."""
    row = examples.logits.shape[1] * examples.logits.dtype.itemsize
    return max(1, min(most, num_bytes // row))
