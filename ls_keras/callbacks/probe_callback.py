"""Base of callbacks that measure a model and never stop its training."""

import keras

from ls_base.errors import InputError
from ls_keras.backend.warnings import warn_caller


class NotFiniteError(InputError):
    """Outputs or weights of a model cannot be measured, although the data are valid."""


class ProbeCallback(keras.callbacks.Callback):
    """A callback that skips what cannot be measured, with one warning in each training."""

    def __init__(self):
        super().__init__()
        self._has_warned = False

    def on_train_begin(self, logs=None):
        """Enables the warning again."""
        self._has_warned = False

    def warn_skipped(self, action: str, when: str, error: NotFiniteError) -> None:
        """Warns, once in each training.

        Args:
            action: What the callback does instead.
            when: The epoch or step.
            error: What could not be measured.
        """
        if not self._has_warned:
            self._has_warned = True
            warn_caller(
                f"{type(self).__name__} {action} {when}, and training continues: outputs or "
                f"weights of {self.model.name!r} are not finite, or degenerate. {error}"
            )
