"""How sure a fitted temperature is."""

import numpy as np

from ls_keras.calibration.curves.mean_interval import Interval, mean_noise
from ls_keras.calibration.scaling.temperature import TemperatureFit
from ls_keras.calibration.scaling.temperature_sums import slopes
from ls_keras.inputs.numpy_examples import HostExamples


def temperature_interval(
    examples: HostExamples,
    fit: TemperatureFit,
    groups: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> Interval:
    r"""Returns the interval of a temperature that was fitted to the NLL.

    $$\beta^* = \hat\beta - \frac{\overline{s}^*}{\overline{h}}, \qquad T^* = 1 / \beta^*$$

    with s the derivative of an example's loss by β = 1/T and h the second one: one step of Newton's
    from the optimum of the data to that of each resample. It takes one pass over the logits.

    Args:
        examples: Those of the fit.
        fit: Of `fit_temperature`, with `objective="nll"`.
        groups: Integers `(n,)`: examples of one group are resampled together.
        level: Level of the interval, such as 0.95.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling.

    Returns:
        (NaN, NaN) where all logits are equal, where the optimum is at a bound, and with a single
        group. The upper end is infinite where no temperature is too high.
    """
    beta = 1 / fit.temperature
    unknown = float("nan"), float("nan")
    if fit.flat or fit.at_bound:
        return unknown
    slope, _, curvature = slopes(examples, beta)
    noise = mean_noise(slope, examples.weights, groups, resamples, seed)
    if noise is None or not curvature:
        return unknown
    ends = np.quantile(beta - noise / curvature, [(1 + level) / 2, (1 - level) / 2])
    low, high = (float(1 / end) if end > 0 else float("inf") for end in ends)
    return low, high
