"""Imports everything that a training needs, once, in the server process of `forkserver`."""

import contextlib

from lsk_engine.devices.backend import load_backend

# What can't be imported is told by the training that needs it.
with contextlib.suppress(Exception):
    load_backend()  # before what imports Keras: its start is silent so
    import lsk_engine.experiment  # noqa: F401
