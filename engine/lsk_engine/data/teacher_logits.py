"""Cached logits of a teacher for a task's examples: `ls_keras.TeacherLogits` with padding."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from ls_keras.distillation import TeacherLogits
from ls_keras.distillation.distiller import TEACHER_CLASSES, TEACHER_LOGITS, TEACHER_REST
from ls_keras.distillation.fingerprint import KnownExamples, fingerprint_examples
from lsk_engine.data.batches import BatchSource, bucket_boundaries
from lsk_engine.progress import Progress
from lsk_engine.tasks.contract import Examples


def read_examples(examples: Examples, ignore_class: int | None = None) -> KnownExamples:
    """Reads examples once, each padded to its own size.

    Args:
        examples: The examples, in order.
        ignore_class: The label of padding, or `None`.
    """
    return fingerprint_examples(_singly(examples), ignore_class)


def compute_teacher_logits(
    directory: Path,
    teacher,
    examples: Examples,
    *,
    known: KnownExamples | None = None,
    ignore_class: int | None = None,
    top_k: int | None = None,
    dtype: str = "float16",
    batch_size: int = 256,
    teacher_id: str | None = None,
    progress: Progress | None = None,
) -> TeacherLogits:
    """Runs a teacher over a split, in inference mode, and writes a new folder.

    Args:
        directory: A new folder; it is whole or missing afterwards.
        teacher: A model that emits logits `(n, ..., K)`.
        examples: The split.
        known: The result of `read_examples`, if it was called before.
        ignore_class: The label of padding; needed for examples of different sizes.
        top_k: Number of the most likely classes to store per position; `None`: all.
        dtype: `"float16"` or `"float32"`.
        batch_size: Number of examples per batch of the teacher.
        teacher_id: An identifier of the teacher; `None`: the hash of its weights.
        progress: Called with the number of finished examples, and of all.

    Raises:
        InputError: As `TeacherLogits.compute`.
        FileError: If the folder can't be written.
    """
    sizes = examples.sizes
    if sizes is not None and ignore_class is None:
        raise InputError("Expected ignore_class for examples of different sizes. Received: None")
    source = BatchSource(
        examples,
        min(batch_size, len(examples)),
        ignore_class=ignore_class,
        boundaries=None if sizes is None else bucket_boundaries(sizes),
    )
    batches = (source.batch(step) for step in range(source.steps_per_epoch))
    return TeacherLogits.compute_batches(
        directory,
        teacher,
        ((batch.ids, batch.inputs, batch.labels) for batch in batches),
        known or read_examples(examples, ignore_class),
        ignore_class=ignore_class,
        top_k=top_k,
        dtype=dtype,
        teacher_id=teacher_id,
        progress=progress,
    )


def open_teacher_logits(
    directory: Path, examples: Examples, teacher: str, known: KnownExamples | None = None
) -> TeacherLogits:
    """Opens a folder that `compute_teacher_logits` wrote.

    Args:
        directory: The folder.
        examples: The split.
        known: As for `compute_teacher_logits`.
        teacher: The teacher's identifier (`teacher_id`).

    Raises:
        InputError: If there is no such folder, or it belongs to other examples, another order,
            or another teacher.
    """
    return TeacherLogits.open(
        directory, lambda ignore_class: known or read_examples(examples, ignore_class), teacher
    )


class WithTeacherLogits(Examples):
    """Examples with their teacher's logits as the input `teacher_logits`.

    Args:
        examples: The examples.
        logits: Their logits.
    """

    def __init__(self, examples: Examples, logits: TeacherLogits):
        self.examples, self.logits = examples, logits
        self.sizes, self.references = examples.sizes, examples.references
        self.workers = examples.workers

    def __getattr__(self, name: str):
        # Further attributes of a task's own examples, such as the shape of images.
        return getattr(vars(self)["examples"], name)

    def __len__(self) -> int:
        return len(self.examples)

    def gather(self, rows: np.ndarray, size: int | None):
        """Returns `(inputs, labels)` of `rows`, the logits among the inputs."""
        inputs, labels = self.examples.gather(rows, size)
        if self.logits.top_k is None:
            return {**inputs, TEACHER_LOGITS: self.logits.gather(rows, labels)}, labels
        # The device fills in the other classes: K numbers per position would take much memory.
        names = (TEACHER_LOGITS, TEACHER_CLASSES, TEACHER_REST)
        top = self.logits.gather_top(rows, labels)
        return {**inputs, **dict(zip(names, top, strict=True))}, labels

    def label_counts(self) -> np.ndarray:
        """Returns the number of labels that count, per example."""
        return self.examples.label_counts()


def _singly(examples: Examples) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Yields each example by itself, padded to its own size."""
    for row in range(len(examples)):
        size = None if examples.sizes is None else int(examples.sizes[row])
        inputs, labels = examples.gather(np.array([row]), size)
        yield {name: array[0] for name, array in inputs.items()}, labels[0]
