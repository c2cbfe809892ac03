import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import ls_keras
from ls_base.errors import InputError
from ls_keras.calibration import ReliabilityCurve, curve_of_statistics
from ls_keras.calibration.curves.intervals import binomial_intervals


@pytest.fixture
def curve():
    return curve_of_statistics([0.55, 0.75, 0.8, 1.0], [1, 0, 1, 1], num_bins=3, temperature=1.5)


def test_round_trips(curve, tmp_path):
    assert ReliabilityCurve.from_json(curve.to_json()) == curve
    text = curve.to_json(tmp_path / "curve.json")
    assert (tmp_path / "curve.json").read_text() == text
    for source in (tmp_path / "curve.json", str(tmp_path / "curve.json")):
        assert ReliabilityCurve.from_json(source) == curve


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
    st.integers(1, 8),
    st.none() | st.floats(0.1, 10),
)
def test_json_round_trip_of_any_curve(examples, num_bins, temperature):
    curve = curve_of_statistics(
        *zip(*examples, strict=True), num_bins=num_bins, temperature=temperature, resamples=100
    )
    assert ReliabilityCurve.from_json(curve.to_json()) == curve


def test_json_has_null_for_nan(curve):
    content = json.loads(curve.to_json(), parse_constant=pytest.fail)
    assert content["accuracy"][0] is None


def test_curve_is_frozen_and_compared_by_value(curve):
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve.ece = 0
    same = dataclasses.replace(curve)
    assert same == curve
    assert hash(same) == hash(curve)
    assert dataclasses.replace(curve, ece=0.5) != curve


def test_clopper_pearson_equals_scipy():
    hits, number = np.array([0, 3, 17, 20]), np.full(4, 20)
    low, high = binomial_intervals(hits / number, number, 0.9)
    for i, k in enumerate(hits):
        expected = stats.binomtest(int(k), 20).proportion_ci(0.9, "exact")
        assert (low[i], high[i]) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("text", ["{}", "{ no", '{"schema": 2}', '{"schema": 1, "edges": [0]}'])
def test_other_json_raises_input_error(text):
    with pytest.raises(InputError, match="JSON of a reliability curve"):
        ReliabilityCurve.from_json(text)


def test_missing_files_raise_input_errors(tmp_path):
    with pytest.raises(InputError, match="readable file"):
        ReliabilityCurve.from_json(tmp_path / "missing.json")


def test_over_and_underconfidence_are_the_parts_of_the_ece(rng):
    confidence = rng.uniform(0.3, 1, 500).astype(np.float32)
    correct = rng.random(500) < np.where(confidence < 0.6, confidence + 0.2, confidence - 0.1)
    weights = rng.random(500)
    curve = curve_of_statistics(confidence, correct, sample_weight=weights, num_bins=10)
    index = np.ceil(confidence * 10).astype(int)
    gaps = np.array([
        (weights * (confidence - correct))[index == b].sum() / weights.sum() for b in range(11)
    ])  # fmt: skip
    assert curve.overconfidence == pytest.approx(gaps[gaps > 0].sum(), abs=1e-6)
    assert curve.underconfidence == pytest.approx(-gaps[gaps < 0].sum(), abs=1e-6)
    assert curve.overconfidence > 0.01
    assert curve.underconfidence > 0.01
    assert curve.overconfidence + curve.underconfidence == pytest.approx(curve.ece, abs=1e-12)


def test_root_mean_square_equals_metric(rng):
    logits = rng.normal(size=(400, 3)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    y = rng.integers(0, 3, 400)
    weights = rng.random(400).astype(np.float32)
    curve = ls_keras.reliability_curve(y, p, sample_weight=weights, resamples=100)
    options = {"sample_weight": weights, "norm": "l2"}
    plain = ls_keras.expected_calibration_error(y, p, **options)
    debiased = ls_keras.expected_calibration_error(y, p, debias=True, **options)
    assert (curve.rms, curve.rms_debiased) == pytest.approx((plain, debiased), rel=1e-5)
    assert 0 < curve.rms_debiased < curve.rms


def test_curve_from_older_file_has_nan_rms(curve):
    content = json.loads(curve.to_json())
    del content["rms"], content["rms_debiased"]
    old = ReliabilityCurve.from_json(json.dumps(content))
    assert np.isnan(old.rms)
    assert ReliabilityCurve.from_json(old.to_json()) == old
    assert dataclasses.replace(old, rms=curve.rms, rms_debiased=curve.rms_debiased) == curve
