import json

import keras
import pytest

from ls_base.errors import InputError
from lsk_engine.devices.process_env import (
    ADDRESSES,
    COUNT,
    INDEX,
    TF_CONFIG,
    Place,
    be_process,
    be_worker,
    place,
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in (TF_CONFIG, ADDRESSES, COUNT, INDEX):
        monkeypatch.setenv(name, "")


def on(monkeypatch, backend):
    monkeypatch.setattr(keras.config, "backend", lambda: backend)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_process_is_alone_where_nothing_is_said(monkeypatch, backend):
    on(monkeypatch, backend)
    assert (place().index, place().count) == (0, 1)


def test_what_the_command_line_says_is_in_the_variables_of_the_frameworks(monkeypatch):
    be_worker(["one:2222", "two:2222"], 1)
    be_process("one:2223", 3, 2)
    on(monkeypatch, "tensorflow")
    assert place() == Place(1, 2, TF_CONFIG, "two:2222")
    on(monkeypatch, "jax")
    assert place() == Place(2, 3, COUNT)


def test_a_coordinator_listens(monkeypatch):
    be_process("one:2223", 3, 0)
    on(monkeypatch, "jax")
    assert place() == Place(0, 3, COUNT, "one:2223")
    monkeypatch.setenv(ADDRESSES, "one")
    with pytest.raises(InputError, match=f"{ADDRESSES} HOST:PORT. Received: 'one'"):
        place()


def test_a_schedulers_variable_is_honored(monkeypatch):
    on(monkeypatch, "tensorflow")
    said = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(said))
    assert place() == Place(0, 2, TF_CONFIG, "a:1")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{", "Expected TF_CONFIG as"),
        ("[]", "Expected TF_CONFIG as"),
        ('{"cluster": {"worker": ["a:1"]}}', "Expected TF_CONFIG as"),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "no parameter servers here.*Received: ps",
        ),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "task.index in TF_CONFIG from 0 to 0. Received: 1",
        ),
    ],
)
def test_a_tf_config_that_can_not_be_is_told(monkeypatch, said, message):
    on(monkeypatch, "tensorflow")
    monkeypatch.setenv(TF_CONFIG, said)
    with pytest.raises(InputError, match=message):
        place()


@pytest.mark.parametrize(
    ("addresses", "index", "message"),
    [
        (["a"], 0, "--workers HOST:PORT. Received: 'a'"),
        (["a:0"], 0, "--workers HOST:PORT. Received: 'a:0'"),
        (["a:1", "a:1"], 0, "another address each"),
        (["a:1", "b:1"], 2, "--worker-index from 0 to 1. Received: 2"),
        (["a:1", "b:1"], -1, "--worker-index from 0 to 1. Received: -1"),
    ],
)
def test_workers_that_can_not_be_are_told(addresses, index, message):
    with pytest.raises(InputError, match=message):
        be_worker(addresses, index)


@pytest.mark.parametrize(("count", "index"), [(2, 2), (1, -1)])
def test_processes_that_can_not_be_are_told(count, index):
    with pytest.raises(InputError, match=f"--process-id from 0 to {count - 1}"):
        be_process("a:1", count, index)


@pytest.mark.parametrize(("count", "index"), [("two", "0"), ("2", "2"), ("2", "-1")])
def test_variables_of_processes_that_can_not_be_are_told(monkeypatch, count, index):
    on(monkeypatch, "jax")
    monkeypatch.setenv(COUNT, count)
    monkeypatch.setenv(INDEX, index)
    with pytest.raises(InputError, match=r"Expected (a number in )?KERAS_DISTRIBUTION"):
        place()
