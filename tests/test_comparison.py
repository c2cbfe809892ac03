"""The comparison with other libraries says what is: names, versions, and the page as its data."""

import importlib
import re
from importlib import metadata
from pathlib import Path

import pytest

from test_docs import is_there

ROOT = Path(__file__).parents[1]
# Of PyTorch's world: where the tests install them, `make test-peers` looks their names up.
PEERS = ("netcal", "torchmetrics", "probmetrics")
