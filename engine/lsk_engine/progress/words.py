"""Times and rates as people write them."""


def duration(seconds: float) -> str:
    """Returns seconds as people write them.

    Example:
    >>> duration(5), duration(95), duration(7260)
    ('5 s', '1 min 35 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def per_second(rate: float) -> str:
    """Returns a rate as people write it: whole, or with two digits where it is small.

    Example:
    >>> per_second(12345.6), per_second(3.21), per_second(0.0912)
    ('12,346', '3.2', '0.091')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
