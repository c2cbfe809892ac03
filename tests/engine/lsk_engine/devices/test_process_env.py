import json

import keras
import pytest

from ls_base.errors import InputError
from lsk_engine.devices.process_env import (
    ADDRESSES,
    COUNT,
    INDEX,
    TF_CONFIG,
    VISIBLE,
    ProcessInfo,
    find_process,
    set_jax_env,
    set_tf_config,
    visible_gpus,
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in (TF_CONFIG, ADDRESSES, COUNT, INDEX):
        monkeypatch.setenv(name, "")


def on(monkeypatch, backend):
    monkeypatch.setattr(keras.config, "backend", lambda: backend)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_there_is_one_process_if_no_variable_is_set(monkeypatch, backend):
    on(monkeypatch, backend)
    assert (find_process().index, find_process().count) == (0, 1)


def test_options_set_the_variables_of_the_frameworks(monkeypatch):
    set_tf_config(["one:2222", "two:2222"], 1)
    set_jax_env("one:2223", 3, 2)
    on(monkeypatch, "tensorflow")
    assert find_process() == ProcessInfo(1, 2, TF_CONFIG, "two:2222")
    on(monkeypatch, "jax")
    assert find_process() == ProcessInfo(2, 3, COUNT)


def test_jax_process_0_has_the_address_of_the_coordinator(monkeypatch):
    set_jax_env("one:2223", 3, 0)
    on(monkeypatch, "jax")
    assert find_process() == ProcessInfo(0, 3, COUNT, "one:2223")
    monkeypatch.setenv(ADDRESSES, "one")
    with pytest.raises(InputError, match=f"{ADDRESSES} HOST:PORT. Received: 'one'"):
        find_process()


def test_tf_config_of_a_scheduler_is_read(monkeypatch):
    on(monkeypatch, "tensorflow")
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(config))
    assert find_process() == ProcessInfo(0, 2, TF_CONFIG, "a:1")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "Expected TF_CONFIG as"),
        ("[]", "Expected TF_CONFIG as"),
        ('{"cluster": {"worker": ["a:1"]}}', "Expected TF_CONFIG as"),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "parameter servers and evaluators are not supported.*Received: ps",
        ),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "task.index in TF_CONFIG from 0 to 0. Received: 1",
        ),
    ],
)
def test_a_malformed_tf_config_is_refused(monkeypatch, value, message):
    on(monkeypatch, "tensorflow")
    monkeypatch.setenv(TF_CONFIG, value)
    with pytest.raises(InputError, match=message):
        find_process()


@pytest.mark.parametrize(
    ("addresses", "index", "message"),
    [
        (["a"], 0, "--workers HOST:PORT. Received: 'a'"),
        (["a:0"], 0, "--workers HOST:PORT. Received: 'a:0'"),
        (["a:1", "a:1"], 0, "without repetitions"),
        (["a:1", "b:1"], 2, "--worker-index from 0 to 1. Received: 2"),
        (["a:1", "b:1"], -1, "--worker-index from 0 to 1. Received: -1"),
    ],
)
def test_impossible_workers_are_refused(addresses, index, message):
    with pytest.raises(InputError, match=message):
        set_tf_config(addresses, index)


@pytest.mark.parametrize(("count", "index"), [(2, 2), (1, -1)])
def test_impossible_jax_processes_are_refused(count, index):
    with pytest.raises(InputError, match=f"--process-id from 0 to {count - 1}"):
        set_jax_env("a:1", count, index)


@pytest.mark.parametrize(("count", "index"), [("two", "0"), ("2", "2"), ("2", "-1")])
def test_impossible_variables_of_jax_are_refused(monkeypatch, count, index):
    on(monkeypatch, "jax")
    monkeypatch.setenv(COUNT, count)
    monkeypatch.setenv(INDEX, index)
    with pytest.raises(InputError, match=r"Expected (a number in )?KERAS_DISTRIBUTION"):
        find_process()


@pytest.mark.parametrize(
    ("value", "gpus"),
    [
        ("0", ["0"]),
        ("3, GPU-8f,MIG-1", ["3", "GPU-8f", "MIG-1"]),
        ("0,-1,2", ["0"]),
        ("-1", []),
        ("", []),
    ],
)
def test_visible_gpus_reads_the_variable_as_cuda_does(monkeypatch, value, gpus):
    monkeypatch.setenv(VISIBLE, value)
    assert visible_gpus() == gpus


def install_nvidia_smi(folder, monkeypatch, text):
    """Makes a script the only program on the path."""
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    if text is not None:
        file = folder / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)


def test_visible_gpus_are_listed_by_nvidia_smi(tmp_path, monkeypatch):
    install_nvidia_smi(
        tmp_path, monkeypatch, 'test "$1" = --query-gpu=uuid && echo GPU-1 && echo GPU-2'
    )
    assert visible_gpus() == ["GPU-1", "GPU-2"]


@pytest.mark.parametrize("text", [None, "echo Failed: no driver; exit 9", "echo No devices"])
def test_there_is_no_gpu_without_a_working_driver(tmp_path, monkeypatch, text):
    install_nvidia_smi(tmp_path, monkeypatch, text)
    assert visible_gpus() == []
