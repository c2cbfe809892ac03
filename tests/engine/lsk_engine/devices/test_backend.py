"""What the import of a backend leaves out."""

import subprocess
import sys

import pytest

from ls_base.errors import InputError
from lsk_engine.devices.backend import load_backend

LOADED = """
import sys
from lsk_engine.devices.backend import load_backend
load_backend()
print(*sorted({"jax", "pandas", "sklearn"} & {*sys.modules}))
import jax, sklearn
"""


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "loaded"), [("tensorflow", ""), ("jax", "jax")])
def test_what_keras_takes_where_it_finds_it_is_imported_by_who_asks(monkeypatch, backend, loaded):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, loaded), done.stderr


@pytest.mark.parametrize("backend", ["numpy", "tenserflow"])
def test_a_backend_that_is_none_is_told(monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(InputError, match=f"in KERAS_BACKEND, .* Received: '{backend}'"):
        load_backend()
