"""The cores of this machine."""

import os


def cores() -> int:
    """Returns how many cores this process may use, which may be fewer than the machine has.

    Example:
    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
