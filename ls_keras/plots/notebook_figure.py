"""A figure that a notebook shows where it is the value of a cell."""

import io

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """Matplotlib's figure, with a picture of itself for notebooks.

    Matplotlib's own are shown after `%matplotlib inline` or an import of pyplot only. Where one of
    these was given, that is what counts, and the picture is shown once.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
