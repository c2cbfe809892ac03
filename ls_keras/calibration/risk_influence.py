"""How much each example moves the AURC: what its interval is made of."""

import numpy as np

from ls_keras.calibration.risk_coverage import rank


def aurc_influence(correct, confidence, *, sample_weight=None) -> np.ndarray:
    r"""Returns the influence of each example on the AURC, of weighted mean 0.

    In the limit of many examples, with m_g the weight of the group g of one confidence, e_g that of
    its errors, x_g and E_g the sums of both over surer groups, and W the weight of all,

    $$W \cdot \mathrm{AURC} = \sum_g \Bigl[e_g + \Bigl(E_g - x_g \frac{e_g}{m_g}\Bigr)
    \log\frac{x_g + m_g}{x_g}\Bigr],$$

    and the influence of an example is the derivative of the right side by its weight, less AURC.
    The mean over a resample, added to the AURC, is the resample's AURC to first order: a thousand
    resamples cost a thousand means, not a thousand sorts.

    Args:
        correct: As for `risk_coverage`.
        confidence: Likewise.
        sample_weight: Likewise.

    Returns:
        float64 `(n,)`.

    Raises:
        InputError: As `risk_coverage`.

    Example:
        >>> from ls_keras.calibration.risk_influence import aurc_influence
        >>> aurc_influence([1, 0], [0.5, 0.5])  # of one confidence, AURC is the error rate
        array([-0.5,  0.5])
    """
    ranked = rank(correct, confidence, sample_weight)
    errors = ranked.errors
    sizes = errors + ranked.right
    ends = np.cumsum(sizes)
    starts = np.concatenate([[0.0], ends[:-1]])
    earlier = np.cumsum(errors) - errors
    rate = errors / sizes
    # The surest group has nothing before it, and what is multiplied with its logarithm is 0.
    safe = np.where(starts > 0, starts, ends)
    logs = np.log(ends / safe)
    rest = earlier - starts * rate
    of_error = 1 - starts / sizes * logs + np.log(ends[-1] / ends)
    later = -rate * logs + rest * (1 / ends - 1 / safe)
    after = np.cumsum(later[::-1])[::-1] - later
    of_weight = starts * rate / sizes * logs + rest / ends + after
    aurc = (errors + rest * logs).sum() / ends[-1]
    wrong = 1 - np.asarray(correct, np.float64)
    return of_weight[ranked.group] + wrong * of_error[ranked.group] - aurc
