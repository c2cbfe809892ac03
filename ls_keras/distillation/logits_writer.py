"""Writing a teacher's logits into files, whole or the largest."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.errors import InputError
from ls_keras.errors import shown
from ls_keras.inputs.numpy_examples import look_at_logits
from ls_keras.inputs.output_activation import OTHER, SIGMOID, SOFTMAX, model_output
from ls_keras.inputs.validation import as_choice, as_count, as_function

LOGITS_FILE = "logits.npy"
CLASSES_FILE, REST_FILE = "classes.npy", "rest.npy"  # of the k largest


class LogitsWriter:
    """Writes logits by example into memory-mapped files, which it makes at the first batch.

    Args:
        folder: Where.
        offsets: Int array `(n + 1,)`: example i has the positions `offsets[i]` to `offsets[i + 1]`.
        top_k: How many classes to keep; `None`: all.
        dtype: Of the values.
    """

    def __init__(self, folder: Path, offsets: np.ndarray, top_k: int | None, dtype: np.dtype):
        self.folder, self.offsets, self.top_k, self.dtype = folder, offsets, top_k, dtype
        self.num_classes = 0
        self.shape: list[int] | None = None

    def write(self, row: int, logits: np.ndarray) -> None:
        """Writes the logits `(positions, K)` of an example."""
        if not self.num_classes:
            self._create(logits.shape[-1])
        at = slice(self.offsets[row], self.offsets[row + 1])
        highest = np.finfo(self.dtype).max
        finite = logits[np.isfinite(logits)]
        lost = np.isnan(logits).any() or (logits == np.inf).any()
        if lost or (finite.size and np.abs(finite).max() > highest):
            raise InputError(
                f"Expected logits without NaN or +inf, of at most {highest:g} ({self.dtype}). "
                f"Received: {logits.max() if lost else np.abs(finite).max()} in example {row}"
            )
        if self.top_k is None:
            self.logits[at] = logits
            return
        z = logits.astype(np.float64)
        top = z.max(-1, keepdims=True)
        log_p = z - top - np.log(np.exp(z - top).sum(-1, keepdims=True))
        order = np.argpartition(-log_p, self.top_k - 1, axis=-1)
        kept, rest = order[:, : self.top_k], order[:, self.top_k :]
        self.classes[at] = kept
        with np.errstate(divide="ignore", over="ignore"):  # no mass, or none to 16 bits: −inf
            self.logits[at] = np.take_along_axis(log_p, kept, -1)
            self.rest[at] = np.log(np.exp(np.take_along_axis(log_p, rest, -1)).sum(-1))

    def flush(self) -> None:
        """Hands all files to the disk."""
        names = ("logits",) if self.top_k is None else ("logits", "classes", "rest")
        for name in names:
            getattr(self, name).flush()

    def _create(self, num_classes: int) -> None:
        if self.top_k is not None and not 1 <= self.top_k < num_classes:
            raise InputError(f"Expected top_k in [1, {num_classes}). Received: {self.top_k}")
        self.num_classes = num_classes
        positions = int(self.offsets[-1])
        width = num_classes if self.top_k is None else self.top_k
        self.logits = self._map(LOGITS_FILE, self.dtype, (positions, width))
        if self.top_k is not None:
            self.classes = self._map(CLASSES_FILE, np.dtype(np.int32), (positions, width))
            self.rest = self._map(REST_FILE, np.dtype(np.float32), (positions,))

    def _map(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
        file = self.folder / name
        mapped = np.lib.format.open_memmap(file, "w+", dtype, shape)
        _reserve(file)
        return mapped


def _reserve(file: Path) -> None:
    """Has the disk keep space for all of a file: a map on a full one ends in a bus error."""
    if not hasattr(os, "posix_fallocate"):
        return
    with file.open("r+b") as opened:
        try:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        except OSError as error:  # some file systems can't, and say so
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise


def check_options(teacher, top_k, dtype, teacher_id, progress) -> None:
    """Raises an `InputError` unless the options of `TeacherLogits.compute` are what they should be.

    Args:
        teacher: See `TeacherLogits.compute`, as the others.
        top_k: See there.
        dtype: See there.
        teacher_id: See there.
        progress: See there.
    """
    if not hasattr(teacher, "predict_on_batch"):
        raise InputError(f"Expected a teacher that is a model. Received: {shown(teacher)}")
    found = model_output(teacher)
    if found.kind in (SOFTMAX, SIGMOID, OTHER):
        raise InputError(
            "Expected a teacher whose output is logits: no softmax at its end. "
            f"Received: {getattr(teacher, 'name', teacher)!r} with an output of {found.made_by}"
        )
    if top_k is not None:
        as_count(top_k, "top_k")  # the writer, who knows K, asks for more
    as_choice(dtype, "dtype", ("float16", "float32"))
    if not isinstance(teacher_id, str | None):
        raise InputError(f"Expected teacher_id to be a word. Received: {shown(teacher_id)}")
    if progress is not None:
        as_function(progress, "progress")


def run_teacher(
    writer: LogitsWriter,
    teacher,
    batches: Iterable[tuple[np.ndarray, Any, np.ndarray]],
    ignore_class: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Writes a teacher's logits of all examples; see `TeacherLogits.compute_batches`."""
    done, total = 0, len(writer.offsets) - 1
    for rows, inputs, labels in batches:
        logits = np.asarray(teacher.predict_on_batch(inputs), np.float32)
        if labels.shape == (*logits.shape[:-1], 1):
            labels = labels[..., 0]
        if logits.shape[:-1] != labels.shape:
            raise InputError(
                f"Expected logits of shape {labels.shape} + (K,), one row a label. "
                f"Received: {logits.shape} from {teacher.name!r}"
            )
        if not done:  # a model without a graph doesn't tell what it ends in
            look_at_logits(logits.reshape(-1, logits.shape[-1]), None)
        for row, of_row, z in zip(rows, labels, logits, strict=True):
            if row < 0:  # it only fills a batch
                continue
            valid = np.ones(of_row.shape, bool) if ignore_class is None else of_row != ignore_class
            writer.write(row, z[valid].reshape(-1, z.shape[-1]))
            done += 1
        writer.shape = list(labels.shape[1:]) if ignore_class is None else None
        if progress is not None:
            progress(done, total)
    writer.flush()
