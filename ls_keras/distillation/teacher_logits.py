"""A teacher's logits over a data set, computed once and kept on disk."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ls_keras.distillation.distiller import TEACHER_LOGITS
from ls_keras.distillation.fingerprint import (
    ArrayExamples,
    DataFingerprint,
    fingerprint_examples,
    fingerprint_model,
)
from ls_keras.distillation.logits_writer import (
    CLASSES_FILE,
    LOGITS_FILE,
    REST_FILE,
    LogitsWriter,
    run_teacher,
)
from ls_keras.errors import InputError
from ls_keras.run_directory import read_json, write_json, writing
from ls_keras.task import Examples

SCHEMA = 1
MANIFEST_FILE, COUNTS_FILE = "teacher-logits.json", "counts.npy"


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
    ls_keras.errors.InputError: Expected the examples in the order ...

    ```
    """

    def __init__(self, directory: Path, manifest: Mapping[str, Any], counts: np.ndarray):
        self.directory = directory
        self.num_classes: int = manifest["num_classes"]
        self.top_k: int | None = manifest["top_k"]
        self.ignore_class: int | None = manifest["ignore_class"]
        self._shape = tuple(manifest["shape"]) if manifest["shape"] is not None else None
        self._offsets = _offsets(counts)
        try:
            self._logits = np.load(directory / LOGITS_FILE, mmap_mode="r", allow_pickle=False)
            if self.top_k is not None:
                self._classes = np.load(directory / CLASSES_FILE, mmap_mode="r")
                self._rest = np.load(directory / REST_FILE, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(
                f"Expected readable teacher's logits in {directory}. Received: {error}"
            ) from error

    @classmethod
    def compute(
        cls,
        directory: str | os.PathLike,
        teacher,
        examples: Examples | tuple[Any, Any],
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
            examples: `(x, y)`, arrays of one leading axis (x may be a dict of them); or a task's
                `Examples`.
            ignore_class: The label of padding, whose positions are left out. Default: `None`.
            top_k: How many classes to keep at each position, fewer than K; not for squared
                logits. Default: all.
            dtype: `"float16"` or `"float32"`.
            batch_size: Examples the teacher sees at a time.
            teacher_id: What to know the teacher by. Default: the hash of its weights.
            progress: Called with the number of examples done, and of all.

        Raises:
            InputError: If the folder exists, if `top_k` is not in [1, K), if there are no
                positions, or if logits are NaN, +inf or beyond what the dtype holds.
            RunDirectoryError: If the folder can't be written.
        """
        path = Path(directory)
        examples = _as_examples(examples)
        if path.exists():
            raise InputError(f"Expected a new folder for the teacher's logits. Received: {path}")
        if dtype not in ("float16", "float32"):
            raise InputError(f"Expected dtype 'float16' or 'float32'. Received: {dtype!r}")
        data, counts = fingerprint_examples(examples, ignore_class)
        if not counts.sum():
            raise InputError("Expected positions that count. Received: none")
        temporary = path.absolute().with_name(f".{path.absolute().name}.writing-{os.getpid()}")
        with _whole_or_nothing(temporary, path):
            writer = LogitsWriter(temporary, _offsets(counts), top_k, np.dtype(dtype))
            run_teacher(writer, teacher, examples, ignore_class, batch_size, progress)
            manifest = {
                "schema": SCHEMA,
                "data": dataclasses.asdict(data),
                "teacher": teacher_id or fingerprint_model(teacher),
                "num_classes": writer.num_classes,
                "top_k": top_k,
                "ignore_class": ignore_class,
                "shape": writer.shape if (counts == counts[0]).all() else None,
            }
            np.save(temporary / COUNTS_FILE, counts)
            write_json(temporary / MANIFEST_FILE, manifest)
        return cls(path, manifest, counts)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike,
        examples: Examples | tuple[Any, Any],
        teacher: Any = None,
    ) -> "TeacherLogits":
        """Opens what `compute` wrote, if it is of these examples and this teacher.

        Args:
            directory: The folder.
            examples: The examples, as for `compute`.
            teacher: The model, or what it was called by (`teacher_id`); `None`: any.

        Raises:
            InputError: If there is no such folder, or it is of other examples, of another order,
                or of another teacher.
        """
        path = Path(directory)
        if not (path / MANIFEST_FILE).is_file():
            raise InputError(
                f"Expected a folder that TeacherLogits.compute made. Received: {path}, without "
                f"{MANIFEST_FILE}"
            )
        manifest = read_json(path / MANIFEST_FILE)
        if manifest.get("schema") != SCHEMA:
            raise InputError(f"Expected teacher's logits of schema {SCHEMA}. Received: {path}")
        if teacher is not None:
            identity = teacher if isinstance(teacher, str) else fingerprint_model(teacher)
            if identity != manifest["teacher"]:
                raise InputError(
                    f"Expected the teacher that the logits in {path} are of, "
                    f"{manifest['teacher'][:12]}…. Received: another, {identity[:12]}…"
                )
        found, counts = fingerprint_examples(_as_examples(examples), manifest["ignore_class"])
        _check_data(DataFingerprint(**manifest["data"]), found, path)
        return cls(path, manifest, counts)

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
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        spans = [np.arange(self._offsets[row], self._offsets[row + 1]) for row in rows]
        at = np.concatenate(spans) if spans else np.arange(0)
        if labels is None:
            if self._shape is None:
                raise InputError(
                    "Expected labels, which say where padding is: examples differ in length. "
                    "Received: labels=None"
                )
            return self._dense(at).reshape(len(rows), *self._shape, self.num_classes)
        valid = np.ones(labels.shape, bool)
        if self.ignore_class is not None:
            valid = labels != self.ignore_class
        if int(valid.sum()) != len(at):
            raise InputError(
                f"Expected labels with {len(at)} positions that count, as when the teacher's "
                f"logits were computed. Received: {int(valid.sum())}"
            )
        logits = np.zeros((*labels.shape, self.num_classes), np.float32)
        logits[valid] = self._dense(at)
        return logits

    def attach(self, examples: Examples) -> Examples:
        """Returns the examples with their logits as the input `teacher_logits`.

        Args:
            examples: Those the logits are of, of a task whose inputs are a dict.
        """
        return _WithTeacherLogits(examples, self)

    def _dense(self, at: np.ndarray) -> np.ndarray:
        if self.top_k is None:
            return self._logits[at].astype(np.float32)
        others = self.num_classes - self.top_k
        logits = np.repeat(self._rest[at][:, None] - np.log(others), self.num_classes, axis=1)
        np.put_along_axis(
            logits, self._classes[at].astype(np.int64), self._logits[at].astype(np.float32), -1
        )
        return logits.astype(np.float32, copy=False)


class _WithTeacherLogits(Examples):
    def __init__(self, examples: Examples, cache: TeacherLogits):
        self.examples, self.cache = examples, cache
        self.sizes, self.references = examples.sizes, examples.references

    def __getattr__(self, name: str):
        # What a task's own examples have besides, such as the shape of images.
        return getattr(vars(self)["examples"], name)

    def __len__(self) -> int:
        return len(self.examples)

    def gather(self, rows: np.ndarray, size: int | None):
        inputs, labels = self.examples.gather(rows, size)
        return {**inputs, TEACHER_LOGITS: self.cache.gather(rows, labels)}, labels

    def label_counts(self) -> np.ndarray:
        return self.examples.label_counts()


@contextlib.contextmanager
def _whole_or_nothing(temporary: Path, path: Path):
    """Makes the folder `temporary`, which becomes `path` if all goes well, and is gone if not."""
    with writing(path):
        temporary.mkdir(parents=True)
    try:
        with writing(path):
            yield
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _as_examples(examples: Examples | tuple[Any, Any]) -> Examples:
    if isinstance(examples, Examples):
        return examples
    if isinstance(examples, tuple | list) and len(examples) == 2:
        return ArrayExamples(*examples)
    raise InputError(
        f"Expected examples as (x, y), or a task's Examples. Received: {type(examples).__name__}"
    )


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def _check_data(expected: DataFingerprint, found: DataFingerprint, path: Path) -> None:
    if found.content != expected.content or found.examples != expected.examples:
        raise InputError(
            f"Expected the {expected.examples:,} examples that the teacher's logits in {path} are "
            f"of. Received: {found.examples:,} examples that are not the same"
        )
    if found.order != expected.order:
        raise InputError(
            "Expected the examples in the order that the teacher's logits are in, in "
            f"{path}. Received: the same examples in another order"
        )
