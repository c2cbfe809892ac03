"""Figures, drawn with Matplotlib's object-oriented interface: no pyplot, no global state."""

from ls_keras.plots.reliability_diagram import reliability_diagram, reliability_rows
from ls_keras.plots.style import save

__all__ = ["reliability_diagram", "reliability_rows", "save"]
