"""Mutual information between examples and noisy outputs: Figure 6 of the paper."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ls_base.brief_repr import BriefRepr
from ls_base.errors import InputError
from ls_base.process import num_cores
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.validation import as_choice, as_count, as_seed

Scored = Literal["held_out", "reused"]
SCORED = get_args(Scored)
MAX_RESAMPLES = 10_000

# Number of pairs computed at once: 4 MiB of float64, which fits into the cache.
_PAIRS = 1 << 19
# Terms below e^-45 of the largest, divided by N, do not change a sum of N terms in float64.
_NEGLIGIBLE = 45.0
# Smallest noise relative to the range of the samples; dividing by less would overflow.
_NO_NOISE = 1e-150


@dataclass(frozen=True, repr=False)
class MutualInformation(BriefRepr):
    """An estimate of mutual information, in nats.

    Attributes:
        value: The estimate; at most log N. Small negative values are estimation error.
        low: Lower end of the 95 % interval of `value`.
        high: Upper end of the 95 % interval.
        bias: Bias of the estimator for N → ∞ if the means of examples coincide or are spread
            smoothly. Not subtracted from `value`.
        sigma: σ, in units of the samples.
        num_examples: N.
        draws: L.
        scored: `"held_out"` or `"reused"`.
    """

    value: float
    low: float
    high: float
    bias: float
    sigma: float
    num_examples: int
    draws: int
    scored: str

    @property
    def upper_bound(self) -> float:
        """The largest possible estimate for N examples, log N."""
        return math.log(self.num_examples)


def mutual_information(
    samples, *, scored: Scored = "held_out", resamples: int = 1000, seed: int = 0
) -> MutualInformation:
    r"""Estimates the mutual information between an example and a noisy output for it.

    A row of `samples` has L outputs $f_{xl} = f(d_l(z_x))$ of one example: a difference of two
    logits under L random augmentations d. All rows are modeled as Gaussians of one variance around
    their means μ_x, with all N examples equally likely a priori:

    $$\hat I = \frac1N\sum_x \left[-\frac{(f_x-\mu_x)^2}{2\sigma^2} - \log \frac1N\sum_{x'}
    \exp\left(-\frac{(f_x-\mu_{x'})^2}{2\sigma^2}\right)\right],
    \qquad \sigma^2 = \frac1N\sum_x (f_x-\mu_x)^2,$$

    averaged over the L draws as $f_x$. Like InfoNCE, it is at most log N, because the inner sum
    contains the term of x itself. It is 0 if all examples have the same outputs, log N if none
    overlap, and log 2 if they collapse into two equal groups.

    (The paper prints x where x′ stands here. Read literally, that is −½ − log mean exp(−r²/2) of
    the standardized residuals r: between −½ and 0 for any network, −½ + ½ log 2 ≈ −0.153 for
    Gaussian ones.)

    **Bias.** μ_x is a mean of few draws. Let the noise have variance s², and x′ be another example
    with the same mean as x.

    - `"reused"`: μ_x is the mean of all L draws, the scored one among them. Then
      $\operatorname{var}(f_x-\mu_x) = \sigma^2 = s^2(1-\tfrac1L)$, and μ_x′ has variance s²/L.
      The first term is −½. The mean of the inner exponential over μ_x′ is
      $\sqrt{\sigma^2/(\sigma^2+s^2/L)}\,\exp(-\tfrac{f^2}{2(\sigma^2+s^2/L)})$, where
      $\sigma^2+s^2/L = s^2$; minus its log is, on average, $-\tfrac12\log(1-\tfrac1L) + \tfrac12$.
      So Î is too high by $-\tfrac12\log(1-\tfrac1L)$: 0.112 for L = 5, and two collapsed groups
      show 0.805, not log 2 = 0.693.
    - `"held_out"`: μ_x is the mean of the other m = L − 1 draws, so
      $\sigma^2 = s^2(1+\tfrac1m)$ and $\sigma^2+s^2/m = s^2(1+\tfrac2m)$. Î is off by
      $-\tfrac12 + \tfrac12\log\tfrac{m+2}{m+1} + \tfrac{m}{2(m+2)}$: −0.0755 for L = 5, and two
      collapsed groups show 0.618.

    Both vanish as L grows, and near log N, where no x′ is near x. To compare networks use the same
    N and L.

    **Interval.** The N terms are resampled (percentile bootstrap) with the inner sums as they are.
    Resampling examples would be wrong: a duplicate doubles a term of the inner sum, and for
    examples that do not overlap the estimate would fall from log N to about log N − 0.57. The
    interval does not include the effect of the choice of the N examples on the inner sums.

    Computed with NumPy in float64 and in blocks: 50,000 examples need megabytes, not the 20 GB of
    an N × N table.

    Args:
        samples: Array or tensor `(N, L)`, N ≥ 2 examples × L ≥ 2 draws, finite, in any unit.
        scored: `"held_out"`: each draw is scored against the means of the others; `"reused"`:
            against the means of all draws. Default: `"held_out"`.
        resamples: Bootstrap resamples for the interval, at most 10,000. Default: 1,000.
        seed: Seed of the resamples. Default: 0.

    Returns:
        A `MutualInformation`, in nats.

    Raises:
        InputError: For one example, one draw, another shape, NaN or infinity.

    Example:
        Four examples in two groups without noise, and four examples that do not overlap.

        >>> import numpy as np
        >>> from ls_keras.information import mutual_information
        >>> groups = mutual_information([[0, 0], [0, 0], [9, 9], [9, 9]])
        >>> round(groups.value, 4), round(float(np.log(2)), 4)
        (0.6931, 0.6931)
        >>> apart = mutual_information(np.arange(4)[:, None] + np.array([0, 1e-6]))
        >>> round(apart.value, 4), round(apart.upper_bound, 4)
        (1.3863, 1.3863)

    References:
        - Müller et al., When Does Label Smoothing Help?, NeurIPS 2019 (arXiv 1906.02629), section 4
        - van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018
          (arXiv 1807.03748)
    """
    values = _read(samples)
    as_choice(scored, "scored", SCORED)
    resamples, seed = as_count(resamples, "resamples", 1, MAX_RESAMPLES), as_seed(seed)
    num_examples, draws = values.shape
    # Scaled by the largest deviation from the median, so that squares do not over- or underflow.
    middle = np.median(values)
    unit = float(np.max(np.abs(values - middle))) or 1.0
    values = (values - middle) / unit
    means = _means(values, scored)
    residuals = values - means
    sigma = _root_mean_square(residuals)
    # One thread for each draw; NumPy releases the GIL.
    with ThreadPoolExecutor(min(draws, num_cores())) as pool:
        parts = pool.map(
            lambda j: _terms(values[:, j], means[:, j], residuals[:, j], sigma), range(draws)
        )
        terms = sum(parts, np.zeros(num_examples)) / draws
    low, high = _interval(terms, resamples, seed)
    return MutualInformation(
        value=float(terms.mean()),
        low=low,
        high=high,
        bias=estimator_bias(draws, scored),
        sigma=sigma * unit,
        num_examples=num_examples,
        draws=draws,
        scored=scored,
    )


def estimator_bias(draws: int, scored: Scored = "held_out") -> float:
    """Returns the bias of an estimate from L draws, in nats, if means coincide (N → ∞).

    Args:
        draws: L ≥ 2.
        scored: See `mutual_information`, which derives the formulas. Default: `"held_out"`.

    Example:
    >>> round(estimator_bias(5, "reused"), 4), round(estimator_bias(5, "held_out"), 4)
    (0.1116, -0.0755)
    """
    as_count(draws, "draws", 2)
    if as_choice(scored, "scored", SCORED) == "reused":
        return -0.5 * math.log(1 - 1 / draws)
    m = draws - 1
    return -0.5 + 0.5 * math.log((m + 2) / (m + 1)) + m / (2 * (m + 2))


def _read(samples) -> np.ndarray:
    values = as_array(samples, "samples").astype(np.float64)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 2:
        raise InputError(
            "Expected samples of shape (N, L): at least two examples, each with at least two "
            f"draws. Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).sum())
        raise InputError(f"Expected finite samples. Received: {wrong} that are NaN or infinite")
    return values


def _means(values: np.ndarray, scored: Scored) -> np.ndarray:
    """Returns the μ_x `(N, L)` for each draw."""
    # Relative to the first draw, so that the mean of equal draws is exact.
    first = values[:, :1]
    deviations = values - first
    total = deviations.sum(axis=1, keepdims=True)
    draws = values.shape[1]
    if scored == "reused":
        return np.broadcast_to(first + total / draws, values.shape)
    return first + (total - deviations) / (draws - 1)


def _root_mean_square(residuals: np.ndarray) -> float:
    largest = float(np.max(np.abs(residuals)))
    return largest * float(np.sqrt(np.mean((residuals / largest) ** 2))) if largest else 0.0


def _terms(points, means, residuals, sigma: float) -> np.ndarray:
    """Returns the bracket of each example for one scored draw."""
    log_n = math.log(len(points))
    if sigma < _NO_NOISE:  # limit: only examples with equal means are confused
        _, group, counts = np.unique(means, return_inverse=True, return_counts=True)
        return log_n - np.log(counts[group])
    own = 0.5 * (residuals / sigma) ** 2
    return -own - log_kernel_sum(points / sigma, means / sigma) + log_n


def _interval(terms: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    n = len(terms)
    means = [terms[rng.integers(0, n, n)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def log_kernel_sum(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    r"""Computes $\log\sum_j \exp(-(t_i - c_j)^2/2)$ for every point, in log space.

    Each block of sorted points only visits the sorted centers that can change a sum in float64.
    Memory is O(n + N). Time is O(n·N) if all centers lie within a few units, and less otherwise.

    Args:
        points: float64 `(n,)`, each within 1e150 of a center.
        centers: float64 `(N,)`, N ≥ 1, finite.

    Returns:
        float64 `(n,)`.

    Example:
    >>> import numpy as np
    >>> from ls_keras.information.mutual_information import log_kernel_sum
    >>> log_kernel_sum(np.array([0.0, 1e4]), np.array([0.0, 0.0])) - np.log(2)
    array([        0., -50000000.])
    """
    order = np.argsort(points, kind="stable")
    sorted_points, sorted_centers = points[order], np.sort(centers)
    after = np.searchsorted(sorted_centers, sorted_points).clip(1, max(len(centers) - 1, 1))
    neighbors = sorted_centers[[after - 1, np.minimum(after, len(centers) - 1)]]
    nearest = np.abs(sorted_points - neighbors).min(axis=0)
    top = -0.5 * nearest**2
    # All centers whose terms matter lie within `reach` of a point.
    reach = np.hypot(nearest, np.sqrt(2 * (_NEGLIGIBLE + np.log(len(centers)))))
    first = np.searchsorted(sorted_centers, sorted_points - reach, side="left")
    last = np.searchsorted(sorted_centers, sorted_points + reach, side="right")
    sums = np.empty(len(points))
    size = max(1, _PAIRS // len(centers))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        window = sorted_centers[first[block].min() : last[block].max()]
        terms = sorted_points[block, None] - window
        with np.errstate(over="ignore", under="ignore"):
            np.multiply(terms, terms, out=terms)
            terms *= -0.5
            terms -= top[block, None]
            np.exp(terms, out=terms)
        sums[block] = terms.sum(axis=1)
    out = np.empty(len(points))
    out[order] = np.log(sums) + top
    return out
