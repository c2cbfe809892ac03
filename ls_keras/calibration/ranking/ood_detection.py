"""Are foreign inputs told from one's own? Scores of logits, their AUROC and FPR95."""

import dataclasses
from typing import Literal

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.calibration.ranking.risk_coverage import confidence_auroc
from ls_keras.inputs.validation import as_choice, as_number

Score = Literal["max_softmax", "max_logit", "energy"]
SCORES: tuple[Score, ...] = ("max_softmax", "max_logit", "energy")


@dataclasses.dataclass(frozen=True, repr=False)
class Detection(BriefRepr):
    """How well a score tells own inputs, which it should give more, from foreign ones.

    Attributes:
        auroc: How probably an own input's score is above a foreign one's; ties count half. 0.5 is
            chance, 1 perfect.
        fpr: The share of foreign inputs that are taken for own ones at `threshold`: less is better.
        threshold: The largest score that at least the share `recall` of the own inputs reach.
        recall: That share; at 0.95 `fpr` is called FPR95.
    """

    auroc: float
    fpr: float
    threshold: float
    recall: float


@dataclasses.dataclass(frozen=True, repr=False)
class ForeignDetection(BriefRepr):
    """What three scores of the same logits detect.

    Attributes:
        max_softmax: By max_k p_k.
        max_logit: By max_k z_k.
        energy: By T log Σ_k exp(z_k/T).
        own: Number of own inputs.
        foreign: Number of foreign inputs.
    """

    max_softmax: Detection
    max_logit: Detection
    energy: Detection
    own: int
    foreign: int


def foreign_detection(
    logits, foreign_logits, *, temperature: float = 1.0, recall: float = 0.95
) -> ForeignDetection:
    """Returns AUROC and FPR95 of telling foreign inputs (out of distribution) by their logits.

    Own inputs are the positives, and should score more; an input is taken for one's own from the
    threshold on. Others count foreign inputs as the positives, which leaves the AUROC, but gives
    another FPR. Smoothing shrinks the largest logit, and is known to make detection by it worse.
    Exact, in float64; ties count as scikit-learn's.

    Args:
        logits: `(..., K)`: of inputs such as the model was trained on, held out.
        foreign_logits: `(..., K)`: of inputs of another kind.
        temperature: T of the softmax and of the energy.
        recall: Share of own inputs that the threshold lets through, above 0, at most 1.

    Raises:
        InputError: If there are none, their numbers of classes differ, or logits are not what they
            should be.

    References:
        Max-softmax: Hendrycks, Gimpel (2017), arXiv 1610.02136. Max-logit: Hendrycks et al. (2022),
        arXiv 1911.11132. Energy: Liu et al. (2020), arXiv 2010.03759. Smoothing: arXiv 2410.06134.

    Example:
        >>> from ls_keras.calibration import foreign_detection
        >>> own = [[4.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
        >>> found = foreign_detection(own, [[1.0, 1.0], [0.0, 2.0]])
        >>> round(found.max_logit.auroc, 3), found.max_logit.fpr  # 1.0 is as low as own ones get
        (0.75, 1.0)
    """
    recall = as_number(recall, "recall", low=0, high=1, above=True)
    own, foreign = (_read(z, name) for z, name in _named(logits, foreign_logits))
    if own.shape[1] != foreign.shape[1]:
        raise InputError(
            "Expected logits and foreign_logits of the same classes. "
            f"Received: {own.shape[1]} and {foreign.shape[1]} classes"
        )
    found = {
        score: _detection(
            detection_score(own, score, temperature=temperature),
            detection_score(foreign, score, temperature=temperature),
            recall,
        )
        for score in SCORES
    }
    return ForeignDetection(**found, own=len(own), foreign=len(foreign))


def detection_score(logits, score: Score = "energy", *, temperature: float = 1.0) -> np.ndarray:
    """Returns how much an input looks like one's own, float64 `(...)`.

    Args:
        logits: `(..., K)`; a class of logit −inf has no part.
        score: `"max_softmax"`: max_k softmax(z/T)_k; `"max_logit"`: max_k z_k; `"energy"`: T log
            Σ_k exp(z_k/T), the negative of what the paper calls energy.
        temperature: T > 0.

    Raises:
        InputError: If logits hold NaN or +inf, or an input has no finite one.

    Example:
        >>> from ls_keras.calibration import detection_score
        >>> detection_score([[0.0, 0.0], [2.0, 0.0]]).round(3)
        array([0.693, 2.127])
    """
    as_choice(score, "score", SCORES)
    temperature = as_number(temperature, "temperature", low=0, above=True)
    shape = as_array(logits, "logits").shape[:-1]
    z = _read(logits, "logits")
    top = z.max(-1)
    if score != "max_logit":
        with np.errstate(over="ignore"):  # far below the largest, over a small T: exp(−inf) = 0
            total = np.exp((z - top[:, None]) / temperature).sum(-1)
        top = 1 / total if score == "max_softmax" else top + temperature * np.log(total)
    return top.reshape(shape)


def _detection(own: np.ndarray, foreign: np.ndarray, recall: float) -> Detection:
    scores = np.concatenate([own, foreign])
    is_own = np.arange(len(scores)) < len(own)
    kept = int(np.ceil(recall * len(own) * (1 - 1e-12)))  # 0.3 · 10 is 3, not 4
    threshold = np.sort(own)[len(own) - max(kept, 1)]
    return Detection(
        auroc=confidence_auroc(is_own, scores),
        fpr=float((foreign >= threshold).mean()),
        threshold=float(threshold),
        recall=recall,
    )


def _named(logits, foreign_logits):
    return (logits, "logits"), (foreign_logits, "foreign_logits")


def _read(logits, name: str) -> np.ndarray:
    """Returns float64 logits `(N, K)`, or raises an `InputError`."""
    z = as_array(logits, name).astype(np.float64)
    top = z.max(-1) if z.ndim and z.size else np.array([np.nan])
    if not np.isfinite(top).all():  # NaN is the largest wherever it is
        raise InputError(
            f"Expected {name} (..., K), at least one input, without NaN and +inf and with a finite "
            f"logit in each. Received: {name} of shape {z.shape}"
            + (", other values among them" if z.size else "")
        )
    return z.reshape(-1, z.shape[-1])
