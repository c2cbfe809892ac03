"""Which process this is, of those that train one run together: said by the environment.

TensorFlow's own variable `TF_CONFIG` and Keras's `KERAS_DISTRIBUTION_…` are the interface: what
schedulers set is honored, and what the command line says is written there.
"""

import dataclasses
import json
import os
from collections.abc import Sequence

from ls_base.errors import InputError

TF_CONFIG = "TF_CONFIG"
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
COUNT = "KERAS_DISTRIBUTION_NUM_PROCESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"
TPU = "TPU_NAME"  # TensorFlow's own resolver reads it
_TORCHRUN = ("WORLD_SIZE", "RANK")
_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Place:
    """A process's place among those that train together.

    Attributes:
        index: From 0; the process 0 is the chief, which writes the run.
        count: How many there are.
        source: Which variable says so.
        listens: `HOST:PORT` where the others find this process; empty: they need not.
    """

    index: int = 0
    count: int = 1
    source: str = ""
    listens: str = ""


def is_said() -> bool:
    """Returns whether a variable says something of other processes, whatever the backend."""
    return any(os.environ.get(name) for name in (TF_CONFIG, COUNT, _TORCHRUN[0]))


def place() -> Place:
    """Returns the place of this process, by the variable that Keras's backend goes by.

    Raises:
        InputError: If the variable says what can't be.
    """
    import keras

    return {"tensorflow": _of_tensorflow, "jax": _of_keras, "torch": _of_torchrun}[
        keras.config.backend()
    ]()


def be_worker(addresses: Sequence[str], index: int) -> None:
    """Makes this process one of TensorFlow's workers: writes `TF_CONFIG`.

    Args:
        addresses: `HOST:PORT` of each worker, in the same order for all.
        index: Which one this is.

    Raises:
        InputError: If that can't be.
    """
    _check(addresses, index, len(addresses), "--workers", "--worker-index")
    os.environ[TF_CONFIG] = tf_config(addresses, index)


def tf_config(addresses: Sequence[str], index: int) -> str:
    """Returns the `TF_CONFIG` of a worker."""
    return json.dumps(
        {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    )


def be_process(coordinator: str, count: int, index: int) -> None:
    """Makes this process one of JAX's: writes `KERAS_DISTRIBUTION_…`.

    Args:
        coordinator: `HOST:PORT` of process 0, the same for all.
        count: How many there are.
        index: Which one this is.

    Raises:
        InputError: If that can't be.
    """
    _check([coordinator], index, count, "--coordinator", "--process-id")
    os.environ |= {ADDRESSES: coordinator, COUNT: str(count), INDEX: str(index)}


def be_of_tpu(name: str) -> None:
    """Makes the TPU of a name the one that strategy `tpu` takes; `local`: this machine's."""
    os.environ[TPU] = name


def _check(addresses: Sequence[str], index: int, count: int, option: str, its_index: str) -> None:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise InputError(f"Expected {option} HOST:PORT. Received: {address!r}")
    if len(set(addresses)) < len(addresses):
        raise InputError(
            f"Expected {option} with another address each. Received: {', '.join(addresses)}"
        )
    if not 0 <= index < count:
        raise InputError(f"Expected {its_index} from 0 to {count - 1}. Received: {index}")


def _of_tensorflow() -> Place:
    text = os.environ.get(TF_CONFIG)
    if not text:
        return Place()
    try:
        config = json.loads(text)
        workers = list(config["cluster"]["worker"])
        others = set(config["cluster"]) - {"worker"}
        index, kind = int(config["task"]["index"]), config["task"]["type"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"Expected TF_CONFIG as {_EXAMPLE}. Received: {text[:200]}") from error
    if others or kind != "worker":
        raise InputError(
            "Expected TF_CONFIG with workers only, of which the first is the chief (there are no "
            "parameter servers here, and no evaluator: docs/scaling_out.md). "
            f"Received: {', '.join(sorted({*others, kind} - {'worker'}))}"
        )
    _check(workers, index, len(workers), "cluster.worker in TF_CONFIG", "task.index in TF_CONFIG")
    return Place(index, len(workers), TF_CONFIG, listens=workers[index])


def _of_keras() -> Place:
    found = _numbers(COUNT, INDEX)
    if found.count == 1:
        return found
    coordinator = (os.environ.get(ADDRESSES) or "").split(",")[0]
    _check([coordinator], found.index, found.count, ADDRESSES, INDEX)
    return found if found.index else dataclasses.replace(found, listens=coordinator)


def _of_torchrun() -> Place:
    return _numbers(*_TORCHRUN)


def _numbers(of_count: str, of_index: str) -> Place:
    texts = {
        name: os.environ.get(name) or default
        for name, default in ((of_count, "1"), (of_index, "0"))
    }
    for name, text in texts.items():
        if not text.isdecimal():
            raise InputError(f"Expected a number in {name}. Received: {text!r}")
    count, index = int(texts[of_count]), int(texts[of_index])
    if not 0 <= index < count:
        raise InputError(
            f"Expected {of_index} from 0 to {of_count} - 1. Received: {index} of {count}"
        )
    return Place(index, count, of_count)
