"""Computes log Σ exp(−(t − c)²/2) for many points t and centers c, without an n × N table."""

import numpy as np

# Number of pairs computed at once: 4 MiB of float64, which fits into the cache.
_PAIRS = 1 << 19
# Terms below e^-45 of the largest, divided by N, do not change a sum of N terms in float64.
_NEGLIGIBLE = 45.0


def log_kernel_sum(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    r"""Computes $\log\sum_j \exp(-(t_i - c_j)^2/2)$ for every point, in log space.

    Each block of sorted points only visits the sorted centers that can change a sum in float64.
    Memory is O(n + N). Time is O(n·N) if all centers lie within a few units, and less otherwise.

    Args:
        points: float64 `(n,)`, each within 1e150 of a center.
        centers: float64 `(N,)`, N ≥ 1, finite.

    Returns:
        float64 `(n,)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.information.kernel_sum import log_kernel_sum
    >>> log_kernel_sum(np.array([0.0, 1e4]), np.array([0.0, 0.0])) - np.log(2)
    array([        0., -50000000.])
    """
    order = np.argsort(points, kind="stable")
    sorted_points, sorted_centers = points[order], np.sort(centers)
    after = np.searchsorted(sorted_centers, sorted_points).clip(1, max(len(centers) - 1, 1))
    neighbors = sorted_centers[[after - 1, np.minimum(after, len(centers) - 1)]]
    nearest = np.abs(sorted_points - neighbors).min(axis=0)
    top = -0.5 * nearest**2
    # All centers whose terms matter lie within `reach` of a point.
    reach = np.hypot(nearest, np.sqrt(2 * (_NEGLIGIBLE + np.log(len(centers)))))
    first = np.searchsorted(sorted_centers, sorted_points - reach, side="left")
    last = np.searchsorted(sorted_centers, sorted_points + reach, side="right")
    sums = np.empty(len(points))
    start = 0
    while start < len(points):
        stop = _block_end(first, last, start)
        window = sorted_centers[first[start:stop].min() : last[start:stop].max()]
        terms = sorted_points[start:stop, None] - window
        with np.errstate(over="ignore", under="ignore"):
            np.multiply(terms, terms, out=terms)
            terms *= -0.5
            terms -= top[start:stop, None]
            np.exp(terms, out=terms)
        sums[start:stop] = terms.sum(axis=1)
        start = stop
    out = np.empty(len(points))
    out[order] = np.log(sums) + top
    return out


def _block_end(first: np.ndarray, last: np.ndarray, start: int) -> int:
    """Returns the end of a block of points whose window of centers is small."""
    # Neighboring windows overlap; the points of a block share their union.
    size = max(1, int(_PAIRS // max(last[start] - first[start], 1)))
    stop = min(start + size, len(first))
    while stop - start > 1:
        width = last[start:stop].max() - first[start:stop].min()
        own = (last[start:stop] - first[start:stop]).mean()
        if (stop - start) * width <= 2 * _PAIRS and width <= 2 * own + 64:
            break
        stop = start + (stop - start) // 2
    return stop
