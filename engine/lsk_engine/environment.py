"""What a result depends on besides its configuration."""

import contextlib
import datetime
import functools
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any


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


def configured_backend() -> str:
    """Returns what Keras would take, by the environment or its configuration file."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    try:
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return json.loads((folder / "keras.json").read_text())["backend"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):  # RuntimeError: no home
        return "tensorflow"
