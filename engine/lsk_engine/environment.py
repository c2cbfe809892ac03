"""Versions, machine and command, on which a result depends besides its configuration."""

import contextlib
import datetime
import functools
import importlib.metadata
import os
import platform
import sys
from typing import Any

from ls_base.backends import configured_backend


def environment() -> dict[str, Any]:
    """Returns versions, machine, command and time."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "backend": configured_backend(),
        "packages": dict(_versions()),
    }


@functools.cache
def _versions() -> dict[str, str]:
    """Reads, once a process, which packages are installed: 30 ms."""
    packages = ("ls-keras", "keras", "tensorflow", "jax", "torch", "numpy", "keras-hub")
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
