"""The setting `decoding.unsmooth`: which α a search undoes, and of which runs it can."""

from typing import Any

from ls_base.errors import InputError, short_repr
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.training import DEFAULT_LOSS, TrainingConfig

FITTED = "fitted"  # the α that the run was trained with


def check_unsmooth(value: float | str) -> None:
    """Refuses what is neither a number in [0, 1) nor `fitted`.

    Args:
        value: `decoding.unsmooth`, which a task's `decoding_config` hands over.
    """
    if value != FITTED and not (isinstance(value, int | float) and 0 <= value < 1):
        raise InputError(
            f"Expected decoding.unsmooth to be a number in [0, 1), or {FITTED}. "
            f"Received: {short_repr(value)}"
        )


def undone_alpha(
    training: TrainingConfig, decoding: Any, distillation: DistillationConfig | None
) -> float:
    """Returns the α that searches undo; 0: nothing.

    Args:
        training: How the run is trained.
        decoding: The task's settings; those of a task that undoes nothing lack `unsmooth`.
        distillation: Whose student the run is, or `None`.

    Raises:
        InputError: If the run's model is not (1 − α) p* + α q with a q that a search knows.
    """
    unsmooth = getattr(decoding, "unsmooth", 0.0)
    if unsmooth == 0:
        return 0.0
    received = f"Received: decoding.unsmooth={unsmooth}"
    if distillation is not None:
        raise InputError(
            "Expected decoding.unsmooth=0 for a student: what it learned from its teacher is no "
            f"known mixture. {received}"
        )
    if training.loss != DEFAULT_LOSS:
        raise InputError(
            f"Expected decoding.unsmooth=0 with training.loss={training.loss}: only a model "
            f"trained with {DEFAULT_LOSS} is a known mixture of labels and smoothing. {received}"
        )
    alpha = training.alpha if unsmooth == FITTED else float(unsmooth)
    if alpha == 0:
        return 0.0
    if training.smoothing == "neighborhood":
        raise InputError(
            "Expected decoding.unsmooth=0 with training.smoothing=neighborhood, whose q depends on "
            f"the labels, which a search doesn't have. {received}"
        )
    if alpha == 1:
        raise InputError(
            "Expected decoding.unsmooth=0 with training.alpha=1: nothing of the labels was "
            f"learned. {received}"
        )
    return alpha
