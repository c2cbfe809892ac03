"""Callback that fits a temperature during training and logs calibration before and after."""

import math

import numpy as np

from ls_base.brief_repr import brief_repr
from ls_keras.calibration.scaling.model_logits import predicted_batches
from ls_keras.calibration.scaling.temperature import (
    Objective,
    TemperatureFit,
    check_options,
    fit_examples,
)
from ls_keras.calibration.scaling.temperature_dataset import Reservoir, sample_size
from ls_keras.calibration.scaling.temperature_search import tempered_sums
from ls_keras.callbacks.probe_callback import NotFiniteError, ProbeCallback
from ls_keras.errors import InputError, shown
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output, symbolic
from ls_keras.inputs.numpy_examples import HostExamples, read_host_examples
from ls_keras.inputs.output_activation import LOGITS, model_output
from ls_keras.inputs.targets import IgnoreClass, ignored_ids
from ls_keras.inputs.validation import as_count, as_flag

_KEPT_BYTES = 128 << 20
_NAMES = ("temperature", "ece_half", "ece_scaled", "nll_scaled")


class TemperatureScaling(ProbeCallback):
    """Fits a temperature at the end of epochs and logs calibration before and after scaling.

    Adds to the `logs` of the epoch:

    - `val_temperature`: T, fitted on one half of the validation data;
    - `val_ece_half`: the expected calibration error at T = 1, on the other half;
    - `val_ece_scaled`, `val_nll_scaled`: ECE and unsmoothed NLL (nats) at T, on the other half.

    The halves are the even and the odd examples (rows: sentences, not tokens), in the order of the
    data. The model runs once over the data. At most 128 MiB of logits are kept of each half, as a
    uniform sample of its positions.

    `EarlyStopping`, `ModelCheckpoint` and `ReduceLROnPlateau` cannot infer the direction of these
    values: pass `mode="min"`, as in `EarlyStopping(monitor="val_ece_scaled", mode="min")`.
    KerasTuner needs `keras_tuner.Objective("val_ece_scaled", direction="min")`. Callbacks receive
    `logs` in the order in which they are passed, so pass this one before them and before
    `CSVLogger` and `TensorBoard`; `History` always comes last. Epochs without a fit repeat the
    latest values. A metric named `ece` in `compile` logs `val_ece` of all validation data; compare
    `val_ece_scaled` with `val_ece_half` instead.

    If the outputs of the model are not finite, the four values are NaN and training continues with
    one warning; `EarlyStopping` treats such epochs as no improvement.

    Args:
        validation_data: The validation data of `fit`: `(x, y)` or `(x, y, sample_weight)` arrays,
            or batches of them: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch
            `DataLoader` or a list.
        every: Fits at the end of every `every`-th epoch, of the first and of the last. Default: 1.
        from_logits: Whether the model returns logits. Default: `False`, as in Keras, for
            probabilities, whose logarithms are used.
        output: For models with several outputs, which one to scale: its name, its key or its
            index. Labels and weights may be given for each output, or for this one alone.
        ignore_class: A label id, or several, that do not count, such as padding.
        multi_label: Whether each entry of the last axis is a sigmoid and a separate example:
            `(batch, 1)` for a binary model. Default: `False`.
        objective: `"nll"` or `"ece"`. Default: `"nll"`.
        num_bins: Number of bins of the ECE. Default: 15.
        batch_size: Batch size for arrays. Default: 32.
        prefix: Prefix of the four names. Default: `"val_"`.

    Raises:
        InputError: If an option or the data are wrong, or a half has no example that counts.

    Warns:
        UserWarning: Once in each training, if outputs are not finite because the model diverged.

    Example:
    >>> import keras, numpy as np
    >>> from ls_keras.callbacks import TemperatureScaling
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="logits")])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> x, y = np.random.rand(64, 3), np.arange(64) % 4
    >>> scaling = TemperatureScaling((x, y), from_logits=True)
    >>> history = model.fit(x, y, callbacks=[scaling], verbose=0)
    >>> sorted(name for name in history.history if name.startswith("val_"))
    ['val_ece_half', 'val_ece_scaled', 'val_nll_scaled', 'val_temperature']
    """

    def __init__(
        self,
        validation_data,
        every: int = 1,
        *,
        from_logits: bool = False,
        output: Output = None,
        ignore_class: IgnoreClass = None,
        multi_label: bool = False,
        objective: Objective = "nll",
        num_bins: int = 15,
        batch_size: int = 32,
        prefix: str = "val_",
    ):
        super().__init__()
        check_options(objective, (1e-2, 1e2), 1e-5, num_bins)
        as_flag(from_logits, "from_logits")
        self.multi_label = as_flag(multi_label, "multi_label")
        ignored_ids(ignore_class)
        every = as_count(every, "every", 1)
        if not isinstance(prefix, str):
            raise InputError(f"Expected prefix to be a string. Received: {shown(prefix)}")
        self.data = as_batches(validation_data, "validation_data", batch_size=batch_size)
        self.every, self.from_logits, self.ignore_class = every, from_logits, ignore_class
        self.objective, self.num_bins, self.prefix = objective, num_bins, prefix
        self.fit: TemperatureFit | None = None  # the latest fit
        self.output = output
        self._forward: Forward | None = None
        self._values: dict[str, float] = {}

    def __repr__(self) -> str:
        return brief_repr(
            self,
            validation_data=self.data,
            every=self.every,
            from_logits=self.from_logits,
            fit=self.fit,
        )

    def set_model(self, model):
        """Sets the model and checks its output."""
        super().set_model(model)
        found = model_output(model, symbolic(model, self.output))
        if found.kind == LOGITS and not self.from_logits:
            raise InputError(
                "Expected from_logits=True for a model whose output is logits. Received: "
                f"{model.name!r} with an output of {found.made_by}"
            )
        self._forward = Forward(model, self.output)

    def on_train_begin(self, logs=None):
        """Resets the values of an earlier training."""
        super().on_train_begin(logs)
        self._values = {}

    def on_epoch_end(self, epoch, logs=None):
        """Fits if the epoch is due, and logs the latest values."""
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not self._values or last or (epoch + 1) % self.every == 0:
            try:
                self._values = self._measure()
            except NotFiniteError as error:
                self._values = dict.fromkeys(_NAMES, math.nan)
                self.warn_skipped("logs NaN", f"in epoch {epoch + 1}", error)
        if logs is not None:
            logs.update({f"{self.prefix}{name}": value for name, value in self._values.items()})

    def _measure(self) -> dict[str, float]:
        fitted, reported = self._halves()
        fit = fit_examples(fitted, self.objective, num_bins=self.num_bins)
        self.fit = fit
        betas = [1.0, 1 / fit.temperature]
        sums = tempered_sums(reported, betas, moments=False, num_bins=self.num_bins)
        values = fit.temperature, float(sums.ece[0]), float(sums.ece[1]), float(sums.nll[1])
        return dict(zip(_NAMES, values, strict=True))

    def _halves(self) -> list[HostExamples]:
        halves: list[Reservoir | None] = [None, None]
        seen = 0
        predictions = predicted_batches(
            self._forward,
            self.data,
            from_logits=self.from_logits,
            multi_label=self.multi_label,
        )
        for y, logits, sample_weight, mask in predictions:
            for half in range(2):
                rows = slice((seen + half) % 2, None, 2)
                if not len(logits[rows]):
                    continue
                examples = self._read(
                    logits[rows],
                    y_true=y[rows],
                    sample_weight=None if sample_weight is None else sample_weight[rows],
                    mask=None if mask is None else mask[rows],
                )
                if not len(examples):
                    continue
                kept = halves[half] = halves[half] or Reservoir(
                    sample_size(examples, _KEPT_BYTES, _KEPT_BYTES)
                )
                kept.add(examples)
            seen += len(logits)
        if halves[0] is None or halves[1] is None:
            raise InputError(
                "Expected validation data with an example that counts in both the even and the odd "
                f"rows. Received: {seen} rows"
            )
        return [half.examples() for half in halves if half is not None]

    def _read(self, y_pred: np.ndarray, **data) -> HostExamples:
        options = {
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "multi_label": self.multi_label,
        }
        try:
            return read_host_examples(y_pred=y_pred, **data, **options)
        except InputError as error:
            if not self.from_logits and np.isfinite(y_pred).all():  # invalid probabilities
                raise
            # Wrong labels and weights raise an error for valid outputs, too.
            share = 1 / (2 if self.multi_label else y_pred.shape[-1])
            likely = np.full(y_pred.shape, share, np.float32)
            read_host_examples(y_pred=likely, **data, **options | {"from_logits": False})
            raise NotFiniteError(str(error)) from error
