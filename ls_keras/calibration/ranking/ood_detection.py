"""Out-of-distribution (OOD) detection: scores of logits, their AUROC and FPR95."""

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
    """How well a score separates in-distribution inputs, which should score higher, from others.

    Attributes:
        auroc: Probability that an in-distribution input scores higher than an out-of-distribution
            one; ties count half. 0.5 is chance, 1 perfect.
        fpr: Share of out-of-distribution inputs at or above `threshold`: lower is better.
        threshold: Largest score that at least the share `recall` of in-distribution inputs reach.
        recall: That share; with 0.95, `fpr` is called FPR95.
    """

    auroc: float
    fpr: float
    threshold: float
    recall: float


@dataclasses.dataclass(frozen=True, repr=False)
class OODDetection(BriefRepr):
    """Out-of-distribution (OOD) detection by three scores of the same logits.

    Attributes:
        max_softmax: Detection by max_k p_k.
        max_logit: Detection by max_k z_k.
        energy: Detection by T log Σ_k exp(z_k/T).
        num_in: Number of in-distribution inputs.
        num_out: Number of out-of-distribution inputs.
    """

    max_softmax: Detection
    max_logit: Detection
    energy: Detection
    num_in: int
    num_out: int


def ood_detection(
    logits, ood_logits, *, temperature: float = 1.0, recall: float = 0.95
) -> OODDetection:
    """Returns AUROC and FPR95 of detecting out-of-distribution (OOD) inputs by their logits.

    In-distribution inputs are the positives and should score higher. (With OOD inputs as the
    positives, as some papers count, the AUROC is the same, but the FPR is another.) Label smoothing
    shrinks the largest logit, and is known to make detection by it worse. Exact, in float64; ties
    count as in scikit-learn.

    Args:
        logits: `(..., K)` of held-out inputs like those of training.
        ood_logits: `(..., K)` of inputs of another kind.
        temperature: T of the softmax and of the energy.
        recall: Share of in-distribution inputs at or above the threshold, above 0, at most 1.

    Raises:
        InputError: If there are no inputs, if the numbers of classes differ, or if logits hold NaN
            or +inf.

    References:
        Max-softmax: Hendrycks, Gimpel (2017), arXiv 1610.02136. Max-logit: Hendrycks et al. (2022),
        arXiv 1911.11132. Energy: Liu et al. (2020), arXiv 2010.03759. Smoothing: arXiv 2410.06134.

    Example:
        >>> from ls_keras.calibration import ood_detection
        >>> known = [[4.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
        >>> found = ood_detection(known, [[1.0, 1.0], [0.0, 2.0]])
        >>> round(found.max_logit.auroc, 3), found.max_logit.fpr  # the threshold is 1.0
        (0.75, 1.0)
    """
    recall = as_number(recall, "recall", low=0, high=1, above=True)
    known, ood = _read(logits, "logits"), _read(ood_logits, "ood_logits")
    if known.shape[1] != ood.shape[1]:
        raise InputError(
            "Expected logits and ood_logits of the same classes. "
            f"Received: {known.shape[1]} and {ood.shape[1]} classes"
        )
    found = {}
    for score in SCORES:
        own, other = (detection_score(z, score, temperature=temperature) for z in (known, ood))
        found[score] = _detect(own, other, recall)
    return OODDetection(**found, num_in=len(known), num_out=len(ood))


def detection_score(logits, score: Score = "energy", *, temperature: float = 1.0) -> np.ndarray:
    """Returns a score of how much each input looks in-distribution, float64 `(...)`.

    Args:
        logits: `(..., K)`; classes with logit −inf do not count.
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


def _detect(known: np.ndarray, ood: np.ndarray, recall: float) -> Detection:
    scores = np.concatenate([known, ood])
    is_known = np.arange(len(scores)) < len(known)
    kept = int(np.ceil(recall * len(known) * (1 - 1e-12)))  # 0.3 · 10 is 3, not 4
    threshold = np.sort(known)[len(known) - max(kept, 1)]
    return Detection(
        auroc=confidence_auroc(is_known, scores),
        fpr=float((ood >= threshold).mean()),
        threshold=float(threshold),
        recall=recall,
    )


def _read(logits, name: str) -> np.ndarray:
    """Returns float64 logits `(N, K)`; raises an `InputError` for NaN and +inf."""
    z = as_array(logits, name).astype(np.float64)
    top = z.max(-1) if z.ndim and z.size else np.array([np.nan])
    if not np.isfinite(top).all():  # the maximum of NaN is NaN
        raise InputError(
            f"Expected {name} (..., K), at least one input, without NaN and +inf and with a finite "
            f"logit in each. Received: {name} of shape {z.shape} or with other values"
        )
    return z.reshape(-1, z.shape[-1])
