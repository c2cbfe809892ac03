"""How many of how many, in percent, with its interval."""


def percentage(count: int, total: int) -> tuple[float, tuple[float, float]]:
    """Returns a share in percent and its Clopper–Pearson interval of 95 %.

    The interval is exact for examples that don't depend on one another: at least 95 of 100 such
    intervals hold the share of a whole population.

    Args:
        count: How many.
        total: Of how many, one at least.

    Example:
    >>> percentage(1, 4)  # doctest: +ELLIPSIS
    (25.0, (0.63..., 80.58...))
    """
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(method="exact")
    return 100 * count / total, (100 * float(interval.low), 100 * float(interval.high))
