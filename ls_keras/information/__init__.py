"""Mutual information between examples and outputs (paper, section 4)."""

from ls_keras.information.mutual_information import (
    MutualInformation,
    estimator_bias,
    mutual_information,
)

__all__ = ["MutualInformation", "estimator_bias", "mutual_information"]


def __dir__() -> list[str]:
    return __all__
