"""Smoothing over [0, 1] by a Gaussian that is reflected at both ends.

Examples are spread over a mesh once, linearly between the two nearest nodes; then each bandwidth
needs two cosine transforms of the mesh, whatever the number of examples. An endlessly reflected
kernel is diffusion on [0, 1]: the cosine transform multiplies frequency k by exp(−(πkσ)²/2).
"""

import numpy as np

# A bandwidth of 0.001 is 33 cells; two transforms of these take a few milliseconds.
CELLS = 1 << 15
# Below it the mesh, not the kernel, does the smoothing.
LEAST_BANDWIDTH = 4 / CELLS


def spread(position: np.ndarray, mass: np.ndarray, cells: int) -> np.ndarray:
    """Returns the mass at each of `cells + 1` nodes of [0, 1], float64.

    Args:
        position: `(N,)` in [0, 1].
        mass: `(N,)`: divided between the two nearest nodes, which keeps its mean position.
        cells: Number of equal cells.
    """
    at = position.astype(np.float64) * cells
    low = np.minimum(at.astype(np.intp), cells - 1)
    part = at - low
    nodes = np.bincount(low, (1 - part) * mass, cells + 1)
    nodes[1:] += np.bincount(low, part * mass, cells + 1)[:-1]
    return nodes


def smoothed(nodes: np.ndarray, bandwidth: float) -> np.ndarray:
    """Returns the density at each node of masses smoothed by a reflected Gaussian.

    Args:
        nodes: `(..., cells + 1)`, masses.
        bandwidth: Standard deviation σ of the Gaussian.
    """
    from scipy import fft  # imported late: it takes long

    cells = nodes.shape[-1] - 1
    ends = np.ones(cells + 1)
    ends[[0, -1]] = 2  # a mass at an end is its own mirror image
    decay = np.exp(-0.5 * np.square(np.pi * bandwidth * np.arange(cells + 1)))
    return cells * fft.idct(fft.dct(nodes * ends, 1) * decay, 1)


def trapezoid(cells: int) -> np.ndarray:
    """Returns the weights `(cells + 1,)` that integrate over [0, 1]."""
    weights = np.full(cells + 1, 1 / cells)
    weights[[0, -1]] /= 2
    return weights


class RelplotMesh:
    """The computation of the package `relplot` with its mesh, for equal numbers.

    It cuts the kernel off at 0.5, adds the ends of the mesh with full weight, 1e-4 to the density,
    and bins the examples again for each bandwidth.

    Args:
        position: `(N,)` in [0, 1].
        gaps: `(N,)`: weight · (correct − confidence).
        weights: `(N,)`.
    """

    def __init__(self, position: np.ndarray, gaps: np.ndarray, weights: np.ndarray):
        self._position = position.astype(np.float64)
        mean = weights.mean()  # of 1 in the package, which has none: its 1e-4 is an absolute number
        self._gaps, self._weights = gaps / mean, weights / mean

    def residual(self, bandwidth: float) -> np.ndarray:
        """Returns the smoothed residual on the mesh; its absolute values add up to the error."""
        at = np.linspace(0, 1, max(round(10 / bandwidth), 200))
        size = max(2000, round(20 / bandwidth)) // 2 + 1
        kernel = np.exp(-0.5 * np.square((np.linspace(0, 1, size) - 0.5) / bandwidth))
        kernel /= np.sqrt(2 * np.pi) * bandwidth
        of_gaps, density = (
            self._interpolated(spread(self._position, mass, size - 1), kernel, at)
            for mass in (self._gaps, self._weights)
        )
        return of_gaps / (density + 1e-4).sum()

    def bandwidth(self) -> float:
        """Returns the upper end of [0, 1] after ten bisections."""
        low, high = 0.0, 1.0
        if np.abs(self.residual(high)).sum() > high:
            return high
        for _ in range(10):
            middle = (low + high) / 2
            below = middle < 1e-3 or middle < np.abs(self.residual(middle)).sum()
            low, high = (middle, high) if below else (low, middle)
        return high

    @staticmethod
    def _interpolated(nodes: np.ndarray, kernel: np.ndarray, at: np.ndarray) -> np.ndarray:
        from scipy import signal

        size = len(nodes)
        mirrored = np.concatenate([nodes[::-1][:-1], nodes, nodes[::-1][1:]])
        values = signal.fftconvolve(mirrored, kernel, "valid")[size // 2 : size // 2 + size]
        return np.interp(at, np.linspace(0, 1, size), values)
