"""Figures, drawn with Matplotlib's object-oriented interface, without pyplot or global state."""

from ls_keras.plots.distillation_curves import distillation_curves, distillation_points
from ls_keras.plots.heat_maps import (
    AttentionMap,
    attention_map,
    attention_rows,
    mean_logits_map,
    mean_logits_rows,
)
from ls_keras.plots.information_curve import information_curve, information_rows
from ls_keras.plots.learning_curves import learning_curves, learning_rows
from ls_keras.plots.projection_panels import projection_panels, projection_rows
from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.risk_coverage_diagram import risk_coverage_diagram, risk_coverage_rows
from ls_keras.plots.saving import save, save_plot
from ls_keras.plots.score_panels import beam_panels, temperature_panels

__all__ = [
    "AttentionMap",
    "attention_map",
    "attention_rows",
    "beam_panels",
    "distillation_curves",
    "distillation_points",
    "information_curve",
    "information_rows",
    "learning_curves",
    "learning_rows",
    "mean_logits_map",
    "mean_logits_rows",
    "projection_panels",
    "projection_rows",
    "reliability_diagram",
    "reliability_rows",
    "risk_coverage_diagram",
    "risk_coverage_rows",
    "save",
    "save_plot",
    "temperature_panels",
]


def __dir__() -> list[str]:
    return __all__
