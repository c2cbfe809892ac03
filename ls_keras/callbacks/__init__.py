"""Keras callbacks: α schedules, temperature scaling, projections and mutual information."""

from ls_keras.callbacks.alpha_schedule import AlphaSchedule
from ls_keras.callbacks.mutual_information_probe import MutualInformationProbe
from ls_keras.callbacks.projection_plotter import ProjectionPlotter
from ls_keras.callbacks.temperature_scaling import TemperatureScaling

__all__ = ["AlphaSchedule", "MutualInformationProbe", "ProjectionPlotter", "TemperatureScaling"]


def __dir__() -> list[str]:
    return __all__
