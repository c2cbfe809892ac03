import pytest

from ls_base.errors import InputError
from lsk_engine.devices.oom_errors import memory_for

tf = pytest.importorskip("tensorflow")

ERRORS = [
    MemoryError("Unable to allocate 9 GiB"),
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith shape"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
    type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_batch_size_is_named(error):
    with pytest.raises(InputError) as told, memory_for(512):
        raise error
    assert "batch_size=512 (a smaller --batch-size needs less, and" in str(told.value)
    assert "keeps the update). Received: " in str(told.value)
    assert "\n" not in str(told.value)


def test_other_errors_stay():
    with pytest.raises(ZeroDivisionError), memory_for(512):
        raise ZeroDivisionError
