"""Figure 6 while a model trains."""

import csv
import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from ls_base.brief_repr import brief_repr
from ls_base.files import write_bytes, write_json
from ls_keras.backend.keras_internals import sync_state
from ls_keras.backend.tensors import as_array
from ls_keras.callbacks.optimizer_steps import UpdateCounter, count_updates
from ls_keras.callbacks.probe_callback import Monitor, NotFiniteError
from ls_keras.errors import InputError, shown
from ls_keras.information.augmented_logits import augmented_differences, check_draws
from ls_keras.information.mutual_information import (
    SCORED,
    MutualInformation,
    Scored,
    mutual_information,
)
from ls_keras.inputs.batches import as_batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output, symbolic
from ls_keras.inputs.output_activation import SIGMOID, SOFTMAX, model_output
from ls_keras.inputs.validation import as_choice, as_count, as_counts, as_function, as_path, as_seed

_READ = 1024  # examples at a time


class MutualInformationProbe(Monitor):
    """Estimates, while a model trains, how much its logits tell about single examples.

    Before training, at the end of epochs or each so many steps, and after training: the examples
    of two classes are augmented `draws` times, the model runs without dropout, and the mutual
    information between the example and the difference of its two classes' logits is estimated
    (`ls_keras.mutual_information`). With smoothing it falls to about log 2, where only the class
    is left; with hard targets it stays higher.

    The augmentations are the same at every evaluation, and don't touch the random state of
    training. Evaluations don't change what is trained.

    Adds `mutual_information` (nats), the latest value, to the `logs` of each epoch, and of the
    steps at which it was evaluated. Put the probe before callbacks that are to see it. Where the
    logits of the two classes are not finite, it is NaN, the history has no entry, and training goes
    on, with one warning; `EarlyStopping` counts such epochs as no better.

    Args:
        data: `(x, y)`: arrays of inputs of the model before augmentation, `(n, ...)`, and of
            labels, integers `(n,)`; of the training set, in the paper. Or batches of them, read
            once: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of PyTorch, a
            list. Sample weights don't matter.
        classes: Two different classes. Only their examples are used; the paper takes 300 of each.
        augment: The augmentation d(·), called as `augment(images, training=True)`: a Keras layer
            or model, whose seed generators are set for each draw and put back, or a function. One
            that has an argument `seed` gets another integer for each draw and batch; any other
            must see to repeatable draws itself.
        draws: L, augmentations of each example.
        every: Epochs between evaluations. Default: 1 without `every_steps`, else none.
        every_steps: UpdateCounter between evaluations. Default: `None`, none inside an epoch.
        scored: What `ls_keras.mutual_information` takes.
        batch_size: Images at a time.
        seed: Of the augmentations.
        file: Where the history goes after each evaluation, `.csv` or `.json`; `None`: nowhere.
        output: Of a model with several outputs, the one that gives the logits: its name, its key
            or its place.

    Attributes:
        history: A mapping an evaluation, as `ls_keras.plots.information_curve` draws it: `step`,
            `mutual_information`, `low`, `high`, `bias`, `sigma`, `num_examples`, `draws`,
            `scored`.

    Raises:
        InputError: If the arguments are not what they should be, or the two classes have fewer
            than two examples; before the first step, if logits are not finite.

    Warns:
        UserWarning: Once a training, if logits are not finite later: the model has diverged.

    Example:
        >>> import keras, numpy as np
        >>> from ls_keras.callbacks import MutualInformationProbe
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")])
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.random.rand(24, 4), np.arange(24) % 3
        >>> noise = keras.layers.GaussianNoise(0.1)
        >>> probe = MutualInformationProbe((x, y), (0, 2), noise, every_steps=2)
        >>> history = model.fit(x, y, batch_size=8, epochs=2, callbacks=[probe], verbose=0)
        >>> [entry["step"] for entry in probe.history], probe.history[0]["num_examples"]
        ([0, 2, 4, 6], 16)

    References:
        Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 4
    """

    def __init__(
        self,
        data,
        classes: Sequence[int],
        augment: Callable,
        draws: int = 5,
        every: int | None = None,
        *,
        every_steps: int | None = None,
        scored: Scored = "held_out",
        batch_size: int = 256,
        seed: int = 0,
        file: str | os.PathLike | None = None,
        output: Output = None,
    ):
        super().__init__()
        if every is None and every_steps is None:
            every = 1
        every = None if every is None else as_count(every, "every", 1)
        every_steps = None if every_steps is None else as_count(every_steps, "every_steps", 1)
        batch_size = as_count(batch_size, "batch_size", 1)
        check_draws(draws)
        as_choice(scored, "scored", SCORED)
        as_function(augment, "augment")
        seed = as_seed(seed)
        if file is not None and as_path(file, "file").suffix not in (".csv", ".json"):
            raise InputError(f"Expected a file .csv or .json. Received: {shown(file)}")
        self.images = two_classes(data, classes)
        self.classes = as_counts(classes, "classes")
        self.augment, self.draws = augment, draws
        self.every, self.every_steps = every, every_steps
        self.scored, self.batch_size, self.seed = scored, batch_size, seed
        self.file = None if file is None else Path(file)
        self.history: list[dict[str, Any]] = []
        self._updates, self._step = UpdateCounter(), 0  # as the epoch began, and made since
        self._not_finite: int | None = None  # the latest step, where there was no estimate
        self.output = output
        self._forward: Forward | None = None

    def __repr__(self) -> str:
        return brief_repr(
            self,
            classes=self.classes,
            images=len(self.images),
            draws=self.draws,
            every=self.every,
            every_steps=self.every_steps,
            evaluations=len(self.history),
        )

    def set_model(self, model):
        """Takes the model whose logits are read."""
        super().set_model(model)
        found = model_output(model, symbolic(model, self.output))
        if found.kind in (SOFTMAX, SIGMOID):
            raise InputError(
                "Expected a model whose output is logits, of which two are compared: no softmax at "
                f"its end. Received: {model.name!r} with an output of {found.made_by}"
            )
        self._forward = Forward(model, self.output)

    def on_train_begin(self, logs=None):
        """Evaluates at the step that training starts from."""
        super().on_train_begin(logs)
        self._not_finite = None
        self._evaluate()

    def on_epoch_begin(self, epoch, logs=None):
        """Reads how many updates have been made."""
        self._updates = self._read_updates()
        self._step = self._updates.made

    def on_train_batch_end(self, batch, logs=None):
        """Evaluates where a step is due; with several steps an execution, after the execution."""
        # Of an execution that ends early, Keras tells more batches than there were.
        before, self._step = self._step, self._updates.after(batch + 1)
        if self.every_steps and self._step // self.every_steps > before // self.every_steps:
            self._go_on()
            self._tell(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates where the epoch is due, and logs the latest value."""
        if self.every and (epoch + 1) % self.every == 0:
            self._go_on()
        self._tell(logs)

    def on_train_end(self, logs=None):
        """Evaluates at the last step."""
        self._go_on()

    def measure(self) -> MutualInformation:
        """Returns the estimate for the model as it is.

        Raises:
            InputError: If logits are not finite.
        """
        sync_state(self.model)
        return self._estimate()

    def _estimate(self) -> MutualInformation:
        samples = augmented_differences(
            self._logits,
            self.images,
            self.classes,
            self.augment,
            draws=self.draws,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        try:
            return mutual_information(samples, scored=self.scored)
        except InputError as error:
            raise NotFiniteError(str(error)) from error

    def _logits(self, x):
        logits = ops.convert_to_numpy(self._forward(x)[0])  # type: ignore[misc]
        return np.where(np.isinf(logits), np.nan, logits)  # of ∞ − ∞, NumPy would warn

    def _read_updates(self) -> UpdateCounter:
        optimizer = getattr(self.model, "optimizer", None)
        return UpdateCounter(self._step) if optimizer is None else count_updates(optimizer)

    def _evaluate(self) -> None:
        sync_state(self.model)
        # Loss scaling skips steps, so there may be fewer than batches tell.
        made = self._read_updates().made
        if made == self._not_finite or (self.history and self.history[-1]["step"] == made):
            return
        self.history.append(history_entry(made, self._estimate()))
        self._not_finite = None
        if self.file is not None:
            _write(self.file, self.history)

    def _go_on(self) -> None:
        try:
            self._evaluate()
        except NotFiniteError as error:
            self._not_finite = self._read_updates().made
            self.leave_out("logs NaN", f"at step {self._not_finite}", error)

    def _tell(self, logs) -> None:
        if logs is not None:
            known = self.history and self._not_finite is None
            value = self.history[-1]["mutual_information"] if known else math.nan
            logs["mutual_information"] = value


def _write(file: Path, history: list[dict[str, Any]]) -> None:
    if file.suffix == ".json":
        write_json(file, history)
        return
    out = io.StringIO()
    table = csv.DictWriter(out, list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_bytes(file, out.getvalue().encode())


def history_entry(step: int, found: MutualInformation) -> dict[str, Any]:
    """Returns an estimate as a history holds it."""
    return {
        "step": step,
        "mutual_information": found.value,
        "low": found.low,
        "high": found.high,
        "bias": found.bias,
        "sigma": found.sigma,
        "num_examples": found.num_examples,
        "draws": found.draws,
        "scored": found.scored,
    }


def two_classes(data, classes: Sequence[int]) -> np.ndarray:
    """Returns the images of two classes; of batches, no others are held.

    Args:
        data: `(x, y)` arrays `(n, ...)` and integers `(n,)` or `(n, 1)`; or batches of them.
        classes: Two different classes.

    Raises:
        InputError: If there are not two classes, or fewer than two images.
    """
    classes = as_counts(classes, "classes")
    if len(classes) != 2 or classes[0] == classes[1]:
        raise InputError(f"Expected two different classes. Received: {classes}")
    images, found = [], np.zeros(2, int)
    for x, y, _ in as_batches(data, "data", batch_size=_READ, again=None):
        y = as_array(y, "y")
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if not isinstance(x, np.ndarray) or y.ndim != 1 or x.ndim < 2 or len(x) != len(y):
            raise InputError(
                "Expected data (x, y): one array of images (n, ...), and integer labels (n,). "
                f"Received: x as {shown(x)}, y as {shown(y)}"
            )
        found += [(y == class_id).sum() for class_id in classes]
        images.append(x[np.isin(y, classes)])
    if found.sum() < 2 or not found.all():
        missing = [c for c, number in zip(classes, found, strict=True) if not number]
        raise InputError(
            "Expected at least two examples, and some of both classes. "
            f"Received: {found.sum()} of classes {tuple(classes)}"
            + (f", none of {missing[0]}" if missing else "")
        )
    return np.concatenate(images)
