"""`Diagnosis`: the result of `diagnose`, with text, figure and files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ls_base.brief_repr import brief_repr
from ls_keras.diagnosis.advice import give_advice
from ls_keras.diagnosis.figure import figure_numbers, figure_of_findings
from ls_keras.diagnosis.findings import Findings
from ls_keras.diagnosis.table import table
from ls_keras.plots import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Diagnosis(Findings):
    """Result of `diagnose`; it prints as a table followed by recommendations.

    `Findings` documents its attributes.
    """

    def __repr__(self) -> str:
        return brief_repr(
            self,
            num_examples=self.num_examples,
            num_classes=self.num_classes,
            accuracy=round(self.accuracy.value, 4),
            nll=round(self.nll.value, 4),
            ece=round(self.reliability.ece, 4),
            temperature=round(float(self.temperature.value), 4),
        )

    def __str__(self) -> str:
        return table(self, self.advice)

    @property
    def advice(self) -> list[str]:
        """Recommendations: at most four sentences that follow from the intervals."""
        return give_advice(self)

    def to_dict(self) -> dict[str, Any]:
        """Returns numbers and advice for JSON: an estimate as value, low and high, NaN as `None`.

        `ece` is the plug-in estimate, which is biased up; `ece_corrected` is bias-corrected, with
        its interval.
        """
        return {**super().to_dict(), "advice": self.advice}

    def plot(self, *, title: str | None = None) -> "Figure":
        """Draws accuracy against confidence, a confidence histogram, and risk against coverage.

        Args:
            title: Title of the figure, or `None`.

        Returns:
            The Matplotlib figure, which pyplot does not hold.

        Raises:
            InputError: If the title is not a string.
        """
        return figure_of_findings(self, title)

    def save(self, path: str | os.PathLike, *, title: str | None = None) -> list[Path]:
        """Writes the figure as PNG and SVG, and its numbers as JSON.

        Args:
            path: Path of the image, see `ls_keras.plots.save`.
            title: Title of the figure, or `None`.

        Returns:
            The paths written.

        Raises:
            InputError: If title or path are not valid.
        """
        return save(self.plot(title=title), path, figure_numbers(self))
