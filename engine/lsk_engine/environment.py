"""What a result depends on besides its configuration."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from typing import Any


def environment() -> dict[str, Any]:
    """Returns versions, machine, command and time."""
    packages = ("ls-keras", "keras", "tensorflow", "jax", "torch", "numpy", "keras-hub")
    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "packages": versions,
    }
