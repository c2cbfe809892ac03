"""Files of a teacher's logits: the manifest, writing them whole or the k largest, and reading."""

import errno
import hashlib
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from keras import ops

from ls_base.records import Count, Record
from ls_base.safe_open import open_regular
from ls_keras.distillation.fingerprint import DataFingerprint
from ls_keras.errors import InputError, shown
from ls_keras.inputs.numpy_examples import look_at_logits
from ls_keras.inputs.output_activation import OTHER, SIGMOID, SOFTMAX, model_output
from ls_keras.inputs.validation import as_choice, as_count, as_function

LOGITS_FILE = "logits.npy"
CLASSES_FILE, REST_FILE = "classes.npy", "rest.npy"  # only if the k largest are kept


class LogitsManifest(Record, frozen=True):
    """The content of `teacher-logits.json`; `sha256` has the hashes of the other files."""

    data: DataFingerprint
    teacher: str
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=2**31)]
    top_k: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None
    ignore_class: int | None
    shape: tuple[Count, ...] | None
    sha256: dict[str, str]


def compute_sha256(file: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    with open_regular(file, error=InputError) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class LogitsWriter:
    """Writes the logits of each example into memory-mapped files, created at the first batch.

    Args:
        folder: Folder of the files.
        offsets: Integers `(n + 1,)`: example i has the positions `offsets[i]` to `offsets[i + 1]`.
        top_k: Number of classes to keep; `None` for all.
        dtype: Dtype of the values.
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
        invalid = np.isnan(logits).any() or (logits == np.inf).any()
        if invalid or (finite.size and np.abs(finite).max() > highest):
            raise InputError(
                f"Expected logits without NaN or +inf, of at most {highest:g} ({self.dtype}). "
                f"Received: {logits.max() if invalid else np.abs(finite).max()} in example {row}"
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
        with np.errstate(divide="ignore", over="ignore"):  # no mass becomes −inf
            self.logits[at] = np.take_along_axis(log_p, kept, -1)
            self.rest[at] = np.log(np.exp(np.take_along_axis(log_p, rest, -1)).sum(-1))

    def flush(self) -> None:
        """Writes all files to disk."""
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
    """Reserves disk space for a file, because writing to a map on a full disk is a bus error."""
    if not hasattr(os, "posix_fallocate"):
        return
    with file.open("r+b") as opened:
        try:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # unsupported by the file system
                raise


def check_options(teacher, top_k, dtype, teacher_id, progress) -> None:
    """Raises an `InputError` if options of `TeacherLogits.compute` are wrong.

    Args:
        teacher: See `TeacherLogits.compute`.
        top_k: See `TeacherLogits.compute`.
        dtype: See `TeacherLogits.compute`.
        teacher_id: See `TeacherLogits.compute`.
        progress: See `TeacherLogits.compute`.
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
        as_count(top_k, "top_k")  # the writer checks it against the number of classes
    as_choice(dtype, "dtype", ("float16", "float32"))
    if not isinstance(teacher_id, str | None):
        raise InputError(f"Expected teacher_id to be a string. Received: {shown(teacher_id)}")
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
                f"Expected logits of shape {labels.shape} + (K,), one row for each label. "
                f"Received: {logits.shape} from {teacher.name!r}"
            )
        if not done:  # models without a graph may return probabilities
            look_at_logits(logits.reshape(-1, logits.shape[-1]), None)
        for row, row_labels, z in zip(rows, labels, logits, strict=True):
            if row < 0:  # padding of the batch
                continue
            valid = np.ones(row_labels.shape, bool)
            if ignore_class is not None:
                valid = row_labels != ignore_class
            writer.write(row, z[valid].reshape(-1, z.shape[-1]))
            done += 1
        writer.shape = list(labels.shape[1:]) if ignore_class is None else None
        if progress is not None:
            progress(done, total)
    writer.flush()


class TopLogits(NamedTuple):
    """The k largest logits of each position.

    Attributes:
        logits: `(..., k)`: log-probabilities.
        classes: Integers `(..., k)`: the classes of `logits`, each once.
        rest: `(...)`: the log-probability of each other class.
    """

    logits: Any
    classes: Any
    rest: Any


def split_rest(rest: np.ndarray, others: int) -> np.ndarray:
    """Returns the log-probability of each class that shares a mass, float32.

    Args:
        rest: Logarithms of the masses.
        others: Number of classes that share each.
    """
    return (rest.astype(np.float64) - math.log(others)).astype(np.float32)


def expand(top: TopLogits, num_classes: int):
    """Returns logits of all classes, computed on the device from the k largest.

    So only k numbers for each position are copied to the device instead of K.

    Args:
        top: The k largest.
        num_classes: K.

    Returns:
        A float32 tensor `(..., K)`.

    Example:
    ```python
    >>> import numpy as np
    >>> from ls_keras.distillation.logits_files import TopLogits, expand
    >>> top = TopLogits(np.log([[0.75]], dtype="float32"), [[2]], np.log([0.125], dtype="float32"))
    >>> np.exp(np.asarray(expand(top, 3))).round(3).tolist()
    [[0.125, 0.125, 0.75]]

    ```
    """
    logits = ops.cast(top.logits, "float32")
    shape, k = ops.shape(logits)[:-1], logits.shape[-1]
    values = ops.reshape(logits, (-1,))
    classes = ops.reshape(ops.cast(top.classes, "int32"), (-1,))
    rest = ops.reshape(ops.cast(top.rest, "float32"), (-1, 1))
    rows = ops.shape(rest)[0]
    row_ids = ops.repeat(ops.arange(rows, dtype="int32"), k)
    places = ops.stack([row_ids, classes], axis=-1)
    size = (rows, num_classes)
    known = ops.scatter(places, ops.ones_like(values), size) > 0
    dense = ops.where(known, ops.scatter(places, values, size), rest)
    return ops.reshape(dense, (*shape, num_classes))
