"""The part of a configuration that names a teacher; a run without one has no such part."""

import dataclasses
import math

from ls_base.errors import InputError

# As `ls_keras.distillation.loss` has them; nobody waits for Keras here.
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
