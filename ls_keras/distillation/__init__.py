"""Knowledge distillation: loss, Keras model, teacher's logits on disk, and γ."""

from ls_keras.distillation.distiller import Distiller
from ls_keras.distillation.gamma import (
    EquivalentSmoothing,
    equivalent_smoothing,
    equivalent_smoothing_dataset,
)
from ls_keras.distillation.loss import distillation_loss
from ls_keras.distillation.teacher_logits import TeacherLogits

__all__ = [
    "Distiller",
    "EquivalentSmoothing",
    "TeacherLogits",
    "distillation_loss",
    "equivalent_smoothing",
    "equivalent_smoothing_dataset",
]


def __dir__() -> list[str]:
    return __all__
