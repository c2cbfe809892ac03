import keras
import pytest

from ls_base.errors import InputError
from lsk_engine.devices.framework_errors import PeerLostError, explain_oom, explain_peer_loss
from lsk_engine.devices.process_env import TF_CONFIG, set_tf_config

OUT_OF_MEMORY = [
    MemoryError("Unable to allocate 9 GiB"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate\nwith shape"),
    type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
    type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_out_of_memory_names_the_batch_size_in_one_line(error):
    message = "memory with training.batch_size=512. Use"
    with pytest.raises(InputError, match=message) as raised, explain_oom(512):
        raise error
    assert "\n" not in str(raised.value)


def test_other_errors_pass_unchanged(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    monkeypatch.delenv(TF_CONFIG, raising=False)
    with pytest.raises(ZeroDivisionError), explain_oom(512), explain_peer_loss():
        raise ZeroDivisionError
    with pytest.raises(RuntimeError), explain_peer_loss():
        raise RuntimeError("UNAVAILABLE: without other processes")


def test_a_lost_peer_is_reported_in_one_line_with_exit_code_5(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    monkeypatch.setenv(TF_CONFIG, "")
    set_tf_config(["a:1", "b:1"], 0)
    message = "--resume RUN. Received: RuntimeError: Gloo"
    with pytest.raises(PeerLostError, match=message) as raised, explain_peer_loss():
        raise RuntimeError("Gloo all-reduce failed\nwith more lines")
    assert raised.value.exit_code == 5
