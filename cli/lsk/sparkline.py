"""A curve in one line of text."""

import itertools
import math
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns a curve as bars of eight heights, from the least value to the largest.

    Args:
        values: Its values; of more than there are columns, neighbors are averaged.
        width: Columns, at most.

    Example:
    >>> sparkline([1, 2, 3, 8], 4), sparkline([8, 8, 1, 1], 2), sparkline([5, 5], 9)
    ('▁▂▃█', '█▁', '▁▁')
    """
    known = [value for value in values if math.isfinite(value)]
    if not known or width < 1:
        return ""
    count = min(width, len(known))
    ends = [round(n * len(known) / count) for n in range(count + 1)]
    means = [sum(known[low:high]) / (high - low) for low, high in itertools.pairwise(ends)]
    low, high = min(means), max(means)
    steps = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * steps)] for mean in means)
