"""The library's public names by package: what the `__all__` of its packages lists."""

import importlib
import pkgutil

import ls_keras

# Packages without public names.
INTERNAL = {
    "ls_keras.backend",
    "ls_keras.calibration.curves",
    "ls_keras.calibration.ranking",
    "ls_keras.calibration.scaling",
    "ls_keras.inputs",
    "ls_keras.losses.fused_linear",
}
PACKAGES = ["ls_keras"] + [
    found.name
    for found in pkgutil.walk_packages(ls_keras.__path__, "ls_keras.")
    if found.ispkg and found.name not in INTERNAL
]
OFFERED = {
    package: [n for n in importlib.import_module(package).__all__ if n != "__version__"]
    for package in PACKAGES
}
PAIRS = [(package, name) for package, names in OFFERED.items() for name in names]
