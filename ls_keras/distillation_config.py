"""The part of a configuration that names a teacher; a run without one has no such part."""

import dataclasses
import hashlib
import math
import os
from typing import TYPE_CHECKING, Any

from ls_keras.errors import InputError
from ls_keras.run_directory import RunDirectory

if TYPE_CHECKING:
    from ls_keras.config import Config

LOSSES = ("cross-entropy", "squared-logits")


@dataclasses.dataclass(frozen=True)
class DistillationConfig:
    """Whose student a run is, and how it learns from its teacher.

    The labels' part of the loss is smoothed with `training.alpha` and `training.smoothing`.

    Attributes:
        teacher: The teacher's run directory, an absolute path.
        teacher_sha256: The SHA-256 of its saved model: another model is refused.
        beta: Weight β of the teacher in the loss, 0 … 1.
        teacher_temperature: T, by which the teacher's logits are divided.
        student_temperature: T_s, of the teacher's part of the loss; 1 in the paper.
        loss: `cross-entropy`, or `squared-logits`: ½ ‖z − z^t‖².
        cache: A folder for the teacher's logits of the training split, computed if it isn't there;
            `None`: the teacher runs beside the student.
        top_k: Of the cache: classes kept at each position; `None`: all.
    """

    teacher: str
    teacher_sha256: str
    beta: float = 1.0
    teacher_temperature: float = 1.0
    student_temperature: float = 1.0
    loss: str = "cross-entropy"
    cache: str | None = None
    top_k: int | None = None

    def __post_init__(self):
        if not 0 <= self.beta <= 1:
            raise InputError(f"Expected beta in [0, 1]. Received: {self.beta}")
        temperatures = (self.teacher_temperature, self.student_temperature)
        if not all(0 < temperature < math.inf for temperature in temperatures):
            raise InputError(
                "Expected temperatures to be finite numbers above 0. Received: "
                f"T = {temperatures[0]}, T_s = {temperatures[1]}"
            )
        if self.loss not in LOSSES:
            raise InputError(
                f"Expected the loss to be one of {', '.join(LOSSES)}. Received: {self.loss!r}"
            )
        if self.loss == "squared-logits" and (temperatures != (1, 1) or self.top_k is not None):
            raise InputError(
                "Expected squared logits at temperatures of 1, of all classes. Received: "
                f"T = {temperatures[0]}, T_s = {temperatures[1]}, top_k={self.top_k}"
            )
        if self.top_k is not None and (self.cache is None or self.top_k < 1):
            raise InputError(
                "Expected top_k of at least 1, with a cache. "
                f"Received: top_k={self.top_k}, cache={self.cache}"
            )


def taught_by(teacher: str | os.PathLike, config: "Config", **options: Any) -> "Config":
    """Returns the configuration of a student of a finished run.

    Args:
        teacher: The run directory.
        config: The student's configuration, as `lsk train` would have it.
        **options: Fields of `DistillationConfig`, without those that say who the teacher is.

    Raises:
        RunDirectoryError: If there is no run.
        InputError: If the run isn't finished, is of another task, or an option is out of range.
    """
    run = RunDirectory.open(teacher)
    task = run.read_config()["task"]
    if task != config.task:
        raise InputError(
            f"Expected a teacher of the student's task, '{config.task}'. "
            f"Received: {run.path}, of task '{task}'"
        )
    distillation = DistillationConfig(
        teacher=str(run.path.absolute()), teacher_sha256=model_sha256(run), **options
    )
    return dataclasses.replace(config, distillation=distillation)


def model_sha256(run: RunDirectory) -> str:
    """Returns the SHA-256 of a run's saved model.

    Raises:
        InputError: If the run has none yet.
    """
    if not run.model_file.is_file():
        raise InputError(
            "Expected a finished teacher (`lsk train --resume` finishes a run). "
            f"Received: {run.path} without {run.model_file.name}"
        )
    with run.model_file.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
