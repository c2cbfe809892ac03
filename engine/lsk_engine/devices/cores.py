"""The cores of this machine, divided among processes."""

import os


def cores_each(processes: int) -> int:
    """Returns how many cores each of so many processes has, of those that this one may use.

    Args:
        processes: How many.

    Example:
    >>> cores_each(10**6)
    1
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores // processes)
