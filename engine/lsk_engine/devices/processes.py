"""Processes that train one run together: joining them, and what they have to agree on.

Each runs the same program and makes the same steps; what one of them reads of the others goes
through here. `lsk_engine.devices.process_env` says where they are.
"""

import contextlib
import functools
import socket
import time
from collections.abc import Iterator

import numpy as np

from ls_base.errors import InputError, LsKerasError
from lsk_engine.devices.process_env import ADDRESSES, Place, place

# Of JAX's coordinator, in place of its 100 s: a peer that was killed is known after that long.
_HEARTBEAT_SECONDS = 10
# What frameworks say of a peer that is gone; none has an error of its own for it.
_SIGNS = (
    *("UNAVAILABLE", "Unavailable", "Aborted", "heartbeat", "coordination", "Gloo"),
    *("Connection reset", "Connection closed", "Socket closed", "Broken pipe"),
)


class PeerLostError(LsKerasError):
    """Another process of the run has ended; the run can be resumed."""

    exit_code = 5


@functools.cache
def join() -> Place:
    """Joins the other processes, if there are any; returns this one's place among them.

    To be called before anything is computed: both frameworks set up their devices here.
    """
    here = place()
    if here.count > 1:
        _expect_free(here)
        with peers_watched():
            _join(here)
    return here


def _expect_free(here: Place) -> None:
    """Looks whether this process can listen where the others look for it.

    Frameworks do not tell: servers of TensorFlow may share a port, and get one another's messages;
    JAX may end by a signal.
    """
    if not here.listens:
        return
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", int(here.listens.rpartition(":")[2])))
        except OSError as error:
            raise InputError(
                "Expected an address of this machine that no other program has (--workers or "
                f"--coordinator; {here.source}). Received: {here.listens} for process "
                f"{here.index}: {error.strerror}"
            ) from error


def _join(here: Place) -> None:
    import os

    import keras

    if keras.config.backend() == "tensorflow":
        from lsk_engine.devices.strategy import multi_worker

        multi_worker()
    elif keras.config.backend() == "jax":
        import jax

        jax.distributed.initialize(
            os.environ[ADDRESSES].split(",")[0],
            here.count,
            here.index,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_HEARTBEAT_SECONDS,  # one that fails waits for none
        )


def wait_for_all() -> None:
    """Returns when every process has come here."""
    gathered(np.zeros(1, np.float32))


def gathered(values: np.ndarray) -> np.ndarray:
    """Returns the values of all processes, `(processes, …)`, in their order; exactly.

    Args:
        values: An array of the same shape in each, of numbers that its framework can sum.
    """
    here = join()
    if here.count == 1:
        return values[None]
    import keras

    if keras.config.backend() == "jax":
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(values))
    import tensorflow as tf

    from lsk_engine.devices.strategy import multi_worker

    strategy = multi_worker()
    mine = np.zeros((here.count, *values.shape), values.dtype)
    local = strategy.num_replicas_in_sync // here.count

    def of_replica(context):
        rows = mine.copy()
        if context.replica_id_in_sync_group % local == 0:  # once a process
            rows[here.index] = values
        return tf.constant(rows)

    each = strategy.experimental_distribute_values_from_function(of_replica)
    return strategy.reduce("SUM", each, axis=None).numpy()


class Agreement:
    """The largest of the processes' numbers, asked for about once a second.

    Every process has to call it as often as the others. Calls between do not wait for anybody: how
    many there are, the chief says, by its clock.
    """

    def __init__(self, seconds: float = 1.0):
        self._seconds, self._left, self._agreed = seconds, 1, 0
        self._calls, self._since = 0, time.monotonic()

    def __call__(self, number: int) -> int:
        """Returns the largest of the processes' numbers (≥ 0), as it was when they last met."""
        if join().count == 1:
            return number
        self._left -= 1
        self._calls += 1
        if self._left > 0:
            return self._agreed
        passed = max(time.monotonic() - self._since, 1e-6)
        calls = min(max(int(self._calls * self._seconds / passed), 1), 2 * self._calls, 1 << 20)
        found = gathered(np.array([number, calls], np.float32))
        self._agreed, self._left = int(found[:, 0].max()), int(found[0, 1])
        self._calls, self._since = 0, time.monotonic()
        return self._agreed


@contextlib.contextmanager
def peers_watched() -> Iterator[None]:
    """Tells in one line that another process is gone.

    Raises:
        PeerLostError: In place of the framework's own error.
    """
    try:
        yield
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        if place().count == 1 or isinstance(error, LsKerasError):
            raise
        if not any(sign in told for sign in _SIGNS):
            raise
        raise PeerLostError(
            "Expected all processes of the run to stay to its end. Received: one has ended "
            f"({told.strip().splitlines()[0][:200]}); start all again with --resume RUN"
        ) from error
