"""One call for "is my model all right?": calibration, temperature, ranking and classes."""

from ls_keras.diagnosis.diagnose import diagnose
from ls_keras.diagnosis.findings import Estimate
from ls_keras.diagnosis.report import Diagnosis

__all__ = ["Diagnosis", "Estimate", "diagnose"]


def __dir__() -> list[str]:
    return __all__
