"""A teacher's logits of a dataset, computed once and stored on disk."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.brief_repr import brief_repr
from ls_base.files import new_folder, wrap_os_errors, write_json
from ls_base.npz import ArraySpec, open_npy
from ls_base.records import read_record
from ls_base.safe_open import is_regular
from ls_keras.backend.tensors import as_array
from ls_keras.distillation.fingerprint import (
    BatchedExamples,
    KnownExamples,
    check_fingerprint,
    fingerprint_examples,
    fingerprint_model,
)
from ls_keras.distillation.logits_files import (
    CLASSES_FILE,
    LOGITS_FILE,
    REST_FILE,
    LogitsManifest,
    LogitsWriter,
    check_options,
    compute_sha256,
    run_teacher,
    split_rest,
)
from ls_keras.errors import InputError, shown
from ls_keras.inputs.validation import as_count, as_path

SCHEMA = 1
MANIFEST_FILE, COUNTS_FILE = "teacher-logits.json", "counts.npy"
_FILES = (LOGITS_FILE, CLASSES_FILE, REST_FILE, COUNTS_FILE)


class TeacherLogits:
    """A teacher's logits of each example and position, memory-mapped; see `compute` and `open`.

    Stores either all logits in 16 bits (a relative error of at most 2^−11, 0.005 for a logit of
    10), or the k largest as log-probabilities with the mass of the rest. The rest is spread evenly
    over the other classes, so at temperature 1 only their individual shares are lost. Positions
    with the label `ignore_class` take no space.

    The folder has SHA-256 hashes of the examples, their order and the teacher, and `open` refuses
    others. Do not train a student with random augmentation on stored logits; `Distiller` refuses
    this.

    Attributes:
        directory: The folder.
        num_classes: K.
        top_k: Number of classes kept for each position; `None` for all.

    Example:
    ```python
    >>> import tempfile
    >>> import keras, numpy as np
    >>> import ls_keras
    >>> x, y = np.eye(4, dtype="float32"), np.arange(4) % 3
    >>> teacher, student = (
    ...     keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]) for _ in range(2)
    ... )
    >>> folder = tempfile.mkdtemp() + "/logits"
    >>> cache = ls_keras.TeacherLogits.compute(folder, teacher, (x, y))
    >>> distiller = ls_keras.Distiller(student)
    >>> distiller.compile("sgd")
    >>> history = distiller.fit((x, cache.gather()), y, verbose=0)
    >>> ls_keras.TeacherLogits.open(folder, (x[::-1], y[::-1]))
    Traceback (most recent call last):
        ...
    ls_base.errors.InputError: Expected the examples in the order ...

    ```
    """

    def __init__(self, directory: Path, manifest: "LogitsManifest", counts: np.ndarray):
        self.directory = directory
        self.num_classes, self.top_k = manifest.num_classes, manifest.top_k
        self.ignore_class, self._shape = manifest.ignore_class, manifest.shape
        self._offsets = _offsets(counts)
        positions, width = int(self._offsets[-1]), self.top_k or self.num_classes

        def stored(name: str, kinds: str, *shape: int) -> np.ndarray:
            return open_npy(directory / name, ArraySpec(kinds, shape), error=InputError)

        self._logits = stored(LOGITS_FILE, "f", positions, width)
        if self.top_k is not None:
            self._classes = stored(CLASSES_FILE, "i", positions, width)
            self._rest = stored(REST_FILE, "f", positions)

    @classmethod
    def compute(
        cls,
        directory: str | os.PathLike,
        teacher,
        examples,
        *,
        ignore_class: int | None = None,
        top_k: int | None = None,
        dtype: str = "float16",
        batch_size: int = 256,
        teacher_id: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "TeacherLogits":
        """Runs the teacher over all examples, in inference mode, and writes a new folder.

        If it fails, no folder is left.

        Args:
            directory: A folder that does not exist yet.
            teacher: A model with outputs logits `(n, ..., K)`.
            examples: `(x, y)` arrays (x any structure of arrays, y integers `(n, ...)` or
                `(n, ..., 1)`), or batches that can be read twice in the same order: a
                `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch `DataLoader` or a list.
            ignore_class: The label of padding, whose positions are left out. Default: `None`.
            top_k: Number of classes to keep at each position, fewer than K; not for squared
                logits. Default: all.
            dtype: `"float16"` or `"float32"`. Default: `"float16"`.
            batch_size: Batch size for arrays. Default: 256.
            teacher_id: Name of the teacher. Default: the hash of its weights.
            progress: Called with the number of finished examples and their total. Default: `None`.

        Raises:
            InputError: If the folder exists, `top_k` is not in [1, K), there are no positions,
                logits are NaN, +inf or too large for the dtype, or the examples are in another
                order when they are read again.
            FileError: If the folder cannot be written.
        """
        data = BatchedExamples(examples, batch_size)
        if ignore_class is not None:
            as_count(ignore_class, "ignore_class", -(2**31))
        known = fingerprint_examples(data, ignore_class)
        return cls.compute_batches(
            *(directory, teacher, data.batches(known, ignore_class), known),
            ignore_class=ignore_class,
            top_k=top_k,
            dtype=dtype,
            teacher_id=teacher_id,
            progress=progress,
        )

    @classmethod
    def compute_batches(
        cls,
        directory: str | os.PathLike,
        teacher,
        batches: Iterable[tuple[np.ndarray, Any, np.ndarray]],
        examples: KnownExamples,
        *,
        ignore_class: int | None = None,
        top_k: int | None = None,
        dtype: str = "float16",
        teacher_id: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "TeacherLogits":
        """Runs the teacher over given batches; otherwise like `compute`.

        Args:
            directory: See `compute`.
            teacher: See `compute`.
            batches: `(rows, inputs, labels)`: the indices of the examples in a batch (−1 for
                padding), inputs of the teacher, and integers `(rows, ...)`.
            examples: The result of `fingerprint_examples`, which reads them once in order.
            ignore_class: See `compute`.
            top_k: See `compute`.
            dtype: See `compute`.
            teacher_id: See `compute`.
            progress: See `compute`.

        Raises:
            InputError: See `compute`.
            FileError: See `compute`.
        """
        path = as_path(directory, "directory")
        check_options(teacher, top_k, dtype, teacher_id, progress)
        if os.path.lexists(path):
            raise InputError(f"Expected a new folder for the teacher's logits. Received: {path}")
        if not examples.counts.sum():
            raise InputError("Expected positions that count. Received: none")
        with new_folder(path) as folder, wrap_os_errors(path):
            offsets = _offsets(examples.counts)
            writer = LogitsWriter(folder, offsets, top_k, np.dtype(dtype))
            run_teacher(writer, teacher, batches, ignore_class, progress)
            same = (examples.counts == examples.counts[0]).all()
            np.save(folder / COUNTS_FILE, examples.counts)
            manifest = LogitsManifest(
                data=examples.data,
                teacher=teacher_id or fingerprint_model(teacher),
                num_classes=writer.num_classes,
                top_k=top_k,
                ignore_class=ignore_class,
                shape=tuple(writer.shape) if same and writer.shape is not None else None,
                sha256={file.name: compute_sha256(file) for file in sorted(folder.iterdir())},
            )
            write_json(folder / MANIFEST_FILE, {"schema": SCHEMA, **manifest.to_dict()})
        return cls(path, manifest, examples.counts)

    @classmethod
    def open(cls, directory: str | os.PathLike, examples, teacher: Any = None) -> "TeacherLogits":
        """Opens a folder that `compute` wrote for these examples and this teacher.

        Args:
            directory: The folder.
            examples: The examples, as for `compute`, or a function that returns the result of
                `fingerprint_examples` for a given label of padding.
            teacher: The model, or its `teacher_id`. Default: `None`, for any.

        Raises:
            InputError: If there is no such folder, or it is of other examples, another order or
                another teacher.
        """
        path = as_path(directory, "directory")
        if not isinstance(teacher, str | None) and not hasattr(teacher, "get_weights"):
            raise InputError(
                f"Expected a teacher that is a Keras model, or its id. Received: {shown(teacher)}"
            )
        file = path / MANIFEST_FILE
        if not is_regular(file):
            raise InputError(
                f"Expected a folder that TeacherLogits.compute wrote. Received: {path}, without "
                f"{MANIFEST_FILE}"
            )
        manifest = read_record(file, LogitsManifest, schema=SCHEMA, error=InputError)
        if teacher is not None:
            identity = teacher if isinstance(teacher, str) else fingerprint_model(teacher)
            if identity != manifest.teacher:
                raise InputError(
                    f"Expected the teacher of the logits in {path}, {manifest.teacher[:12]}…. "
                    f"Received: another teacher, {identity[:12]}…"
                )
        for name, sha256 in manifest.sha256.items():
            if name in _FILES and compute_sha256(path / name) != sha256:
                raise InputError(
                    f"Expected {path / name} as it was computed. Received: a changed file; remove "
                    "the folder and compute the logits again"
                )
        if callable(examples) and not hasattr(examples, "__iter__"):
            known = examples(manifest.ignore_class)
        else:
            known = fingerprint_examples(BatchedExamples(examples), manifest.ignore_class)
        check_fingerprint(manifest.data, known.data, path)
        return cls(path, manifest, known.counts)

    def __repr__(self) -> str:
        return brief_repr(self, directory=self.directory, examples=len(self), top_k=self.top_k)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def gather(self, rows=None, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the logits of examples, or log-probabilities if the k largest were kept.

        Args:
            rows: Integers `(batch,)`. Default: `None`, for all examples.
            labels: The labels `(batch, ...)` of `rows`, which mark padding; logits of padding are
                0. Required if examples have different numbers of positions. Default: `None`.

        Returns:
            float32 `(batch, ..., K)`.

        Raises:
            InputError: If labels are required, or their positions do not match the logits.
        """
        at, valid = self._places(rows, labels)
        return self._add_padding(self._all_classes(at), valid)

    def gather_top(
        self, rows=None, labels: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the k largest logits of examples in the form that `Distiller` accepts.

        Args:
            rows: See `gather`.
            labels: See `gather`. All classes of padding are equal.

        Returns:
            `teacher_logits`, float32 log-probabilities `(batch, ..., k)`; `teacher_classes`, their
            int32 classes; `teacher_rest`, float32 `(batch, ...)`, the log-probability of each
            other class.

        Raises:
            InputError: See `gather`; also if all logits are kept.
        """
        if self.top_k is None:
            raise InputError("Expected a folder with the k largest logits. Received: all logits")
        at, valid = self._places(rows, labels)
        rest = split_rest(self._rest[at], self.num_classes - self.top_k)
        return (
            self._add_padding(self._logits[at].astype(np.float32), valid),
            self._add_padding(self._classes[at].astype(np.int32), valid, np.arange(self.top_k)),
            self._add_padding(rest, valid),
        )

    def _add_padding(self, values: np.ndarray, valid: np.ndarray | None, padding=0) -> np.ndarray:
        """Returns values of positions in the shape of the labels, `valid` where they count."""
        if valid is None:
            return values.reshape(-1, *(self._shape or ()), *values.shape[1:])
        padded = np.full((*valid.shape, *values.shape[1:]), padding, values.dtype)
        padded[valid] = values
        return padded

    def _places(self, rows, labels) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the stored positions of examples, and the mask of their labels."""
        rows = np.arange(len(self)) if rows is None else as_array(rows, "rows")
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise InputError(f"Expected rows to be integers (batch,). Received: {shown(rows)}")
        rows = rows.astype(np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise InputError(
                f"Expected rows in [0, {len(self)}). Received: {rows.min()} to {rows.max()}"
            )
        spans = [np.arange(self._offsets[row], self._offsets[row + 1]) for row in rows]
        at = np.concatenate(spans) if spans else np.arange(0)
        if labels is None:
            if self._shape is None:
                raise InputError(
                    "Expected labels, which mark padding, because examples differ in length. "
                    "Received: labels=None"
                )
            return at, None
        labels = as_array(labels, "labels")
        if self._shape is not None and labels.shape[1:] == (*self._shape, 1):
            labels = labels[..., 0]
        padding = self.ignore_class
        valid = np.ones(labels.shape, bool) if padding is None else labels != padding
        if [int(np.sum(row)) for row in np.atleast_1d(valid)] != [len(span) for span in spans]:
            raise InputError(
                f"Expected labels of {len(spans)} examples with {len(at)} positions that count, "
                "distributed as in the teacher's logits. "
                f"Received: {len(np.atleast_1d(valid))} with {int(valid.sum())}"
            )
        return at, valid

    def _all_classes(self, at: np.ndarray) -> np.ndarray:
        if self.top_k is None:
            return self._logits[at].astype(np.float32)
        rest = split_rest(self._rest[at], self.num_classes - self.top_k)
        logits = np.repeat(rest[:, None], self.num_classes, axis=1)
        classes = self._classes[at].astype(np.int64)
        np.put_along_axis(logits, classes, self._logits[at].astype(np.float32), -1)
        return logits


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])
