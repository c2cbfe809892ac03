"""Keras callbacks."""

from ls_keras.callbacks.temperature_scaling import TemperatureScaling

__all__ = ["TemperatureScaling"]
