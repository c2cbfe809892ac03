"""Full training states by step, written atomically, from which training goes on exactly."""

import io
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

import keras
import numpy as np

from ls_keras.errors import RunDirectoryError
from ls_keras.run_directory import write_bytes


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

    def save(self, model: keras.Model, step: int) -> None:
        """Writes the state after `step` steps, then removes what need not be kept."""
        if hasattr(model, "jax_state_sync"):  # within fit, JAX holds the state outside the model
            model.jax_state_sync()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, step=np.int64(step), **_state(model))
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
            RunDirectoryError: If there is none, or it belongs to another model.
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
            RunDirectoryError: If there is none of that step, or it belongs to another model.
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
            raise RunDirectoryError(
                f"Expected {wanted} in {self.directory}. Received: steps {steps}"
            )
        return steps[-1] if step is None else step

    def _read(self, step: int, prefix: str = "") -> dict[str, np.ndarray]:
        """Reads the arrays whose names start with `prefix`."""
        file = self._file(step)
        try:
            # Opened here, since NumPy leaves a file open that it can't read.
            with file.open("rb") as content, np.load(content, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files if name.startswith(prefix)}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise RunDirectoryError(
                f"Expected a readable checkpoint at {file}. Received: {error}"
            ) from error

    def _check(
        self, state: dict[str, np.ndarray], variables: dict[str, keras.Variable], step: int
    ) -> None:
        for name, variable in variables.items():
            if name not in state or state[name].shape != tuple(variable.shape):
                raise RunDirectoryError(
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
            _assign_sum(variable, stored)


class CheckpointEvery(keras.callbacks.Callback):
    """Saves every `every` steps, and at once when `stop_requested()` says so.

    What is due at the end of an epoch is saved when `end_epoch` is called, after the epoch's
    history is written, so that no entry can be missing from a resumed run.

    Args:
        checkpoints: Where to save.
        every: Steps between checkpoints.
        step: The step that training starts from.
        total: The step that it ends at.
        steps_per_epoch: Steps in an epoch.
        stop_requested: Asked after each step; if true, the state is saved and training ends with
            `Interrupted`.
        restored: The arrays of the checkpoint that training goes on from, if it does.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        every: int,
        *,
        step: int,
        total: int,
        steps_per_epoch: int,
        stop_requested: Callable[[], bool],
        restored: dict[str, np.ndarray] | None = None,
    ):
        super().__init__()
        self.checkpoints, self.every = checkpoints, every
        self.step, self.total, self.steps_per_epoch = step, total, steps_per_epoch
        self.stop_requested, self.restored = stop_requested, restored

    def on_epoch_begin(self, epoch, logs=None):
        """Gives the metrics of a resumed epoch their means back: `fit` has just reset them."""
        if self.restored is not None and not self._epoch_ended():
            restore_metrics(self.model, self.restored)
        self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step and saves."""
        self.step += 1
        if not self._epoch_ended():
            self._save_if_due()

    def end_epoch(self) -> None:
        """Saves what was due at the epoch's last step."""
        self._save_if_due()

    def _epoch_ended(self) -> bool:
        return self.step % self.steps_per_epoch == 0 or self.step == self.total

    def _save_if_due(self) -> None:
        stop = self.stop_requested() and self.step < self.total
        if stop or self.step % self.every == 0 or self.step == self.total:
            self.checkpoints.save(self.model, self.step)
        if stop:
            raise Interrupted(self.step)


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Training was stopped on request; the state after `step` steps is saved."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step


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


def _state(model: keras.Model) -> dict[str, np.ndarray]:
    metrics = {f"metric/{i}": v for i, v in enumerate(model.metrics_variables)}
    both = {**_variables(model), **metrics}
    return {name: keras.ops.convert_to_numpy(v) for name, v in both.items()}


def _assign_sum(variable, value: np.ndarray) -> None:
    """Assigns a metric's variable, of which each replica holds a summand."""
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        parts = tf.distribute.get_strategy().experimental_local_results(variable.value)
        if len(parts) > 1:  # a plain assign would divide by the replicas, integers with a rest
            parts[0].assign(value)
            for part in parts[1:]:
                part.assign(np.zeros_like(value))
            return
    variable.assign(value)
