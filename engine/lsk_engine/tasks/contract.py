"""The contract between the core and a task: what a plugin brings, on one screen.

One tensor contract for every task, so that loss, metrics, temperature, projection and
distillation exist once: a model emits float32 logits `(..., num_classes)` from a last layer named
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
        sizes: For examples of unequal length, int array `(n,)` of what a batch must be padded to
            in order to hold each; `None` where all examples have one shape.
        references: What `Task.score` compares outputs with, one an example.
        workers: How many batches are worth gathering at a time, in threads, ahead of the step: more
            than one where each has files to be decoded.
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

    def label_counts(self) -> "np.ndarray":
        """Returns how many labels that count each example has, int array `(n,)`; default: one."""
        import numpy as np  # `lsk --help` waits for this module, and not for NumPy

        return np.ones(len(self), np.int64)


@dataclasses.dataclass(frozen=True)
class TaskData:
    """What a task's data set is made of.

    Attributes:
        splits: `train`, `validation`, `test` and, where there are, further test sets; better as
            `lsk_engine.data.lazy.LazySplits`, since scoring asks for no training split.
        num_classes: K.
        ignore_class: The label of padding, or `None`.
        class_names: K names: classes, sub-words, characters or words.
        class_counts: How often each class is a training label, `(K,)`: the counts of `Unigram`;
            where that takes the training split, a `lsk_engine.data.lazy.lazy_array`.
        unused_classes: Classes that never are labels (padding, start).
        artifacts: Files that belong to the model (vocabulary), by name: saved with the run.
        notes: What every report on this data must say, such as "synthetic".
        train_sizes: The sizes of the training examples, in any order, where the training split
            need not be loaded for them; `None`: it says so. Batches take after them.
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
        values: By name; first the one that curves are drawn of.
        labels: What each is called in a table.
        signatures: How a score was computed, where its field writes that down (sacrebleu).
        intervals: The ends of the 95 % intervals of those scores that have one.
        better: Whether less or more is better, of those scores of which it is known: studies
            (`lsk study`) decide nothing about the others.
        bounds: The smallest and largest possible value of scores, `None`: unlimited; intervals of
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

    A `task.py` imports nothing heavy: each method starts with its one local import.
    """

    summary: ClassVar[str]
    extra: ClassVar[str | None] = None  # the pip requirement that installs what the task needs
    unit: ClassVar[str] = "examples"  # what a label is called in "…/s"
    models: ClassVar[Mapping[str, str]]  # name -> one line

    @abc.abstractmethod
    def load_data(self, config: Config, artifacts: Mapping[str, bytes] | None = None) -> TaskData:
        """Loads the splits; `artifacts` are those of a run whose vocabulary is to be used."""

    def load_new(self, config: Config, artifacts: Mapping[str, bytes]) -> TaskData:
        """Loads other data than a run's, to score its model on: what there is, nothing drawn.

        Args:
            config: The run's, with the other `data.source`.
            artifacts: Those of the run.

        Returns:
            Data of the run's classes. Where they have no splits, there is one, `all`. Batches take
            after `train`, which may be a split under its second name.
        """
        return self.load_data(config, artifacts)

    @abc.abstractmethod
    def build_model(self, config: Config, data: TaskData) -> "keras.Model":
        """Builds a functional model: inputs named as in `Examples.gather`, output `logits`."""

    def unused_by_model(self, config: Config) -> Sequence[str]:
        """Returns the fields of `config.model` that the model of that name does not have."""
        return ()

    def import_layers(self, config: Config) -> None:
        """Imports the modules whose registered classes a saved model of this run holds."""
        return None

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

    def illustrate(
        self,
        model: "keras.Model",
        examples: Examples,
        outputs: Sequence[Any],
        config: Config,
        data: TaskData,
    ) -> Mapping[str, tuple["Figure", Sequence[Mapping[str, Any]]]]:
        """Returns pictures of a split's outputs by name, each a figure and its numbers as rows.

        `outputs` are what `decode` returned. They are saved beside the evaluation.
        """
        return {}

    def prepare(self, config: Config, data: TaskData, directory: Path) -> None:
        """Writes loaded data into the empty `directory`, if the task offers that.

        `load_data` must then take them from there where `config.data.source` is a prepared data
        set; see `lsk_engine.data.prepared.prepared_data`.
        """
        raise NotImplementedError  # `lsk prepare` says so to the user

    def augment(self, config: Config) -> "keras.layers.Layer | None":
        """Returns the random augmentation of inputs as a layer, callable by itself."""
        return None
