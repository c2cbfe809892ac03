"""What a run's searches undo of its smoothing: `decoding.unsmooth` with the run's own q."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ls_keras.decoding import Unsmoothing
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import reload_data
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.settings.unsmoothing import FITTED, unsmooth_alpha
from lsk_engine.tasks.contract import TaskData
from lsk_engine.tasks.loss import build_smoothing
from lsk_engine.tasks.registry import load_task


def build_unsmoothing(config: Config, data: TaskData) -> Unsmoothing | None:
    """Returns what a task's `decode` hands to its search as `unsmooth`.

    Args:
        config: The run's configuration.
        data: Its data.
    """
    return _build(config, data.unused_classes, lambda: data.class_counts)


def build_unsmoothing_for_run(
    config: Config, run: RunDirectory, unused_classes: Sequence[int]
) -> Unsmoothing | None:
    """Returns the same where the run's data aren't loaded; they are, if their counts are q.

    Args:
        config: The run's configuration.
        run: The run.
        unused_classes: As in the run's `TaskData`.
    """

    def counts() -> np.ndarray:
        return reload_data(load_task(config.task), config, run).class_counts

    return _build(config, unused_classes, counts)


def announce_unsmoothing(config: Config, reporter: Reporter) -> None:
    """Says, once for a run, that there is nothing to undo of its hard targets.

    Args:
        config: The run's configuration.
        reporter: Who is told.
    """
    if getattr(config.decoding, "unsmooth", 0.0) == FITTED and config.training.alpha == 0:
        reporter.message(
            f"decoding.unsmooth={FITTED} undoes nothing: the run was trained with α = 0"
        )


def _build(
    config: Config, unused_classes: Sequence[int], class_counts: Callable[[], Any]
) -> Unsmoothing | None:
    alpha = unsmooth_alpha(config.training, config.decoding, config.distillation)
    if not alpha:
        return None
    return Unsmoothing(alpha, build_smoothing(config.training, unused_classes, class_counts))
