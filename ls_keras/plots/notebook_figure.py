"""A figure that notebooks display as the value of a cell."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """Matplotlib's figure with a PNG representation for notebooks.

    Notebooks display Matplotlib's figures only after `%matplotlib inline` or an import of pyplot.
    In that case, Matplotlib's representation is used, and the figure is displayed once.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
