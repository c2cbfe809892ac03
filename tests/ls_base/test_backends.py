import importlib.util
import json
import os

import pytest

from ls_base import backends
from ls_base.errors import MissingExtraError


@pytest.fixture
def only_jax(monkeypatch, tmp_path):
    """A machine with JAX and no other backend, where Keras has never run."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("tensorflow", "torch") else found(name),
    )
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_the_only_installed_backend_is_used(only_jax, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "")
    backends.select_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(("written", "used"), [("jax", "jax"), ("torch", "jax"), ("mine", "mine")])
def test_keras_configuration_file_names_the_backend_if_it_is_installed(only_jax, written, used):
    (only_jax / "keras.json").write_text(json.dumps({"backend": written}))
    assert backends.configured_backend() == used


def test_the_environment_variable_comes_first(only_jax, monkeypatch):
    (only_jax / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backends.configured_backend() == "jax"


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_an_unreadable_configuration_file_is_ignored(only_jax, content):
    (only_jax / "keras.json").write_text(content)
    assert backends.configured_backend() == "jax"


def test_a_missing_backend_raises_an_error_with_the_pip_command(only_jax, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(MissingExtraError) as error:
        backends.select_backend()
    assert str(error.value) == (
        "Keras's backend tensorflow is not installed. Install it with "
        "pip install 'ls-keras[tensorflow]', or set KERAS_BACKEND=jax"
    )


def test_without_any_backend_the_error_names_tensorflow(only_jax, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ls-keras\[tensorflow\]'$"):
        backends.select_backend()
