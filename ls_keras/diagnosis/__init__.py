"""`diagnose`: one report on calibration, temperature, ranking and classes of a model."""

from ls_keras.diagnosis.diagnose import diagnose
from ls_keras.diagnosis.report import Diagnosis
from ls_keras.diagnosis.text import Estimate

__all__ = ["Diagnosis", "Estimate", "diagnose"]


def __dir__() -> list[str]:
    return __all__
