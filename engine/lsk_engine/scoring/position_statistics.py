"""One streaming pass over a split: loss, NLL, Brier score, confidence and hit of each position."""

import dataclasses
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_base.errors import FileError
from ls_base.npz import ArraySpec, read_npz
from ls_keras.calibration import ReliabilityCurve, curve_of_statistics
from ls_keras.inputs.probabilities import first_largest
from ls_keras.losses import smoothed_cross_entropy
from ls_keras.losses.classification_loss import ClassificationLoss
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import explain_data_errors
from lsk_engine.devices.distributed_predict import copy_to_devices, predict_rows, scoring_strategy
from lsk_engine.devices.framework_errors import explain_oom
from lsk_engine.devices.xla import jit_compile
from lsk_engine.progress import Progress
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import TaskData
from lsk_engine.tasks.loss import build_loss

COLUMNS = ("loss", "nll", "brier", "confidence", "correct")
_LABELS = "statistics_labels"


class PositionStatistics(keras.layers.Layer):
    """Reduces the K logits of a position to five numbers.

    Args:
        loss: The training loss, whose values are the column `loss`.
        ignore_class: The label of padding, or `None`.

    Call arguments:
        logits: Tensor `(..., K)`.
        labels: Integers `(...)`.

    Returns:
        A dict of float32 tensors `(...)`: `loss`, `nll` (−log p_y, nats, never smoothed),
        `brier` (Σ_k (p_k − y_k)²), `confidence` (max_k p_k) and `correct` (0 or 1).
    """

    def __init__(self, loss: ClassificationLoss, ignore_class: int | None = None, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.loss, self.ignore_class = loss, ignore_class

    def call(self, logits, labels):
        """Reduces the logits."""
        num_classes = logits.shape[-1]
        trained = self.loss.call(labels, logits)
        nll = smoothed_cross_entropy(
            labels, logits, alpha=0.0, from_logits=True, ignore_class=self.ignore_class
        )
        # A padding label may lie outside the classes; its position does not count.
        labels = ops.clip(labels, 0, num_classes - 1)
        probabilities = ops.softmax(logits, axis=-1)
        return {
            "loss": trained,
            "nll": nll,
            "brier": ops.sum(ops.square(probabilities), axis=-1) - 2 * ops.exp(-nll) + 1,
            "confidence": ops.max(probabilities, axis=-1),
            "correct": ops.cast(first_largest(logits) == labels, "float32"),
        }


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The statistics of every position that counts, in the order of the split.

    Attributes:
        columns: The columns of `PositionStatistics`, float32 `(positions,)` each.
        ids: int64 `(positions,)`: the example that each position belongs to.
    """

    columns: dict[str, np.ndarray]
    ids: np.ndarray

    def metrics(self) -> dict[str, float]:
        """Returns means over the positions, summed in float64.

        `loss` (as trained), `nll` (nats per label), `perplexity` (exp of it), `accuracy`, `brier`
        and `ece` (15 bins), with the ends of its 95 % interval.
        """
        curve = self.curve()
        mean = {name: float(np.mean(v, dtype=np.float64)) for name, v in self.columns.items()}
        with np.errstate(over="ignore"):
            perplexity = float(np.exp(mean["nll"]))
        return {
            "loss": mean["loss"],
            "nll": mean["nll"],
            "perplexity": perplexity,
            "accuracy": mean["correct"],
            "brier": mean["brier"],
            "ece": curve.ece,
            "ece_low": curve.ece_low,
            "ece_high": curve.ece_high,
        }

    @property
    def confidences(self) -> np.ndarray:
        """The confidences, at most 1; float32 sums of K terms may exceed it."""
        return np.clip(self.columns["confidence"], 0, 1)

    def curve(self, **options: Any) -> ReliabilityCurve:
        """Returns the reliability curve; examples (sentences), not positions, are resampled.

        Args:
            options: Of `ls_keras.calibration.curve_of_statistics`.
        """
        return curve_of_statistics(
            self.confidences,
            self.columns["correct"],
            groups=self.ids,
            **options,
        )

    def to_bytes(self) -> memoryview:
        """Returns the statistics as a compressed `.npz`."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, ids=self.ids, **self.columns)
        return buffer.getbuffer()

    @classmethod
    def load(cls, file: Path) -> "Predictions":
        """Reads a file that `to_bytes` has written.

        Raises:
            FileError: If it is another file, or damaged.
        """
        column = ArraySpec("f", (None,))
        columns = read_npz(
            file, {"ids": ArraySpec("iu", (None,)), **dict.fromkeys(COLUMNS, column)}
        )
        ids = columns.pop("ids")
        lengths = {len(array) for array in (ids, *columns.values())}
        inside = all(
            ((columns[name] >= 0) & (columns[name] <= 1 + 1e-3)).all()
            for name in ("confidence", "correct")
        )
        if len(lengths) > 1 or not len(ids) or not inside:
            raise FileError(
                "Expected columns of equal length, with confidences from 0 to 1, in "
                f"{file}. Received: other values"
            )
        return cls(ids=ids, columns=columns)


class Scorer:
    """Runs a model over splits and returns five numbers per position; compiled once.

    Args:
        model: A model `inputs → logits`, built under the current strategy.
        loss: The training loss.
        ignore_class: The label of padding, or `None`.
        label_rank: Rank of an example's labels: 0 for one label, 1 for a sequence.
        jit_compile: As for `keras.Model.compile`.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: ClassificationLoss,
        ignore_class: int | None,
        *,
        label_rank: int,
        jit_compile: bool | str = "auto",
    ):
        labels = keras.Input((None,) * label_rank, dtype="int32", name=_LABELS)
        statistics = PositionStatistics(loss, ignore_class)(model.output, labels)
        inputs = {**{x.name: x for x in model.inputs}, _LABELS: labels}
        self._model = keras.Model(inputs, statistics)
        self._model.compile(jit_compile=jit_compile)

    def predict(
        self, source: BatchSource, progress: Progress = lambda done, total: None
    ) -> Predictions:
        """Returns the statistics of a split.

        Args:
            source: The split's batches, unshuffled.
            progress: Receives the number of finished examples, and of all.
        """
        columns: dict[str, list[np.ndarray]] = {}
        ids = []
        total = len(source.examples)
        for step in range(source.steps_per_epoch):
            with explain_data_errors(source):
                batch = source.batch(step)
            counts = batch.sample_weight > 0
            inputs = {**batch.inputs, _LABELS: batch.labels.astype(np.int32)}
            with explain_oom(source.batch_size):
                statistics = predict_rows(self._model, inputs)
            for name, values in statistics.items():
                columns.setdefault(name, []).append(np.asarray(values)[counts])
            spread = batch.ids.reshape(-1, *(1 for _ in counts.shape[1:]))
            ids.append(np.broadcast_to(spread, counts.shape)[counts])
            progress(min((step + 1) * source.batch_size, total), total)
        rows = np.concatenate(ids)
        order = np.argsort(rows, kind="stable")  # buckets put the examples out of order
        return Predictions(
            {name: np.concatenate(parts)[order] for name, parts in columns.items()}, rows[order]
        )


def build_scorer(model: keras.Model, config: Config, data: TaskData) -> Scorer:
    """Returns a scorer of a model on all devices, with the loss of `config`."""
    # Any split but the largest, which scoring does not need.
    split = next((name for name in data.splits if name != "train"), "train")
    _, labels = data.splits[split].gather(np.arange(1), None)
    copies = copy_to_devices(model, config)
    with scoring_strategy(config.training.strategy, config.training.devices).scope:
        return Scorer(
            model if copies is None else copies.model,
            build_loss(config, data),
            data.ignore_class,
            label_rank=labels.ndim - 1,
            jit_compile=jit_compile(config),
        )


def predict_positions(
    predict: Callable[[Mapping[str, Any]], Any],
    source: BatchSource,
    progress: Progress = lambda done, total: None,
    steps: int | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields labels and outputs of the positions that count, batch by batch.

    Args:
        predict: Returns the outputs of a batch of inputs.
        source: The batches.
        progress: Receives the number of finished examples, and of all.
        steps: Number of batches; `None`: all.
    """
    total = len(source.examples)
    for step in range(source.steps_per_epoch if steps is None else steps):
        with explain_data_errors(source):
            batch = source.batch(step)
        counts = batch.sample_weight > 0
        with explain_oom(source.batch_size):
            outputs = np.asarray(predict(batch.inputs))
        yield np.asarray(batch.labels)[counts], outputs[counts]
        progress(min((step + 1) * source.batch_size, total), total)
