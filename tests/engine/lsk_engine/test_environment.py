"""Which backend Keras would take, asked before it is imported."""

import pytest

from ls_base import backends
from ls_base.backends import BACKENDS, configured_backend


@pytest.mark.parametrize("name", BACKENDS)
def test_the_environment_comes_before_the_file(tmp_path, monkeypatch, name):
    monkeypatch.setattr(backends, "installed_backends", lambda: list(BACKENDS))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert configured_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text(f'{{"backend": "{name}"}}')
    assert configured_backend() == name
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert configured_backend() == "jax"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_a_file_that_says_nothing_leaves_the_default(tmp_path, monkeypatch, text):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "keras.json").write_text(text)
    assert configured_backend() == "tensorflow"


def test_a_backend_of_the_file_that_is_not_installed_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "installed_backends", lambda: ["jax"])
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert configured_backend() == "jax"
