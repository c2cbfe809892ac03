"""A teacher's logits over a data set, computed once and kept on disk."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_base.files import new_folder, wrap_os_errors, write_json
from ls_base.npz import ArraySpec, open_npy
from ls_base.records import read_record
from ls_base.safe_open import is_regular
from ls_keras.distillation.fingerprint import (
    BatchedExamples,
    KnownExamples,
    fingerprint_examples,
    fingerprint_model,
)
from ls_keras.distillation.logits_manifest import LogitsManifest, check_data, sha256_of
from ls_keras.distillation.logits_writer import (
    CLASSES_FILE,
    LOGITS_FILE,
    REST_FILE,
    LogitsWriter,
    check_options,
    run_teacher,
)
from ls_keras.distillation.top_logits import rest_of_each
from ls_keras.inputs.validation import as_array, as_count, as_path, shown

SCHEMA = 1
MANIFEST_FILE, COUNTS_FILE = "teacher-logits.json", "counts.npy"
_FILES = (LOGITS_FILE, CLASSES_FILE, REST_FILE, COUNTS_FILE)


class TeacherLogits:
    """A teacher's logits by example and position, memory-mapped; made by `compute` or `open`.

    Whole, in 16 bits (a relative error of at most 2^−11, 0.005 for a logit of 10), or the k largest
    as log-probabilities, with the mass of the rest, which is spread evenly over the other classes:
    exact at temperature 1 but for which of the rest has how much. Positions with the label
    `ignore_class` take no space.

    The folder says what the logits are of: the examples, their order and the teacher, as SHA-256
    hashes. `open` refuses others. A student that sees its inputs through a random augmentation
    must not be trained on such logits; `Distiller` refuses it.

    Attributes:
        directory: Where they are.
        num_classes: K.
        top_k: How many classes of each position are kept; `None`: all.

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

        The folder is there whole or not at all.

        Args:
            directory: A folder that does not exist yet.
            teacher: A model that emits logits `(n, ..., K)`.
            examples: `(x, y)`, arrays of one leading axis (x any structure of them, y integers
                `(n, ...)` or `(n, ..., 1)`), or batches, read twice, in the same order each time:
                a `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch `DataLoader`, a list.
            ignore_class: The label of padding, whose positions are left out. Default: `None`.
            top_k: How many classes to keep at each position, fewer than K; not for squared
                logits. Default: all.
            dtype: `"float16"` or `"float32"`.
            batch_size: Examples the teacher sees at a time, of arrays.
            teacher_id: What to know the teacher by. Default: the hash of its weights.
            progress: Called with the number of examples done, and of all.

        Raises:
            InputError: If the folder exists, if `top_k` is not in [1, K), if there are no
                positions, if logits are NaN, +inf or beyond what the dtype holds, or if the
                examples come in another order when they are read again.
            FileError: If the folder can't be written.
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
        """Does what `compute` does with data that come in batches of their own.

        Args:
            directory: As for `compute`.
            teacher: Likewise.
            batches: `(rows, inputs, labels)`: the numbers of the examples in a batch, −1 for one
                that only fills it up, what the teacher takes, and integers `(rows, ...)`.
            examples: What `fingerprint_examples` found, reading them once in their order.
            ignore_class: As for `compute`, and the other arguments too.
            top_k: See above.
            dtype: See above.
            teacher_id: See above.
            progress: See above.

        Raises:
            InputError: As `compute`.
            FileError: As `compute`.
        """
        path = as_path(directory, "directory")
        check_options(teacher, top_k, dtype, teacher_id, progress)
        if path.exists():
            raise InputError(f"Expected a new folder for the teacher's logits. Received: {path}")
        if not examples.counts.sum():
            raise InputError("Expected positions that count. Received: none")
        with new_folder(path) as folder, wrap_os_errors(path):
            offsets = _offsets(examples.counts)
            writer = LogitsWriter(folder, offsets, top_k, np.dtype(dtype))
            run_teacher(writer, teacher, batches, ignore_class, progress)
            alike = (examples.counts == examples.counts[0]).all()
            np.save(folder / COUNTS_FILE, examples.counts)
            manifest = LogitsManifest(
                data=examples.data,
                teacher=teacher_id or fingerprint_model(teacher),
                num_classes=writer.num_classes,
                top_k=top_k,
                ignore_class=ignore_class,
                shape=tuple(writer.shape) if alike and writer.shape is not None else None,
                sha256={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
            )
            write_json(folder / MANIFEST_FILE, {"schema": SCHEMA, **manifest.to_dict()})
        return cls(path, manifest, examples.counts)

    @classmethod
    def open(cls, directory: str | os.PathLike, examples, teacher: Any = None) -> "TeacherLogits":
        """Opens what `compute` wrote, if it is of these examples and this teacher.

        Args:
            directory: The folder.
            examples: The examples, as for `compute`; of others, a function that reads them by
                `fingerprint_examples` with the label of padding that it is given.
            teacher: The model, or what it was called by (`teacher_id`); `None`: any.

        Raises:
            InputError: If there is no such folder, or it is of other examples, of another order,
                or of another teacher.
        """
        path = as_path(directory, "directory")
        if not isinstance(teacher, str | None) and not hasattr(teacher, "get_weights"):
            raise InputError(
                f"Expected a teacher that is a Keras model, or its name. Received: {shown(teacher)}"
            )
        file = path / MANIFEST_FILE
        if not is_regular(file):
            raise InputError(
                f"Expected a folder that TeacherLogits.compute made. Received: {path}, without "
                f"{MANIFEST_FILE}"
            )
        manifest = read_record(file, LogitsManifest, schema=SCHEMA, error=InputError)
        if teacher is not None:
            identity = teacher if isinstance(teacher, str) else fingerprint_model(teacher)
            if identity != manifest.teacher:
                raise InputError(
                    f"Expected the teacher that the logits in {path} are of, "
                    f"{manifest.teacher[:12]}…. Received: another, {identity[:12]}…"
                )
        for name, sha256 in (manifest.sha256 or {}).items():
            if name in _FILES and sha256_of(path / name) != sha256:
                raise InputError(
                    f"Expected {path / name} as it was computed; remove the folder, and compute "
                    "the logits again. Received: another"
                )
        if callable(examples) and not hasattr(examples, "__iter__"):
            known = examples(manifest.ignore_class)
        else:
            known = fingerprint_examples(BatchedExamples(examples), manifest.ignore_class)
        check_data(manifest.data, known.data, path)
        return cls(path, manifest, known.counts)

    def __repr__(self) -> str:
        return brief_repr(self, directory=self.directory, examples=len(self), top_k=self.top_k)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def gather(self, rows=None, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the logits of examples; of the k largest, log-probabilities.

        Args:
            rows: Integers `(batch,)`; `None`: all examples.
            labels: The labels `(batch, ...)` of `rows`, which say where padding is: the logits
                there are 0. Needed where examples have different numbers of positions.

        Returns:
            float32 `(batch, ..., K)`.

        Raises:
            InputError: If labels are needed, or have other positions than the logits.
        """
        at, valid = self._places(rows, labels)
        if valid is None:
            return self._dense(at).reshape(-1, *(self._shape or ()), self.num_classes)
        logits = np.zeros((*valid.shape, self.num_classes), np.float32)
        logits[valid] = self._dense(at)
        return logits

    def gather_top(
        self, rows=None, labels: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the k largest logits of examples as they are kept, for the `Distiller`.

        Args:
            rows: As for `gather`.
            labels: Likewise. Where padding is, all classes are alike.

        Returns:
            `teacher_logits`, float32 log-probabilities `(batch, ..., k)`; `teacher_classes`, int32,
            whose they are; `teacher_rest`, float32 `(batch, ...)`, what each other class has.

        Raises:
            InputError: As `gather`, or if all logits are kept.
        """
        if self.top_k is None:
            raise InputError("Expected logits of which the k largest are kept. Received: all")
        at, valid = self._places(rows, labels)
        found = (
            self._logits[at].astype(np.float32),
            self._classes[at].astype(np.int32),
            rest_of_each(self._rest[at], self.num_classes - self.top_k),
        )
        if valid is None:
            shape = (-1, *(self._shape or ()))
            logits, classes, rest = (part.reshape(*shape, *part.shape[1:]) for part in found)
            return logits, classes, rest
        wide = (*valid.shape, self.top_k)
        logits, rest = np.zeros(wide, np.float32), np.zeros(valid.shape, np.float32)
        classes = np.broadcast_to(np.arange(self.top_k, dtype=np.int32), wide).copy()
        logits[valid], classes[valid], rest[valid] = found
        return logits, classes, rest

    def _places(self, rows, labels) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns where the positions of examples are, and which of the labels' they are."""
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
                    "Expected labels, which say where padding is: examples differ in length. "
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
                f"Expected labels of {len(spans)} examples with {len(at)} positions that count, in "
                "each as many as when the teacher's logits were computed. "
                f"Received: {len(np.atleast_1d(valid))} with {int(valid.sum())}"
            )
        return at, valid

    def _dense(self, at: np.ndarray) -> np.ndarray:
        if self.top_k is None:
            return self._logits[at].astype(np.float32)
        rest = rest_of_each(self._rest[at], self.num_classes - self.top_k)
        logits = np.repeat(rest[:, None], self.num_classes, axis=1)
        classes = self._classes[at].astype(np.int64)
        np.put_along_axis(logits, classes, self._logits[at].astype(np.float32), -1)
        return logits


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])
