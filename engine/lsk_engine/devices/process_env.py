"""Reads and writes the environment variables that describe processes and devices.

TensorFlow's `TF_CONFIG`, Keras's `KERAS_DISTRIBUTION_…` and `CUDA_VISIBLE_DEVICES` are the only
interface: values that a scheduler has set are respected, and command-line options write the same
variables.
"""

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Sequence

from ls_base.errors import InputError

TF_CONFIG = "TF_CONFIG"
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
COUNT = "KERAS_DISTRIBUTION_NUM_PROCESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"
TPU = "TPU_NAME"  # read by TensorFlow's own resolver
VISIBLE = "CUDA_VISIBLE_DEVICES"
_TORCHRUN = ("WORLD_SIZE", "RANK")
_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'
_NVIDIA_SMI_SECONDS = 30  # a driver that takes longer does not work


@dataclasses.dataclass(frozen=True)
class ProcessInfo:
    """A process's rank among the processes that train one run together.

    Attributes:
        index: Rank, from 0. Process 0 is the chief, which writes the run.
        count: Number of processes.
        source: The environment variable that contained the rank.
        address: `HOST:PORT` where the others connect to this process; empty if they do not.
    """

    index: int = 0
    count: int = 1
    source: str = ""
    address: str = ""


def is_distributed() -> bool:
    """Returns whether a variable describes several processes, for any backend."""
    return any(os.environ.get(name) for name in (TF_CONFIG, COUNT, _TORCHRUN[0]))


def find_process() -> ProcessInfo:
    """Returns this process's rank, from the variables that the current backend uses.

    Raises:
        InputError: If the variables contradict each other.
    """
    import keras

    backend = keras.config.backend()
    if backend == "tensorflow":
        return _from_tf_config()
    if backend == "torch":
        return _from_numbers(*_TORCHRUN)
    info = _from_numbers(COUNT, INDEX)
    if info.count == 1:
        return info
    coordinator = (os.environ.get(ADDRESSES) or "").split(",")[0]
    _check([coordinator], info.index, info.count, ADDRESSES, INDEX)
    return info if info.index else dataclasses.replace(info, address=coordinator)


def set_tf_config(addresses: Sequence[str], index: int) -> None:
    """Makes this process one of several TensorFlow workers.

    Args:
        addresses: `HOST:PORT` of each worker, in the same order on all.
        index: Which of them this process is.

    Raises:
        InputError: If an address is malformed or repeated, or the index out of range.
    """
    _check(addresses, index, len(addresses), "--workers", "--worker-index")
    os.environ[TF_CONFIG] = tf_config(addresses, index)


def tf_config(addresses: Sequence[str], index: int) -> str:
    """Returns the value of `TF_CONFIG` for a worker."""
    return json.dumps(
        {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    )


def set_jax_env(coordinator: str, count: int, index: int) -> None:
    """Makes this process one of several JAX processes.

    Args:
        coordinator: `HOST:PORT` of process 0, the same on all.
        count: Number of processes.
        index: Which of them this process is.

    Raises:
        InputError: If the address is malformed or the index out of range.
    """
    _check([coordinator], index, count, "--coordinator", "--process-id")
    os.environ |= {ADDRESSES: coordinator, COUNT: str(count), INDEX: str(index)}


def visible_gpus() -> list[str]:
    """Returns the GPUs that a process would see, by the names that `CUDA_VISIBLE_DEVICES` takes.

    No framework is asked, because one that has found a GPU occupies it. If the variable is not set,
    NVIDIA's `nvidia-smi` lists the GPUs; without it there are none.
    """
    if VISIBLE in os.environ:
        names = [name.strip() for name in os.environ[VISIBLE].split(",")]
        # CUDA ignores what follows an invalid name.
        ends = [i for i, name in enumerate(names) if name in ("", "-1", "NoDevFiles")]
        return names[: ends[0]] if ends else names
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=_NVIDIA_SMI_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("GPU-")]


def _check(
    addresses: Sequence[str], index: int, count: int, option: str, index_option: str
) -> None:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise InputError(f"Expected {option} HOST:PORT. Received: {address!r}")
    if len(set(addresses)) < len(addresses):
        raise InputError(f"Expected {option} without repetitions. Received: {', '.join(addresses)}")
    if not 0 <= index < count:
        raise InputError(f"Expected {index_option} from 0 to {count - 1}. Received: {index}")


def _from_tf_config() -> ProcessInfo:
    text = os.environ.get(TF_CONFIG)
    if not text:
        return ProcessInfo()
    try:
        config = json.loads(text)
        workers = list(config["cluster"]["worker"])
        others = set(config["cluster"]) - {"worker"}
        index, kind = int(config["task"]["index"]), config["task"]["type"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"Expected TF_CONFIG as {_EXAMPLE}. Received: {text[:200]}") from error
    if others or kind != "worker":
        raise InputError(
            "Expected TF_CONFIG with workers only, of which the first is the chief (parameter "
            "servers and evaluators are not supported: docs/scaling_out.md). "
            f"Received: {', '.join(sorted({*others, kind} - {'worker'}))}"
        )
    _check(workers, index, len(workers), "cluster.worker in TF_CONFIG", "task.index in TF_CONFIG")
    return ProcessInfo(index, len(workers), TF_CONFIG, address=workers[index])


def _from_numbers(count_name: str, index_name: str) -> ProcessInfo:
    texts = {
        name: os.environ.get(name) or default
        for name, default in ((count_name, "1"), (index_name, "0"))
    }
    for name, text in texts.items():
        if not text.isdecimal():
            raise InputError(f"Expected a number in {name}. Received: {text!r}")
    count, index = int(texts[count_name]), int(texts[index_name])
    if not 0 <= index < count:
        raise InputError(
            f"Expected {index_name} from 0 to {count_name} - 1. Received: {index} of {count}"
        )
    return ProcessInfo(index, count, count_name)
