"""Labeled arrays as a task's data: splits, checks, held-out examples, and the error rate."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ls_base.errors import InputError
from lsk_engine.data.lazy import map_splits
from lsk_engine.data.splits import draw_rows, splits_to_score
from lsk_engine.keras_model.arrays import Labeled
from lsk_engine.keras_model.config import DataConfig
from lsk_engine.progress import Progress
from lsk_engine.tasks.class_ids import class_names, count_classes, named_classes
from lsk_engine.tasks.contract import Examples, Scores, TaskData
from lsk_engine.tasks.percentage import percentage

SPLITS = ("train", "validation", "test")


class ArrayExamples(Examples):
    """Examples of a split; all have the same shape.

    Args:
        split: All examples of the split, with their labels.
        rows: The rows to use; `None`: all.
        ignore_class: The label of positions that do not count, or `None`.
    """

    def __init__(
        self, split: Labeled, rows: np.ndarray | None = None, ignore_class: int | None = None
    ):
        self.split, self.ignore_class = split, ignore_class
        self.rows = np.arange(len(split)) if rows is None else rows
        self.labels = split.labels[self.rows]
        self.counts = np.ones(self.labels.shape, bool)
        if ignore_class is not None:
            self.counts = self.labels != ignore_class
        self.references = self.select_counting(self.labels, np.arange(len(self)))

    def __len__(self) -> int:
        return len(self.labels)

    def select_counting(self, classes: np.ndarray, rows: np.ndarray) -> list[Any]:
        """Returns classes of the examples `rows`, without positions that do not count.

        Args:
            classes: A class for each example, or for each of its positions.
            rows: The examples.

        Returns:
            For each example its class, or a list; `None` if its only label does not count.
        """
        counts = self.counts[rows]
        if classes.ndim == 1:
            found = zip(classes.tolist(), counts, strict=True)
            return [one if kept else None for one, kept in found]
        return [one[kept].tolist() for one, kept in zip(classes, counts, strict=True)]

    def take(self, rows: np.ndarray) -> "ArrayExamples":
        """Returns the examples `rows` as another split."""
        return ArrayExamples(self.split, self.rows[rows], self.ignore_class)

    def gather(
        self, rows: np.ndarray, size: int | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the inputs and labels of `rows`; all have one shape, so `size` is `None`."""
        chosen = self.rows[rows]
        inputs = {name: array[chosen] for name, array in self.split.inputs.items()}
        return inputs, self.labels[rows]

    def label_counts(self) -> np.ndarray:
        """Returns how many labels that count each example has."""
        return self.counts.reshape(len(self), -1).sum(1)


def task_data(
    splits: Mapping[str, Labeled], options: DataConfig, names: Sequence[str] | None = None
) -> TaskData:
    """Returns a task's data; missing splits are drawn from the training examples.

    Args:
        splits: `train`, and optionally `validation` and `test`.
        options: The settings of the data.
        names: Names of the classes, by label; `None`: numbers.

    Raises:
        InputError: If a label is out of range, splits differ in shape, or no training example is
            left.
    """
    num_classes = _num_classes(splits, options, names)
    for split in splits.values():
        _check(split, splits["train"], num_classes, options.ignore_class)
    found, notes = _split(splits, options)
    return _task_data(found, options, list(names or map(str, range(num_classes))), notes)


def new_data(
    splits: Mapping[str, Labeled],
    options: DataConfig,
    own_names: Sequence[str] | None,
    artifacts: Mapping[str, bytes],
) -> TaskData:
    """Returns other data for a run with the same classes; no examples are held out.

    Args:
        splits: The splits of the data.
        options: The run's settings, with the other source.
        own_names: Names of the classes in the data, or `None`.
        artifacts: Artifacts of the run.

    Raises:
        InputError: If the classes differ, or the shapes of the splits.
    """
    names = class_names(artifacts)
    if own_names is not None and list(own_names) != names:
        raise InputError(
            f"Expected the classes of the run, {', '.join(names)}. Received: {', '.join(own_names)}"
        )
    first = next(iter(splits.values()))
    for split in splits.values():
        _check(split, first, len(names), options.ignore_class)
    found = {
        name: ArrayExamples(split, ignore_class=options.ignore_class)
        for name, split in splits.items()
    }
    return dataclasses.replace(_task_data(found, options, names, []), splits=splits_to_score(found))


def _task_data(
    found: Mapping[str, ArrayExamples], options: DataConfig, names: list[str], notes: list[str]
) -> TaskData:
    train = found.get("train", next(iter(found.values())))
    if not all(examples.counts.any() for examples in found.values()):
        raise InputError(
            "Expected labels that count in every split. "
            f"Received: none but data.ignore_class={options.ignore_class}"
        )
    if one_hot := train.split.one_hot:
        notes.append(f"labels: one-hot over {one_hot} classes, read as integers")
    # Inputs may still be in a file, which is read on demand.
    splits = map_splits(found, lambda name, examples: examples)
    return TaskData(
        splits=splits,
        num_classes=len(names),
        ignore_class=options.ignore_class,
        class_names=names,
        class_counts=np.bincount(train.labels[train.counts], minlength=len(names)),
        artifacts=named_classes(names),
        notes=tuple(notes),
    )


def _num_classes(
    splits: Mapping[str, Labeled], options: DataConfig, class_names: Sequence[str] | None
) -> int:
    largest = max(
        int(split.labels[split.labels != options.ignore_class].max(initial=0))
        for split in splits.values()
    )
    sources: dict[str, Any] = {
        "data.num_classes": options.num_classes,
        "one-hot labels": splits["train"].one_hot,
        "class_names": None if class_names is None else len(class_names),
    }
    known = {what: count for what, count in sources.items() if count is not None}
    if len(set(known.values())) > 1:
        raise InputError(
            "Expected one number of classes. Received: "
            + ", ".join(f"{count} by {what}" for what, count in known.items())
        )
    count = next(iter(known.values())) if known else count_classes(largest)
    if count < 2:
        raise InputError(f"Expected at least two classes. Received: {count}")
    return count


def _check(split: Labeled, train: Labeled, num_classes: int, ignore_class: int | None) -> None:
    labels = split.labels
    wrong = ((labels < 0) | (labels >= num_classes)) & (labels != ignore_class)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        more = "" if labels.ndim == 1 else "; set data.ignore_class for padding"
        raise InputError(
            f"Expected labels in [0, {num_classes}) in y of {split.name}{more}. "
            f"Received: {labels[place]} in row {place[0]:,}"
        )
    shapes, expected = (
        {
            **{name: (array.shape[1:], array.dtype.kind) for name, array in of.inputs.items()},
            "y": (of.labels.shape[1:], "i"),
        }
        for of in (split, train)
    )
    if shapes != expected:
        received, wanted = (_listed(which) for which in (shapes, expected))
        raise InputError(
            f"Expected {split.name} of the shapes and types of {train.name}, {wanted}. "
            f"Received: {received}"
        )


def _listed(shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> str:
    kinds = {"b": "booleans", "i": "integers", "u": "unsigned integers", "f": "floats"}
    return ", ".join(f"{name} {kinds[kind]} {shape}" for name, (shape, kind) in shapes.items())


def _split(
    splits: Mapping[str, Labeled], options: DataConfig
) -> tuple[dict[str, ArrayExamples], list[str]]:
    """Draws missing validation and test examples from the training split."""
    ignore = options.ignore_class
    found = {
        name: ArrayExamples(split, ignore_class=ignore)
        for name, split in splits.items()
        if name != "train"
    }
    for name in ("validation", "test"):
        if name in found and getattr(options, name) is not None:
            raise InputError(
                f"Expected data without the split {name}, to hold out data.{name}="
                f"{getattr(options, name)}. Received: {len(found[name]):,} examples in {name}"
            )
    rows, notes = draw_rows(
        len(splits["train"]),
        {name: getattr(options, name) for name in ("test", "validation") if name not in found},
        seed=options.split_seed,
        examples=options.max_train_examples,
        noun="examples",
    )
    for name, drawn in rows.items():
        found[name] = ArrayExamples(splits["train"], drawn, ignore)
    return {name: found[name] for name in SPLITS}, notes


def predict_classes(
    predict: Callable[[Mapping[str, Any]], Any],
    examples: ArrayExamples,
    batch_size: int,
    progress: Progress,
) -> list[Any]:
    """Returns the most likely class of each example, or of each of its positions that count.

    Ties go to the lower class.

    Args:
        predict: Returns the logits of a batch of inputs.
        examples: A split.
        batch_size: Number of examples at a time.
        progress: Receives the number of finished examples, and of all.
    """
    total = len(examples)
    size = min(batch_size, total)
    found: list[Any] = []
    for start in range(0, total, size):
        rows = np.arange(start, min(start + size, total))
        padded = np.concatenate([rows, np.zeros(size - len(rows), rows.dtype)])
        inputs, _ = examples.gather(padded, None)
        best = np.asarray(predict(inputs))[: len(rows)].argmax(-1)
        found += examples.select_counting(best, rows)
        progress(len(found), total)
    return found


def score(references: Sequence[Any], outputs: Sequence[Any]) -> Scores:
    """Computes the error rate of a split.

    Args:
        references: The true class of each example, or a list with those of its positions; `None`
            if its label does not count.
        outputs: The result of `predict_classes`.

    Returns:
        `error_rate` in percent; with its 95 % Clopper–Pearson interval if each example has one
        label, because positions of one example depend on one another.
    """
    name, label = "error_rate", "error rate (%)"
    pairs = [pair for pair in zip(references, outputs, strict=True) if pair[0] not in (None, [])]
    if not pairs:
        raise InputError(
            f"Expected examples with a label that counts. Received: none among {len(references)}"
        )
    wanted, given = (
        np.concatenate([np.atleast_1d(one) for one in of]) for of in zip(*pairs, strict=True)
    )
    value, interval = percentage(int((wanted != given).sum()), len(wanted))
    alone = not any(isinstance(one, list) for one in references)
    intervals = {name: interval} if alone else {}
    return Scores(
        {name: value},
        {name: label},
        intervals=intervals,
        better={name: "less"},
        bounds={name: (0.0, 100.0)},
    )
