"""Checkpoints: the full training state by step, written atomically, to resume training exactly."""

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import keras
import numpy as np

from ls_base.errors import FileError
from ls_base.files import atomic_write
from ls_base.npz import ArraySpec, npz_names, read_npz
from ls_keras.backend.keras_internals import sync_state
from lsk_engine.devices.replicas import assign_replica_values, read_replica_values
from lsk_engine.runs.naming import checkpoint_file, checkpoint_steps

_SHA256 = "sha256"
BACKGROUND = 1 << 26  # bytes from which a state is written by a thread


class Checkpoints:
    """Saves and restores everything that the next step depends on.

    That is weights, BatchNormalization statistics, seed generators (variables of the model),
    optimizer slots and iterations, the running means of the epoch's metrics, and the step. The
    order of examples needs no state: batches are a function of the step.

    A large state is copied to the host and written by a thread while training continues; saving
    again, or reading, waits for the thread. A process that is killed meanwhile resumes from the
    checkpoint before.

    Args:
        directory: The folder of the files `step-00000500.npz`.
        max_to_keep: How many of the newest checkpoints are kept.
        keep_every: Checkpoints whose step is a multiple of it are kept as well; 0: none.
        kept_steps: Checkpoints of these steps are kept as well; the set may change later.
    """

    def __init__(
        self,
        directory: Path,
        max_to_keep: int = 2,
        keep_every: int = 0,
        kept_steps: Collection[int] = (),
    ):
        self.directory, self.max_to_keep = directory, max_to_keep
        self.keep_every, self.kept_steps = keep_every, kept_steps
        self._writer: threading.Thread | None = None
        self._failure: BaseException | None = None

    def wait(self) -> None:
        """Waits until the last saved state is on the disk.

        Raises:
            FileError: If it can't be written.
        """
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def steps(self) -> list[int]:
        """Returns the steps of the stored checkpoints, ascending."""
        self.wait()
        return checkpoint_steps(self.directory)

    def save(
        self,
        model: keras.Model,
        step: int,
        check: Callable[[int, Mapping[str, np.ndarray]], None] = lambda step, state: None,
        more: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Writes the state after `step` steps, then removes checkpoints that need not be kept.

        A large state may still be written when this returns: see `wait`.

        Args:
            model: A built, compiled model.
            step: How many steps it was trained for.
            check: Called with the step and the state before it is written; may raise.
            more: Further arrays to store, whose names have a prefix of their own.

        Raises:
            FileError: If this state, or the one before, can't be written.
        """
        self.wait()  # before another copy is made
        sync_state(model)
        state = {
            name: keras.ops.convert_to_numpy(variable)
            for name, variable in _variables(model).items()
        }
        check(step, state)
        state |= {
            f"metric/{i}": read_replica_values(v) for i, v in enumerate(model.metrics_variables)
        }
        state |= {"step": np.asarray(step, np.int64), **(more or {})}
        kept = frozenset(self.kept_steps)  # it may change while the state is written
        if sum(array.nbytes for array in state.values()) < BACKGROUND:
            self._write(step, state, kept)
            return
        # A framework may return views of memory that the next step overwrites.
        for name, array in state.items():
            if array.base is not None or not array.flags.owndata:
                state[name] = np.array(array)
        self._writer = threading.Thread(
            target=self._try_to_write, args=(step, state, kept), name="checkpoint"
        )
        self._writer.start()

    def _try_to_write(self, step: int, state: dict[str, np.ndarray], kept: Collection[int]) -> None:
        try:
            self._write(step, state, kept)
        except BaseException as error:  # raised by `wait`
            self._failure = error

    def _write(self, step: int, state: dict[str, np.ndarray], kept: Collection[int]) -> None:
        with atomic_write(self._file(step)) as file:
            # Array by array, without a second copy of all.
            np.savez(file, allow_pickle=False, **{_SHA256: _hash(state)}, **state)
        # Damaged checkpoints of later steps, before which training resumed, don't count.
        steps = [one for one in checkpoint_steps(self.directory) if one <= step]
        for old in steps[: -self.max_to_keep]:
            regular = self.keep_every and old % self.keep_every == 0
            if not regular and old not in kept:
                self._file(old).unlink(missing_ok=True)

    def restore(
        self,
        model: keras.Model,
        step: int | None = None,
        *,
        warn: Callable[[str], None] = lambda message: None,
    ) -> dict[str, np.ndarray]:
        """Sets the weights and optimizer of a built, compiled model to a checkpoint.

        Args:
            model: A model of the same configuration.
            step: The checkpoint's step; `None`: the newest that is not damaged.
            warn: Called with a message for each newer checkpoint that is damaged.

        Returns:
            The arrays of the checkpoint by name, `step` among them; `restore_metrics` takes the
            metrics' part, once `fit` has built and reset them.

        Raises:
            FileError: If there is no checkpoint, all are damaged, or it belongs to another model.
        """
        step, state = self._read_newest(warn) if step is None else (step, self._read(step))
        if not model.optimizer.built:  # else Keras's loss scaling adds its variables again
            model.optimizer.build(model.trainable_variables)
        variables = _variables(model)
        self._check(state, variables, step)
        for name, variable in variables.items():
            variable.assign(state[name])
        return state

    def _read_newest(self, warn: Callable[[str], None]) -> tuple[int, dict[str, np.ndarray]]:
        """Returns the step and state of the newest checkpoint that is not damaged."""
        steps = self.steps()
        for step in reversed(steps):
            try:
                return step, self._read(step)
            except FileError as error:
                if step == steps[0]:
                    raise FileError(
                        f"{error}; all checkpoints in {self.directory} are damaged: remove them, "
                        "and `lsk train --resume` starts from the beginning"
                    ) from error
                warn(f"{error}; going back to the checkpoint before")
        raise FileError(f"Expected a checkpoint in {self.directory}. Received: none")

    def read_model(self, model: keras.Model, step: int) -> list[np.ndarray]:
        """Returns the values of `model.variables` in a checkpoint, in their order.

        Args:
            model: A model of the same configuration.
            step: The checkpoint's step.

        Raises:
            FileError: If there is no such checkpoint, or it belongs to another model.
        """
        variables, state = _model_variables(model), self._read(step)
        self._check(state, variables, step)
        return [state[name] for name in variables]

    def _read(self, step: int) -> dict[str, np.ndarray]:
        if step not in self.steps():
            raise FileError(
                f"Expected the checkpoint of step {step} in {self.directory}. "
                f"Received: steps {self.steps()}"
            )
        file = self._file(step)
        state = read_npz(file, dict.fromkeys(npz_names(file), ArraySpec()))
        written = state.pop(_SHA256, None)
        if written is None or written.tobytes() != _hash(state).tobytes():
            raise FileError(f"Expected {file} as it was written. Received: other numbers")
        if not np.array_equal(state.get("step", -1), step):
            raise FileError(f"Expected step {step} in {file}. Received: {state.get('step')}")
        return state

    def _check(
        self, state: dict[str, np.ndarray], variables: dict[str, keras.Variable], step: int
    ) -> None:
        for name, variable in variables.items():
            # As NumPy arrays: backends name types differently (on JAX, int64 is int32).
            expected = _describe(keras.ops.convert_to_numpy(variable))
            received = _describe(state[name]) if name in state else "nothing"
            if received != expected:
                raise FileError(
                    f"Expected {self._file(step)} to hold {name} ({variable.path}), {expected}. "
                    f"Received: {received}"
                )

    def _file(self, step: int) -> Path:
        return checkpoint_file(self.directory, step)


def restore_metrics(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Sets the running means of the training metrics to those of a checkpoint."""
    for index, variable in enumerate(model.metrics_variables):
        stored = state.get(f"metric/{index}")
        if stored is not None:
            assign_replica_values(variable, stored)


def _model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    # Of a distiller only the student: the teacher doesn't change, and has its own run.
    trained = getattr(model, "student", model)
    # By number: paths need not be unique, and hold counters that differ between processes.
    return {f"model/{i}": v for i, v in enumerate(trained.variables)}


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    optimizer = {f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)}
    return {**_model_variables(model), **optimizer}


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _hash(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the SHA-256 of names, types, shapes and numbers, as an array of bytes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = np.asarray(state[name])
        digest.update(f"{name} {_describe(array)}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)
