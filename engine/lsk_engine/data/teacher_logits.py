"""A teacher's logits of a task's examples: `ls_keras.TeacherLogits`, with batches and padding."""

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
        directory: A folder that does not exist yet; it is there whole or not at all.
        teacher: A model that emits logits `(n, ..., K)`.
        examples: The split.
        known: What `read_examples` found, where that was done before.
        ignore_class: The label of padding; needed for examples of different sizes.
        top_k: How many classes to keep at each position; `None`: all.
        dtype: `"float16"` or `"float32"`.
        batch_size: Examples the teacher sees at a time.
        teacher_id: What to know the teacher by; `None`: the hash of its weights.
        progress: Called with the number of examples done, and of all.

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
    """Opens what `compute_teacher_logits` wrote.

    Args:
        directory: The folder.
        examples: The split.
        known: As for `compute_teacher_logits`.
        teacher: What the teacher was called by (`teacher_id`).

    Raises:
        InputError: If there is no such folder, or it is of other examples, of another order, or
            of another teacher.
    """
    return TeacherLogits.open(
        directory, lambda ignore_class: known or read_examples(examples, ignore_class), teacher
    )


class WithTeacherLogits(Examples):
    """Examples with their teacher's logits as the input `teacher_logits`.

    Args:
        examples: Those the logits are of.
        logits: The logits.
    """

    def __init__(self, examples: Examples, logits: TeacherLogits):
        self.examples, self.logits = examples, logits
        self.sizes, self.references = examples.sizes, examples.references
        self.workers = examples.workers

    def __getattr__(self, name: str):
        # What a task's own examples have besides, such as the shape of images.
        return getattr(vars(self)["examples"], name)

    def __len__(self) -> int:
        return len(self.examples)

    def gather(self, rows: np.ndarray, size: int | None):
        """Returns `(inputs, labels)` of `rows`, the logits among the inputs."""
        inputs, labels = self.examples.gather(rows, size)
        if self.logits.top_k is None:
            return {**inputs, TEACHER_LOGITS: self.logits.gather(rows, labels)}, labels
        # The device fills in the other classes: here they would be K numbers a position.
        names = (TEACHER_LOGITS, TEACHER_CLASSES, TEACHER_REST)
        top = self.logits.gather_top(rows, labels)
        return {**inputs, **dict(zip(names, top, strict=True))}, labels

    def label_counts(self) -> np.ndarray:
        """Returns how many labels that count each example has."""
        return self.examples.label_counts()


def _singly(examples: Examples) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Yields each example by itself, padded to its own size."""
    for row in range(len(examples)):
        size = None if examples.sizes is None else int(examples.sizes[row])
        inputs, labels = examples.gather(np.array([row]), size)
        yield {name: array[0] for name, array in inputs.items()}, labels[0]
