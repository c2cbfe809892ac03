import pytest

from lsk_engine.devices.gpus import VISIBLE, visible_gpus


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ("0", ["0"]),
        ("3, GPU-8f,MIG-1", ["3", "GPU-8f", "MIG-1"]),
        ("0,-1,2", ["0"]),  # as CUDA reads it
        ("-1", []),
        ("", []),
    ],
)
def test_the_variable_says_which(monkeypatch, said, gpus):
    monkeypatch.setenv(VISIBLE, said)
    assert visible_gpus() == gpus


def program(folder, monkeypatch, text):
    """Puts an `nvidia-smi` of one's own on an otherwise empty path."""
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    if text is not None:
        file = folder / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)


def test_elsewhere_the_driver_is_asked(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, 'test "$1" = --query-gpu=uuid && echo GPU-1 && echo GPU-2')
    assert visible_gpus() == ["GPU-1", "GPU-2"]


@pytest.mark.parametrize("text", [None, "echo Failed: no driver; exit 9", "echo No devices"])
def test_without_a_working_driver_there_is_none(tmp_path, monkeypatch, text):
    program(tmp_path, monkeypatch, text)
    assert visible_gpus() == []
