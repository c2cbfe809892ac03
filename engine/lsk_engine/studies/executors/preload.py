"""Imports what a training needs; the fork server of `local_processes` imports this module."""

import contextlib

from lsk_engine.devices.backend import load_backend

# What cannot be imported is reported by the training that needs it.
with contextlib.suppress(Exception):
    load_backend()  # first, so that TensorFlow starts without messages
    import lsk_engine.experiment  # noqa: F401
