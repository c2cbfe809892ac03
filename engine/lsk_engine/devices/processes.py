"""Processes that train one run together: joining them, and exchanging numbers.

Every process runs the same program and makes the same steps. Whatever one process needs from the
others goes through this module; `lsk_engine.devices.process_env` says where they are.
"""

import functools
import os
import socket
import time

import numpy as np

from ls_base.errors import InputError
from lsk_engine.devices.framework_errors import explain_peer_loss
from lsk_engine.devices.process_env import ADDRESSES, ProcessInfo, find_process

_HEARTBEAT_SECONDS = 10  # of JAX's coordinator, which by default notices a killed peer after 100 s


@functools.cache
def join() -> ProcessInfo:
    """Joins the other processes, if there are any, and returns this one's rank.

    Call it before anything is computed: both frameworks set up their devices here.
    """
    here = find_process()
    if here.count > 1:
        _check_address(here)
        with explain_peer_loss():
            _join(here)
    return here


def _check_address(here: ProcessInfo) -> None:
    """Checks that this process can listen at its address.

    The frameworks do not: TensorFlow's servers may share a port and receive one another's messages,
    and JAX may end by a signal.
    """
    if not here.address:
        return
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", int(here.address.rpartition(":")[2])))
        except OSError as error:
            raise InputError(
                "Expected an address of this machine that no other program uses (--workers or "
                f"--coordinator; {here.source}). Received: {here.address} for process "
                f"{here.index}: {error.strerror}"
            ) from error


def _join(here: ProcessInfo) -> None:
    import keras

    if keras.config.backend() == "tensorflow":
        multi_worker_strategy()
    elif keras.config.backend() == "jax":
        import jax

        jax.distributed.initialize(
            os.environ[ADDRESSES].split(",")[0],
            here.count,
            here.index,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_HEARTBEAT_SECONDS,  # a process that fails does not wait
        )


@functools.cache
def multi_worker_strategy():
    """Returns TensorFlow's strategy for the workers of `TF_CONFIG`; a process can have only one.

    Call it before any other TensorFlow operation: it sets up the communication between workers.
    """
    import tensorflow as tf

    return tf.distribute.MultiWorkerMirroredStrategy()


def wait_for_all() -> None:
    """Returns when every process has called this function."""
    gather(np.zeros(1, np.float32))


def gather(values: np.ndarray) -> np.ndarray:
    """Returns the values of all processes, `(processes, …)`, in the order of their ranks; exact.

    Args:
        values: An array of the same shape in each process, of a type that its framework can sum.
    """
    here = join()
    if here.count == 1:
        return values[None]
    import keras

    if keras.config.backend() == "jax":
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(values))
    import tensorflow as tf

    strategy = multi_worker_strategy()
    mine = np.zeros((here.count, *values.shape), values.dtype)
    local = strategy.num_replicas_in_sync // here.count

    def in_replica(context):
        rows = mine.copy()
        if context.replica_id_in_sync_group % local == 0:  # once per process
            rows[here.index] = values
        return tf.constant(rows)

    each = strategy.experimental_distribute_values_from_function(in_replica)
    return strategy.reduce("SUM", each, axis=None).numpy()


class ConsensusCounter:
    """The largest of the processes' numbers, exchanged about once a second.

    Every process must call it equally often. Most calls return the last result without waiting for
    the others; the chief decides, by its clock, after how many calls the next exchange takes place.

    Args:
        seconds: Time between exchanges.
    """

    def __init__(self, seconds: float = 1.0):
        self._seconds, self._calls_left, self._largest = seconds, 1, 0
        self._calls, self._since = 0, time.monotonic()

    def __call__(self, number: int) -> int:
        """Returns the largest of the processes' numbers at the last exchange.

        Args:
            number: This process's number, at least 0.
        """
        if join().count == 1:
            return number
        self._calls_left -= 1
        self._calls += 1
        if self._calls_left > 0:
            return self._largest
        passed = max(time.monotonic() - self._since, 1e-6)
        calls = min(max(int(self._calls * self._seconds / passed), 1), 2 * self._calls, 1 << 20)
        exchanged = gather(np.array([number, calls], np.float32))
        self._largest, self._calls_left = int(exchanged[:, 0].max()), int(exchanged[0, 1])
        self._calls, self._since = 0, time.monotonic()
        return self._largest
