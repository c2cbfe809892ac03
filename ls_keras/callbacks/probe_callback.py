"""What callbacks that look at a model have in common: they never end its training."""

import keras

from ls_base.errors import InputError
from ls_keras.backend.warnings import warn_caller


class NotFiniteError(InputError):
    """What a model gives can't be measured, though nothing is wrong with the data."""


class Monitor(keras.callbacks.Callback):
    """A callback that leaves out what can't be measured, and says so once a training."""

    def __init__(self):
        super().__init__()
        self._told = False

    def on_train_begin(self, logs=None):
        """Lets the next warning be given."""
        self._told = False

    def leave_out(self, instead: str, when: str, error: NotFiniteError) -> None:
        """Warns, once a training.

        Args:
            instead: What the callback does.
            when: The epoch or step.
            error: What could not be measured.
        """
        if not self._told:
            self._told = True
            warn_caller(
                f"{type(self).__name__} {instead} {when}, and training goes on: outputs or "
                f"weights of {self.model.name!r} are not finite, or degenerate. {error}"
            )
