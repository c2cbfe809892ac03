"""What every test shares: the backend, two logical CPUs for distribution strategies, the seed."""

import functools
import gc
import importlib.util
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# A process that a test starts says where it was when a library of it crashes.
os.environ.setdefault("PYTHONFAULTHANDLER", "1")
# Keras imports pandas where it is, pandas pyarrow, and that one's allocator works in a thread of
# its own, known to crash beside TensorFlow.
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")

import hypothesis
import numpy as np
import pytest

SEED = 0
COLLECTED = pytest.StashKey[list[str]]()

pytest.register_assert_rewrite("layer_tester", "loss_tester", "metric_tester")

# The same examples every time, however busy the machine is.
hypothesis.settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")

# A shell that starts the tests in the background has some ignored, and so would what tests start.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    if signal.getsignal(_number) is signal.SIG_IGN:
        usual = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, usual)


def pytest_configure(config):
    """Starts the backend, except in a process that only hands tests out to others."""
    if config.getoption("dist", "no") != "no" and "PYTEST_XDIST_WORKER" not in os.environ:
        return
    import keras

    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        # Before the first TensorFlow operation: afterwards the devices can't be changed any more.
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
        )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Keeps the names of all that was collected, deselected or not, for `test_collection`."""
    config.stash[COLLECTED] = [item.nodeid for item in items]


@pytest.fixture
def collected_here(request) -> tuple[list[str], list[str]]:
    """Returns the names of the tests that this session has collected, and where it looked."""
    config = request.config
    folders = [os.path.join(config.invocation_params.dir, one) for one in config.args]  # noqa: PTH118 - may end in ::test
    return config.stash[COLLECTED], folders


@pytest.fixture(autouse=True)
def _seed():
    """Seeds Python, NumPy and the backend before each test.

    TensorFlow is seeded again only after a test that changed its seed: seeding discards all
    prepared operations, which took a quarter of the time of the losses' tests.
    """
    import keras

    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("tensorflow") is not None:
            import tensorflow as tf

            if tf.compat.v1.get_seed(1)[0] == SEED:
                patch.setattr(tf.random, "set_seed", lambda _: None)
        keras.utils.set_random_seed(SEED)


@pytest.fixture(scope="session", autouse=True)
def _walked_once():
    """Keeps what a full garbage collection has left out of the next ones.

    TensorFlow's graphs are a million objects: walking them took three seconds each time, and more
    than half a minute in a module that trains.
    """

    def freeze(phase: str, info: dict) -> None:
        if phase == "stop" and info["generation"] == 2:
            gc.freeze()

    # Hypothesis looks once for what refers to its random numbers, and nothing frozen is looked at.
    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()
    gc.callbacks.append(freeze)


@pytest.fixture(scope="session", autouse=True)
def _no_disk_is_waited_for():
    """Leaves out what guards against a loss of power: a training waits for a disk forty times.

    Tests of that count the calls, or fail them, with a patch of their own. Commands in processes
    of their own wait.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _state_home(tmp_path_factory):
    """Keeps state files out of the home folder of the user who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(params=["graph", pytest.param("xla", marks=pytest.mark.slow)])
def traced(request):
    """Runs a function as each of the backend's compilers traces it, see `tracing.run_traced`."""
    import keras

    from tracing import run_traced

    if request.param == "xla" and keras.config.backend() != "tensorflow":
        pytest.skip("the backend has one compiler")
    return functools.partial(run_traced, xla=request.param == "xla")


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves out the figures of runs, for tests that don't look at them: three a run, a second."""
    for module in ("scoring.evaluate", "training.training_log"):
        monkeypatch.setattr(f"lsk_engine.{module}.save_plot", lambda *_, **__: None)


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator of test data."""
    return np.random.default_rng(0)
