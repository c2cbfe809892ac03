"""From one convention of label smoothing to the other: α/K and ε/(K − 1)."""

import numbers
from typing import Any

from ls_base.errors import InputError
from ls_keras.inputs.validation import as_count, shown


def alpha_from_off_target(epsilon: float, num_classes: int) -> float:
    """Converts ε, of which each wrong class gets ε/(K − 1), into the paper's alpha.

    α = ε · K / (K − 1)

    The target keeps 1 − ε = 1 − α + α/K.

    Args:
        epsilon: The mass off the target, between 0 and (K − 1)/K, as tensor2tensor, TF Model
            Garden, OpenNMT-tf, ESPnet, SpeechBrain and fairseq define it.
        num_classes: K, at least 2.

    Returns:
        Alpha, of which each class, the target included, gets α/K.

    Raises:
        InputError: If epsilon is no number in [0, 1], if K < 2, or if alpha would exceed 1: then
            the target would get less than each of the other classes.

    Example:
    ```python
    >>> import ls_keras
    >>> round(ls_keras.alpha_from_off_target(0.1, num_classes=5), 6)
    0.125

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1, defines α/K.
    """
    epsilon = check_fraction(epsilon, "epsilon")
    num_classes = _check_num_classes(num_classes)
    alpha = epsilon * num_classes / (num_classes - 1)
    if alpha > 1:
        raise InputError(
            f"Expected epsilon ≤ (K − 1)/K = {(num_classes - 1) / num_classes:.6g}, so that "
            f"alpha = ε·K/(K − 1) ≤ 1. Received: epsilon={epsilon} with {num_classes} classes, "
            f"which gives alpha={alpha:.6g}"
        )
    return alpha


def off_target_from_alpha(alpha: float, num_classes: int) -> float:
    """Converts the paper's alpha into ε, of which each wrong class gets ε/(K − 1).

    ε = α · (K − 1) / K

    Args:
        alpha: Between 0 and 1; each class gets α/K.
        num_classes: K, at least 2.

    Returns:
        Epsilon, the mass off the target.

    Raises:
        InputError: If alpha is no number in [0, 1] or if K < 2.

    Example:
    ```python
    >>> import ls_keras
    >>> round(ls_keras.off_target_from_alpha(0.125, num_classes=5), 6)
    0.1

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 1.1.
    """
    num_classes = _check_num_classes(num_classes)
    return check_fraction(alpha, "alpha") * (num_classes - 1) / num_classes


def check_fraction(value, name: str) -> float:
    """Returns `value` as a float.

    Args:
        value: A real number.
        name: What the error message calls it.

    Raises:
        InputError: If `value` is no number in [0, 1].
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputError(f"Expected {name} to be a number in [0, 1]. Received: {shown(value)}")
    # Compared as it is: an integer may be too large for a float.
    fraction: Any = value
    if not 0 <= fraction <= 1:  # nor is NaN
        raise InputError(f"Expected 0 ≤ {name} ≤ 1. Received: {name}={shown(value)}")
    return float(fraction)


def _check_num_classes(num_classes) -> int:
    return as_count(num_classes, "num_classes", 2, 2**53)  # what float64 counts exactly
