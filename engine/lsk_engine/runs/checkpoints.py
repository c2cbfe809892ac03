"""Full training states by step, written atomically, from which training goes on exactly."""

import io
import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import keras
import numpy as np

from ls_base.errors import FileError
from ls_base.files import write_bytes
from lsk_engine.devices.replicas import assign_sum


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

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints that are there, ascending."""
        return sorted(int(f.stem.partition("-")[2]) for f in self.directory.glob("step-*.npz"))

    def save(
        self,
        model: keras.Model,
        step: int,
        check: Callable[[int, Mapping[str, np.ndarray]], None] = lambda step, state: None,
        more: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Writes the state after `step` steps, then removes what need not be kept.

        Args:
            model: A built, compiled model.
            step: How many steps it was trained for.
            check: Called with the step and the state before it is written; may refuse it.
            more: Further arrays to be kept with it, by names that begin with none of `model/`,
                `optimizer/` and `metric/`.
        """
        if hasattr(model, "jax_state_sync"):  # within fit, JAX holds the state outside the model
            model.jax_state_sync()
        state = _numbers(_variables(model))
        check(step, state)
        state |= _numbers({f"metric/{i}": v for i, v in enumerate(model.metrics_variables)})
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, step=np.int64(step), **state, **(more or {}))
        write_bytes(self._file(step), buffer.getbuffer())
        for old in self.steps()[: -self.kept]:
            of_every = self.kept_every and old % self.kept_every == 0
            if not of_every and old not in self.kept_steps:
                self._file(old).unlink(missing_ok=True)

    def restore(self, model: keras.Model, step: int | None = None) -> dict[str, np.ndarray]:
        """Sets weights and optimizer of a built, compiled model to a checkpoint.

        Args:
            model: A model of the same configuration.
            step: Which checkpoint; `None`: the newest.

        Returns:
            The arrays of the checkpoint by name, `step` among them; `restore_metrics` takes the
            metrics' part, once `fit` has built and reset them.

        Raises:
            FileError: If there is none, or it belongs to another model.
        """
        step = self._find(step)
        state = self._read(step)
        model.optimizer.build(model.trainable_variables)
        variables = _variables(model)
        self._check(state, variables, step)
        for name, variable in variables.items():
            variable.assign(state[name])
        return state

    def read_model(self, model: keras.Model, step: int) -> list[np.ndarray]:
        """Returns what a checkpoint holds for `model.variables`, in their order.

        Raises:
            FileError: If there is none of that step, or it belongs to another model.
        """
        variables = _model_variables(model)
        state = self._read(self._find(step), "model/")
        self._check(state, variables, step)
        return [state[name] for name in variables]

    def _find(self, step: int | None) -> int:
        """Returns `step`, or the newest, if there is a checkpoint of it."""
        steps = self.steps()
        if not steps or (step is not None and step not in steps):
            wanted = "a checkpoint" if step is None else f"the checkpoint of step {step}"
            raise FileError(f"Expected {wanted} in {self.directory}. Received: steps {steps}")
        return steps[-1] if step is None else step

    def _read(self, step: int, prefix: str = "") -> dict[str, np.ndarray]:
        """Reads the arrays whose names start with `prefix`."""
        file = self._file(step)
        try:
            # Opened here, since NumPy leaves a file open that it can't read.
            with file.open("rb") as content, np.load(content, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files if name.startswith(prefix)}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise FileError(
                f"Expected a readable checkpoint at {file}. Received: {error}"
            ) from error

    def _check(
        self, state: dict[str, np.ndarray], variables: dict[str, keras.Variable], step: int
    ) -> None:
        for name, variable in variables.items():
            if name not in state or state[name].shape != tuple(variable.shape):
                raise FileError(
                    f"Expected {self._file(step)} to hold {name} ({variable.path}) of shape "
                    f"{tuple(variable.shape)}. "
                    f"Received: {state[name].shape if name in state else 'nothing'}"
                )

    def _file(self, step: int) -> Path:
        return self.directory / f"step-{step:08d}.npz"


def restore_metrics(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Sets the running means of the training metrics to those of a checkpoint."""
    for index, variable in enumerate(model.metrics_variables):
        stored = state.get(f"metric/{index}")
        if stored is not None and stored.shape == tuple(variable.shape):
            assign_sum(variable, stored)


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
