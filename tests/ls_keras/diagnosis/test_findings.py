import json
import math

import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_keras.diagnosis import Estimate
from ls_keras.diagnosis.findings import number


def test_an_estimate_says_on_which_side_of_zero_it_is():
    assert Estimate(1, 0.1, 2).above
    assert Estimate(-1, -2, -0.1).below
    for both in (Estimate(1, -0.1, 2), Estimate(0, 0, 0), Estimate(1, math.nan, math.nan)):
        assert not both.above
        assert not both.below
    assert str(Estimate(1, math.nan, math.nan)) == "1.0000"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5000"), (-0.25, "−0.2500"), (12.345, "12.35"), (math.inf, "∞"), (-math.inf, "−∞")],
)
def test_numbers_are_short(value, shown):
    assert number(value) == shown


def test_json_holds_all_of_it():
    y, z = predictions(60)
    found = ls_keras.diagnose(y, z, from_logits=True, resamples=100, class_names=list("abcd"))
    numbers = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert numbers["schema"] == 1
    assert numbers["nll"] == found.nll._asdict()
    assert numbers["ece"] == found.reliability.ece
    assert numbers["ece_corrected"]["value"] == found.reliability.ece_corrected
    assert numbers["class_names"] == list("abcd")
    assert numbers["advice"] == found.advice
    assert numbers["num_bins"] == 15


def test_json_has_null_for_what_is_not_known():
    found = ls_keras.diagnose([0, 0], [[0.5, 0.5]] * 2, groups=[0, 0], resamples=100)
    numbers = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert numbers["nll"] == {"value": pytest.approx(np.log(2)), "low": None, "high": None}
    assert numbers["nll_gain"]["value"] is None
    assert numbers["temperature"]["value"] == 1  # all logits are equal
