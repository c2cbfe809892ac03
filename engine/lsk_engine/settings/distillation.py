"""Settings of a student: the part `distillation` of a configuration; other runs have none."""

import dataclasses
from typing import Literal, get_args

from ls_base.errors import InputError
from lsk_engine.settings.parsing import Fraction, PositiveFloat, PositiveInt

TeacherLoss = Literal["cross-entropy", "squared-logits"]
TEACHER_LOSSES = get_args(TeacherLoss)


@dataclasses.dataclass(frozen=True)
class DistillationConfig:
    """The teacher of a run, and how the student learns from it.

    The labels' part of the loss is the loss that `training` configures.

    Attributes:
        teacher: The teacher's run directory, an absolute path.
        teacher_sha256: SHA-256 of the teacher's saved model; another model is refused.
        beta: Weight β of the teacher in the loss, 0 … 1.
        teacher_temperature: T, which divides the teacher's logits.
        student_temperature: T_s of the student in the teacher's part of the loss; 1 in the paper.
        loss: Teacher's part of the loss: `cross-entropy`, or `squared-logits`: ½ ‖z − z^t‖².
        cache: Folder of the teacher's logits of the training split, computed if it does not exist;
            `None`: the teacher runs beside the student.
        top_k: Number of largest logits that the cache keeps for each position; `None`: all.
    """

    teacher: str
    teacher_sha256: str
    beta: Fraction = 1.0
    teacher_temperature: PositiveFloat = 1.0
    student_temperature: PositiveFloat = 1.0
    loss: TeacherLoss = "cross-entropy"
    cache: str | None = None
    top_k: PositiveInt | None = None

    def __post_init__(self):
        temperatures = (self.teacher_temperature, self.student_temperature)
        if self.loss == "squared-logits" and (temperatures != (1, 1) or self.top_k is not None):
            raise InputError(
                "Expected squared logits at temperatures of 1, of all classes. Received: "
                f"T = {temperatures[0]}, T_s = {temperatures[1]}, top_k={self.top_k}"
            )
        if self.top_k is not None and self.cache is None:
            raise InputError(f"Expected top_k with a cache. Received: top_k={self.top_k}")
