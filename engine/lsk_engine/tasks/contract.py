"""The contract between the engine and a task plugin.

All tasks share one tensor contract, so that loss, metrics, temperature, projection and distillation
exist once: a model emits float32 logits `(..., num_classes)` from a last layer named
`logits` that exposes `kernel` and `bias`; labels are integers `(...)`; padding is
`label == ignore_class`.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lsk_engine.progress import Progress
from lsk_engine.settings.config import Config
from lsk_engine.settings.protocols import TaskSettings

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure


class Examples(abc.ABC):
    """One split of a data set: random access to examples, padded on request.

    Attributes:
        sizes: For examples of unequal length, int array `(n,)` of the length that a batch has to be
            padded to for each; `None`: all examples have one shape.
        references: The reference of each example, for `Task.score`.
        workers: Number of threads that gather batches ahead of the step; more than 1 pays where
            files have to be decoded.
    """

    sizes: "np.ndarray | None" = None
    references: Sequence[Any] = ()
    workers: int = 1

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of examples."""

    @abc.abstractmethod
    def gather(
        self, rows: "np.ndarray", size: int | None
    ) -> "tuple[dict[str, np.ndarray], np.ndarray]":
        """Returns `(inputs, labels)` of the examples `rows`, padded to `size`."""

    def take(self, rows: "np.ndarray") -> "Examples | None":
        """Returns these examples as a split of the same kind; `None`: the engine selects them.

        Override it where that saves memory, or the split has further methods.
        """
        return None

    def label_counts(self) -> "np.ndarray":
        """Returns the number of labels of each example without padding, int `(n,)`; default: 1."""
        import numpy as np  # imported here to keep `lsk --help` fast

        return np.ones(len(self), np.int64)


@dataclasses.dataclass(frozen=True)
class TaskData:
    """The data set of a task.

    Attributes:
        splits: `train`, `validation`, `test` and further test sets; best as
            `lsk_engine.data.lazy.LazySplits`, since scoring does not need the training split.
        num_classes: K.
        ignore_class: The label of padding, or `None`.
        class_names: K names: classes, sub-words, characters or words.
        class_counts: How often each class is a training label, `(K,)`: the counts of `Unigram`;
            where that takes the training split, a `lsk_engine.data.lazy.lazy_array`.
        unused_classes: Classes that are never labels (padding, start).
        artifacts: Files that belong to the model (vocabulary) by name; saved with the run.
        notes: Notes that every report on the data shows, such as "synthetic".
        train_sizes: The sizes of the training examples, in any order, where the training split
            need not be loaded for them; `None`: the split has them. Batch lengths follow them.
    """

    splits: Mapping[str, Examples]
    num_classes: int
    ignore_class: int | None
    class_names: Sequence[str]
    class_counts: "np.ndarray"
    unused_classes: tuple[int, ...] = ()
    artifacts: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()
    train_sizes: "np.ndarray | None" = None


@dataclasses.dataclass(frozen=True)
class Scores:
    """A task's scores of decoded outputs.

    Attributes:
        values: Scores by name; the first is the one of curves.
        labels: Label of each score in tables.
        signatures: Signature of the computation, where the field has one (sacrebleu).
        intervals: 95 % intervals of the scores that have one.
        better: Whether less or more is better, where it is known: studies (`lsk study`) decide
            nothing about the other scores.
        bounds: Smallest and largest possible value of each score, `None`: unlimited; intervals of
            a study do not leave them.
    """

    values: Mapping[str, float]
    labels: Mapping[str, str]
    signatures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    better: Mapping[str, Literal["less", "more"]] = dataclasses.field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float | None]] = dataclasses.field(default_factory=dict)

    def flat(self) -> dict[str, float]:
        """Returns the values, each with the ends of its interval as `NAME_low`, `NAME_high`."""
        found = {}
        for name, value in self.values.items():
            found[name] = value
            if name in self.intervals:
                found[f"{name}_low"], found[f"{name}_high"] = self.intervals[name]
        return found


class Task(TaskSettings, abc.ABC):
    """A task plugin, found through the entry-point group `ls_keras.tasks`.

    A `task.py` imports nothing heavy: each method starts with its one local import. The settings
    classes, presets and data sources are attributes of `TaskSettings`.

    Attributes:
        summary: What the task does, in a line.
        models: Names of the networks, each with a line of text.
        unit: Name of a label in "…/s".
        extra: Pip requirement that installs what the task needs, or `None`.
    """

    summary: ClassVar[str]
    models: ClassVar[Mapping[str, str]]

    # ---- Required ----

    @abc.abstractmethod
    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Loads the splits.

        Args:
            config: The configuration.
            artifacts: Artifacts of a run whose vocabulary is to be used; `None`: a new run.
        """

    @abc.abstractmethod
    def build_model(self, config: Config, data: TaskData) -> "keras.Model":
        """Builds a functional model: inputs named as in `Examples.gather`, output `logits`."""

    @abc.abstractmethod
    def decode(
        self,
        model: "keras.Model",
        examples: Examples,
        config: Config,
        data: TaskData,
        progress: Progress,
    ) -> list[Any]:
        """Returns the model's output for each example, in order, as JSON can hold it."""

    @abc.abstractmethod
    def score(self, examples: Examples, outputs: Sequence[Any]) -> Scores:
        """Compares decoded outputs with the references."""

    # ---- Optional, see also `TaskSettings.suggest` and `TaskSettings.study_preset` ----

    unit: ClassVar[str] = "examples"
    extra: ClassVar[str | None] = None

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Loads other data to score a run's model on, without drawing splits.

        Args:
            config: The run's configuration, with the other `data.source`.
            artifacts: Artifacts of the run.

        Returns:
            Data with the classes of the run. Data without splits are one split, `all`. Batches are
            formed as for `train`, which may be a second name of a split.
        """
        return self.load_data(config, artifacts)

    def unused_by_model(self, config: Config) -> Sequence[str]:
        """Returns the fields of `config.model` that the chosen network does not use."""
        return ()

    def import_layers(self, config: Config) -> None:
        """Imports the modules whose registered classes a saved model of this run needs."""
        return None

    def augment(self, config: Config) -> "keras.layers.Layer | None":
        """Returns the random augmentation of inputs as a layer that can be called by itself."""
        return None

    def illustrate(
        self,
        model: "keras.Model",
        examples: Examples,
        outputs: Sequence[Any],
        config: Config,
        data: TaskData,
    ) -> Mapping[str, tuple["Figure", Sequence[Mapping[str, Any]]]]:
        """Returns figures of a split's outputs by name, each with its numbers as rows.

        They are saved with the evaluation. `outputs` are the result of `decode`.
        """
        return {}

    def prepare(self, config: Config, data: TaskData, directory: Path) -> None:
        """Writes loaded data to the empty `directory`, for `lsk prepare`.

        `load_data` then has to read them from there if `config.data.source` is a prepared data set;
        see `lsk_engine.data.prepared.prepared_data`.
        """
        raise NotImplementedError
