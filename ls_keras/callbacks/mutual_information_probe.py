"""Callback that estimates mutual information during training, as in Figure 6 of the paper."""

import csv
import dataclasses
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
from ls_keras.callbacks.probe_callback import NotFiniteError, ProbeCallback
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

_READ_SIZE = 1024  # examples


class MutualInformationProbe(ProbeCallback):
    """Estimates during training how much information logits contain about single examples.

    The examples of two classes are augmented `draws` times, the model runs without dropout, and the
    mutual information between the example and the difference of the logits of the two classes is
    estimated (`ls_keras.mutual_information`). With smoothing it falls to about log 2, where only
    the class is left; with hard targets it stays higher. It is evaluated before training, at the
    end of epochs or every few steps, and after training.

    The augmentations are the same at every evaluation and do not affect the random state of
    training. Evaluations do not change the result of training.

    Adds `mutual_information` (nats), the latest value, to the `logs` of each epoch and of the
    steps with an evaluation. Pass the probe before callbacks that use it. If the logits of the two
    classes are not finite, the value is NaN, the history has no entry, and training continues with
    one warning; `EarlyStopping` treats such epochs as no improvement.

    Args:
        data: `(x, y)`: arrays of model inputs before augmentation `(n, ...)` and of integer labels
            `(n,)`, of the training set in the paper. Or batches of them, read once: a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch `DataLoader` or a list.
            Sample weights are ignored.
        classes: Two different classes. Only their examples are used, 300 of each in the paper.
        augment: The augmentation d(·), called as `augment(images, training=True)`: a Keras layer
            or model, whose seed generators are set for each draw and restored, or a function. A
            function with an argument `seed` receives another integer for each draw and batch;
            others must make their draws repeatable themselves.
        draws: L, number of augmentations of each example. Default: 5.
        every: Epochs between evaluations. Default: 1 without `every_steps`, otherwise none.
        every_steps: Updates between evaluations. Default: `None`, for none within an epoch.
        scored: See `ls_keras.mutual_information`. Default: `"held_out"`.
        batch_size: Images in a batch. Default: 256.
        seed: Seed of the augmentations. Default: 0.
        file: A `.csv` or `.json` file for the history, written after each evaluation. Default:
            `None`.
        output: For models with several outputs, which one has the logits: its name, its key or its
            index.

    Attributes:
        history: A mapping for each evaluation, for `ls_keras.plots.information_curve`: `step`,
            `mutual_information`, `low`, `high`, `bias`, `sigma`, `num_examples`, `draws`,
            `scored`.

    Raises:
        InputError: If an argument is wrong, or the two classes have fewer than two examples; before
            the first step, if logits are not finite.

    Warns:
        UserWarning: Once in each training, if logits are not finite later because the model
            diverged.

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
        self.images = select_classes(data, classes)
        self.classes = as_counts(classes, "classes")
        self.augment, self.draws = augment, draws
        self.every, self.every_steps = every, every_steps
        self.scored, self.batch_size, self.seed = scored, batch_size, seed
        self.file = None if file is None else Path(file)
        self.history: list[dict[str, Any]] = []
        self._updates, self._step = UpdateCounter(), 0  # at the start of the epoch, and now
        self._not_finite: int | None = None  # the latest step without an estimate
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
        """Sets the model and checks that its output is logits."""
        super().set_model(model)
        found = model_output(model, symbolic(model, self.output))
        if found.kind in (SOFTMAX, SIGMOID):
            raise InputError(
                "Expected a model whose output is logits, without a softmax at its end. "
                f"Received: {model.name!r} with an output of {found.made_by}"
            )
        self._forward = Forward(model, self.output)

    def on_train_begin(self, logs=None):
        """Evaluates the first step."""
        super().on_train_begin(logs)
        self._not_finite = None
        self._evaluate()

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the number of updates."""
        self._updates = self._read_updates()
        self._step = self._updates.made

    def on_train_batch_end(self, batch, logs=None):
        """Evaluates if a step is due; with `steps_per_execution`, after the execution."""
        # Keras reports too many batches for an execution that ends early.
        before, self._step = self._step, self._updates.after(batch + 1)
        if self.every_steps and self._step // self.every_steps > before // self.every_steps:
            self._evaluate_or_warn()
            self._log(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Evaluates if the epoch is due, and logs the latest value."""
        if self.every and (epoch + 1) % self.every == 0:
            self._evaluate_or_warn()
        self._log(logs)

    def on_train_end(self, logs=None):
        """Evaluates the last step."""
        self._evaluate_or_warn()

    def measure(self) -> MutualInformation:
        """Returns the estimate for the current weights.

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
        return np.where(np.isinf(logits), np.nan, logits)  # NumPy warns about ∞ − ∞

    def _read_updates(self) -> UpdateCounter:
        optimizer = getattr(self.model, "optimizer", None)
        return UpdateCounter(self._step) if optimizer is None else count_updates(optimizer)

    def _evaluate(self) -> None:
        sync_state(self.model)
        # Loss scaling skips steps, so there may be fewer updates than batches.
        made = self._read_updates().made
        if made == self._not_finite or (self.history and self.history[-1]["step"] == made):
            return
        self.history.append(history_entry(made, self._estimate()))
        self._not_finite = None
        if self.file is not None:
            _write(self.file, self.history)

    def _evaluate_or_warn(self) -> None:
        try:
            self._evaluate()
        except NotFiniteError as error:
            self._not_finite = self._read_updates().made
            self.warn_skipped("logs NaN", f"at step {self._not_finite}", error)

    def _log(self, logs) -> None:
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
    """Returns an entry of a history."""
    values = dataclasses.asdict(found)
    return {"step": step, "mutual_information": values.pop("value"), **values}


def select_classes(data, classes: Sequence[int]) -> np.ndarray:
    """Returns the images of two classes.

    Args:
        data: `(x, y)` arrays `(n, ...)` and integers `(n,)` or `(n, 1)`, or batches of them.
        classes: Two different classes.

    Raises:
        InputError: If there are not two classes, or fewer than two images.
    """
    classes = as_counts(classes, "classes")
    if len(classes) != 2 or classes[0] == classes[1]:
        raise InputError(f"Expected two different classes. Received: {classes}")
    images, counts = [], np.zeros(2, int)
    for x, y, _ in as_batches(data, "data", batch_size=_READ_SIZE, again=None):
        y = as_array(y, "y")
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if not isinstance(x, np.ndarray) or y.ndim != 1 or x.ndim < 2 or len(x) != len(y):
            raise InputError(
                "Expected data (x, y): one array of images (n, ...), and integer labels (n,). "
                f"Received: x as {shown(x)}, y as {shown(y)}"
            )
        counts += [(y == class_id).sum() for class_id in classes]
        images.append(x[np.isin(y, classes)])
    if counts.sum() < 2 or not counts.all():
        missing = [c for c, number in zip(classes, counts, strict=True) if not number]
        raise InputError(
            "Expected at least two examples, and some of both classes. "
            f"Received: {counts.sum()} of classes {tuple(classes)}"
            + (f", none of {missing[0]}" if missing else "")
        )
    return np.concatenate(images)
