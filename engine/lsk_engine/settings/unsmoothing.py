"""The setting `decoding.unsmooth`: label smoothing that a search removes, and where it can."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from ls_base.errors import InputError
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.training import DEFAULT_LOSS, TrainingConfig

FITTED = "fitted"  # the α that the run was trained with
Unsmooth = Annotated[float, Meta(ge=0, lt=1)] | Literal["fitted"]  # type of decoding.unsmooth


def unsmooth_alpha(
    training: TrainingConfig, decoding: Any, distillation: DistillationConfig | None
) -> float:
    """Returns the α of label smoothing that searches remove; 0: nothing is removed.

    Args:
        training: How the run is trained.
        decoding: The task's settings of decoding; without a field `unsmooth`, α is 0.
        distillation: The teacher of the run, or `None`.

    Raises:
        InputError: If the run's model is not (1 − α) p* + α q with a q that a search knows.
    """
    unsmooth = getattr(decoding, "unsmooth", 0.0)
    if unsmooth == 0:
        return 0.0
    alpha = training.alpha if unsmooth == FITTED else float(unsmooth)
    if distillation is not None:
        why = "for a student, which learned no known mixture of labels and smoothing"
    elif alpha == 0:
        return 0.0
    elif training.loss != DEFAULT_LOSS:
        why = f"with training.loss={training.loss}: only {DEFAULT_LOSS} leads to a known mixture"
    elif training.smoothing == "neighborhood":
        why = (
            "with training.smoothing=neighborhood, whose distribution depends on the labels, "
            "unknown in a search"
        )
    elif alpha == 1:
        why = "with training.alpha=1, where nothing is learned from the labels"
    else:
        return alpha
    raise InputError(f"Expected decoding.unsmooth=0 {why}. Received: decoding.unsmooth={unsmooth}")
