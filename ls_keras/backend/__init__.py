"""Code that depends on Keras internals or on a single framework."""

import sys

from ls_base.backends import select_backend

if "keras" not in sys.modules:
    select_backend()
