"""Stopping a training whose loss or state is not finite, before it replaces a good checkpoint."""

import math
from collections.abc import Mapping

import numpy as np

from ls_base.errors import LsKerasError, shell_command
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory

_RISEN = 10  # times the lowest loss: training has diverged, though the loss is still finite


class DivergenceError(LsKerasError):
    """The loss or the state of a training is not finite; the checkpoints before are kept."""

    exit_code = 3


class DivergenceMonitor:
    """Checks losses and states during training, and remembers the last good ones.

    Args:
        run: The run, for messages.
        checkpoints: The good states.
        num_classes: K, if the loss is a cross-entropy: that of a guess is log K; `None`: it is
            not.
    """

    def __init__(self, run: RunDirectory, checkpoints: Checkpoints, num_classes: int | None = None):
        self.run, self.checkpoints = run, checkpoints
        self._lowest = math.log(num_classes) if num_classes else math.inf
        self._risen = False
        self._good: tuple[int, float] | None = None

    def check_loss(self, step: int, loss: float) -> None:
        """Checks the mean loss of the epoch up to a step.

        Raises:
            DivergenceError: If it is not finite.
        """
        if math.isfinite(loss):
            self._good = (step, loss)
        else:
            raise self._diverged("loss", f"{loss} by step {step:,}")

    def describe_rise(self, loss: float, validation: Mapping[str, float]) -> list[str]:
        """Returns a warning, once, if a loss is ten times the lowest so far or that of a guess.

        Args:
            loss: The mean loss of an epoch.
            validation: Scores of its validation; `nll` is checked as well.
        """
        values = {"the loss": loss, "the NLL of validation": validation.get("nll", loss)}
        lowest, self._lowest = self._lowest, min(self._lowest, max(loss, 0.0))
        found = [(what, value) for what, value in values.items() if value > _RISEN * lowest > 0]
        if self._risen or not found:
            return []
        self._risen = True
        what, value = found[0]
        return [
            f"{what} is {value:.4g}, {value / lowest:.2g} times {lowest:.4g}, the lowest so far or "
            "that of a guess: a lower --learning-rate or optimizer.global_clipnorm may help"
        ]

    def check_state(self, step: int, state: Mapping[str, np.ndarray]) -> None:
        """Checks a state that is about to be saved.

        Args:
            step: Number of steps done.
            state: Arrays of the model and its optimizer, by name.

        Raises:
            DivergenceError: If a number in it is not finite.
        """
        for name, values in state.items():
            if values.dtype.kind not in "iub" and not np.isfinite(values.astype("float32")).all():
                raise self._diverged("state of model and optimizer", f"NaN or infinity in {name}")

    def _diverged(self, what: str, received: str) -> DivergenceError:
        before = "none before"
        if self._good is not None:
            before = f"{self._good[1]:.4g} at step {self._good[0]:,}"
        steps = self.checkpoints.steps()
        advice = "start again with a lower --learning-rate"
        if steps:
            advice = (
                f"step {steps[-1]:,} is kept: "
                f"{shell_command('lsk', 'train', '--resume', self.run.path)} "
                "--set optimizer.learning_rate=… goes on from there with a lower rate"
            )
        return DivergenceError(
            f"Expected a finite {what}. Received: {received} (loss {before}); {advice}; "
            "optimizer.global_clipnorm or float32 may help as well"
        )
