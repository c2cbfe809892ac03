"""Hides from the processes that tests start what only tests need; Python imports it at its start.

Keras takes scikit-learn, pandas and JAX where it finds them, TensorFlow takes JAX. Who installs
this project for one backend has none of them, and starts in half the time.
"""

import os
import sys


class Hidden:
    """A finder that says of some packages that there are none."""

    def find_spec(self, name, path=None, target=None):
        """Finds nothing."""
        if name in ("sklearn", "pandas") or (
            name == "jax" and os.environ.get("KERAS_BACKEND") != "jax"
        ):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if "pytest" not in sys.orig_argv:  # what it collects are tests
    sys.meta_path.insert(0, Hidden())
