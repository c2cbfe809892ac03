"""Probabilities passed with `from_logits=True` cause a warning."""

import warnings

import numpy as np
import pytest
from keras import ops

from ls_keras.calibration import (
    expected_calibration_error,
    fit_temperature,
    fit_vector_scaling,
    reliability_curve,
)

MESSAGE = "Expected logits, as from_logits=True says. Received: .* rows of numbers that .* sum to 1"
USES = (
    expected_calibration_error,
    reliability_curve,
    fit_temperature,
    fit_vector_scaling,
)


def example(n=40, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 4))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = np.array([rng.choice(4, p=row) for row in p])
    return labels, logits.astype("float32"), p.astype("float32")


@pytest.mark.parametrize("use", USES)
def test_probabilities_with_from_logits_warn(use):
    labels, _, p = example()
    with pytest.warns(UserWarning, match=MESSAGE):
        use(labels, ops.convert_to_tensor(p), from_logits=True)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["logits", "log p", "shifted", "one other", "masked"])
def test_logits_do_not_warn(use, kind):
    labels, logits, p = example()
    given = {
        "logits": logits,
        "log p": np.log(p),
        "shifted": p - 0.1,
        "one other": np.concatenate([p[:-1], logits[-1:]]),
        "masked": np.concatenate([logits[:-1], [[-np.inf, 3, 3, 3]]]).astype("float32"),
    }[kind]
    labels[-1] = 1
    if kind == "masked" and use is fit_vector_scaling:
        given = logits
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        use(labels, given, from_logits=True)


def test_few_rows_do_not_warn():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        expected_calibration_error(np.arange(4), np.eye(4, dtype="float32"), from_logits=True)


def test_ignored_rows_do_not_suppress_the_warning():
    labels, logits, p = example()
    mixed = np.concatenate([logits, p])
    both = np.concatenate([np.full(len(labels), -1), labels])
    for use in (expected_calibration_error, fit_temperature):
        with pytest.warns(UserWarning, match="40 rows"):
            use(both, mixed, from_logits=True, ignore_class=-1)
