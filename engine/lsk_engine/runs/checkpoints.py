"""Full training states by step, written atomically, from which training goes on exactly."""

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


class Checkpoints:
    """Saves and restores everything that the next step depends on.

    That is weights, BatchNormalization statistics, seed generators (they are variables of the
    model), optimizer slots and iterations, the running means of the epoch's metrics, and the
    step. The order of examples needs no state: batches are a function of the step.

    Args:
        directory: Where the files `step-00000500.npz` are.
        kept: How many of the newest stay.
        kept_every: Checkpoints whose step this divides stay as well; 0: none.
        kept_steps: Checkpoints of these steps stay as well.

    What is large is written by a thread while training goes on, from a copy on the host, of which
    there is one at a time: who saves again, or reads, waits until it is on the disk. A process that
    is killed before goes on from the checkpoint before.
    """

    def __init__(
        self,
        directory: Path,
        kept: int = 2,
        kept_every: int = 0,
        kept_steps: Collection[int] = (),
    ):
        self.directory, self.kept = directory, kept
        self.kept_every, self.kept_steps = kept_every, kept_steps
        self._writer: threading.Thread | None = None
        self._failure: BaseException | None = None

    def wait(self) -> None:
        """Waits until what was saved is on the disk.

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
        """Returns the steps of the checkpoints that are there, ascending."""
        self.wait()
        return checkpoint_steps(self.directory)

    def save(
        self,
        model: keras.Model,
        step: int,
        check: Callable[[int, Mapping[str, np.ndarray]], None] = lambda step, state: None,
        more: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Writes the state after `step` steps, then removes what need not be kept.

        Returns when the state is on the disk or, if it is large, on the host: see `wait`.

        Args:
            model: A built, compiled model.
            step: How many steps it was trained for.
            check: Called with the step and the state before it is written; may refuse it.
            more: Further arrays to be kept with it, by names with a prefix of their own.

        Raises:
            FileError: If it, or what was saved before, can't be written.
        """
        self.wait()  # before another copy is made
        sync_state(model)
        state = _numbers(_variables(model))
        check(step, state)
        state |= {
            f"metric/{i}": read_replica_values(v) for i, v in enumerate(model.metrics_variables)
        }
        state |= {"step": np.asarray(step, np.int64), **(more or {})}
        kept = frozenset(self.kept_steps)  # as of now: it may change while the state is written
        if sum(array.nbytes for array in state.values()) < BACKGROUND:
            self._write(step, state, kept)
            return
        # Of their own: a framework may give views of memory that the next step writes to.
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
        except BaseException as error:  # whoever waits gets it
            self._failure = error

    def _write(self, step: int, state: dict[str, np.ndarray], kept: Collection[int]) -> None:
        with atomic_write(self._file(step)) as file:
            # Array by array: there is no second copy of them all.
            np.savez(file, allow_pickle=False, **{_SHA256: _sha256(state)}, **state)
        # A damaged one of a later step, that training went back behind, takes no other's place.
        done = [one for one in checkpoint_steps(self.directory) if one <= step]
        for old in done[: -self.kept]:
            of_every = self.kept_every and old % self.kept_every == 0
            if not of_every and old not in kept:
                self._file(old).unlink(missing_ok=True)

    def restore(
        self,
        model: keras.Model,
        step: int | None = None,
        *,
        damaged: Callable[[str], None] = lambda message: None,
    ) -> dict[str, np.ndarray]:
        """Sets weights and optimizer of a built, compiled model to a checkpoint.

        Args:
            model: A model of the same configuration.
            step: Which checkpoint; `None`: the newest that is whole.
            damaged: Told of each newer one that is not.

        Returns:
            The arrays of the checkpoint by name, `step` among them; `restore_metrics` takes the
            metrics' part, once `fit` has built and reset them.

        Raises:
            FileError: If there is none, none is whole, or it belongs to another model.
        """
        step, state = self._newest(damaged) if step is None else (step, self._read(step))
        if not model.optimizer.built:  # Keras's loss scaling would add its variables once more
            model.optimizer.build(model.trainable_variables)
        variables = _variables(model)
        self._check(state, variables, step)
        for name, variable in variables.items():
            variable.assign(state[name])
        return state

    def _newest(self, damaged: Callable[[str], None]) -> tuple[int, dict[str, np.ndarray]]:
        """Returns the newest checkpoint that is whole, and its step."""
        steps = self.steps()
        for step in reversed(steps):
            try:
                return step, self._read(step)
            except FileError as error:
                if step == steps[0]:
                    raise FileError(
                        f"{error}; none in {self.directory} is whole: remove that folder's files, "
                        "and `lsk train --resume` starts anew"
                    ) from error
                damaged(f"{error}; going back to the one before")
        raise FileError(f"Expected a checkpoint in {self.directory}. Received: none")

    def read_model(self, model: keras.Model, step: int) -> list[np.ndarray]:
        """Returns what a checkpoint holds for `model.variables`, in their order.

        Raises:
            FileError: If there is none of that step, or it belongs to another model.
        """
        variables = _model_variables(model)
        state = self._read(step, "model/")
        self._check(state, variables, step)
        return [state[name] for name in variables]

    def _read(self, step: int, prefix: str = "") -> dict[str, np.ndarray]:
        """Reads a whole checkpoint, and returns the arrays whose names start with `prefix`."""
        if step not in self.steps():
            raise FileError(
                f"Expected the checkpoint of step {step} in {self.directory}. "
                f"Received: steps {self.steps()}"
            )
        file = self._file(step)
        expected = f"Expected a whole checkpoint of step {step} at {file}. Received:"
        try:
            state = read_npz(file, dict.fromkeys(npz_names(file), ArraySpec()))
        except FileError as error:
            raise FileError(f"{expected} {str(error).partition('Received: ')[2]}") from error
        written = state.pop(_SHA256, None)  # older checkpoints have none
        if written is not None and written.tobytes() != _sha256(state).tobytes():
            raise FileError(f"{expected} other numbers than were written")
        if not np.array_equal(state.get("step", -1), step):
            raise FileError(f"{expected} one of step {state.get('step', 'unknown')}")
        return {name: array for name, array in state.items() if name.startswith(prefix)}

    def _check(
        self, state: dict[str, np.ndarray], variables: dict[str, keras.Variable], step: int
    ) -> None:
        for name, variable in variables.items():
            # On the host, where backends have their own words for types (JAX: int64 is int32).
            expected = _kind(keras.ops.convert_to_numpy(variable))
            received = _kind(state[name]) if name in state else "nothing"
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
    # Of a distiller the student: the teacher does not change, and has a run of its own.
    trained = getattr(model, "student", model)
    # By number: paths need not be unique, and hold counters that differ from process to process.
    return {f"model/{i}": v for i, v in enumerate(trained.variables)}


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    return {
        **_model_variables(model),
        **{f"optimizer/{i}": v for i, v in enumerate(model.optimizer.variables)},
    }


def _numbers(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(v) for name, v in variables.items()}


def _kind(array: np.ndarray) -> str:
    """Returns what an array is, in words."""
    return f"{array.dtype} of shape {array.shape}"


def _sha256(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the digest of names, types, shapes and numbers: ZIP's own sum is for accidents."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = np.asarray(state[name])
        digest.update(f"{name} {_kind(array)}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)


_SHA256 = "sha256"
BACKGROUND = 1 << 26  # bytes of a state from which it is written by a thread
