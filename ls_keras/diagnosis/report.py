"""What a diagnosis is to its user: numbers that print, draw and save themselves."""

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
    """What `diagnose` returns: numbers, which print as a table that ends with what to do.

    See `Findings` for its attributes.
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
        """What to do, in at most four sentences that follow from the intervals."""
        return give_advice(self)

    def to_dict(self) -> dict[str, Any]:
        """Returns numbers and advice for JSON: an estimate as value, low and high, NaN as `None`.

        Of an ECE, `ece` is the plug-in estimate, which is biased up, and `ece_corrected` the same
        less its bias, with its interval.
        """
        return {**super().to_dict(), "advice": self.advice}

    def plot(self, *, title: str | None = None) -> "Figure":
        """Draws accuracy against confidence, how many have which, and risk against coverage.

        Args:
            title: A title over all; `None` for none.

        Returns:
            The figure, which no global state knows: `save` writes it.

        Raises:
            InputError: If the title is none.
        """
        return figure_of_findings(self, title)

    def save(self, path: str | os.PathLike, *, title: str | None = None) -> list[Path]:
        """Writes the figure as PNG and SVG, and what it shows beside it as JSON.

        Args:
            path: The image's path, see `ls_keras.plots.save`.
            title: As for `plot`.

        Returns:
            The paths written.

        Raises:
            InputError: If the title or the path is none.
        """
        return save(self.plot(title=title), path, figure_numbers(self))
