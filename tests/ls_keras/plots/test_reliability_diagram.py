import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.calibration import curve_of_statistics, smooth_curve_of_statistics
from ls_keras.plots import reliability_diagram, reliability_rows, style


@pytest.fixture
def curves(rng):
    confidence = rng.uniform(0.3, 1, 900)
    hard = curve_of_statistics(confidence, rng.random(900) < confidence**2, num_bins=10)
    scaled = curve_of_statistics(
        confidence, rng.random(900) < confidence, num_bins=10, temperature=1.9
    )
    return {"hard": hard, "scaled": scaled}


def points(ax):
    """Returns the lines with points of bins: those with many examples, and faded ones."""
    return [line for line in ax.lines if line.get_linestyle() == "None"]


def texts(figure):
    return [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]


def test_axes_labels_and_legend(curves):
    figure = reliability_diagram(curves, title="Test set")
    top, bottom = figure.axes
    assert top.get_title() == "Test set"
    assert top.get_ylabel() == "Accuracy (share of examples)"
    assert bottom.get_xlabel() == "Confidence (largest probability)"
    assert bottom.get_ylabel() == "Examples (%)"
    assert [text.get_text() for text in bottom.get_legend().get_texts()] == [
        "perfectly calibrated",
        f"hard: ECE {curves['hard'].ece:.3f}",
        f"scaled: ECE {curves['scaled'].ece:.3f}, T 1.90",
    ]
    named = [line for line in top.lines if not line.get_label().startswith("_")][1:]
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in named}) == 2


def test_lines_have_the_values_of_the_curve(curves):
    figure = reliability_diagram(curves["hard"])
    top, bottom = figure.axes
    some = np.array(curves["hard"].counts) > 0
    assert 0 < some.sum() < 10
    (drawn,) = points(top)
    np.testing.assert_allclose(drawn.get_ydata(), np.array(curves["hard"].accuracy)[some])
    values = bottom.patches[0].get_data().values
    np.testing.assert_allclose(values, 100 * np.array(curves["hard"].counts) / 900)
    bars = [patch for patch in top.patches if patch.get_width() > 0]
    gaps = sum(abs(b.get_height()) * n for b, n in zip(bars, np.array(curves["hard"].counts)[some],
                                                       strict=True))  # fmt: skip
    assert gaps / 900 == pytest.approx(curves["hard"].ece)


def test_gaps_of_several_curves_are_side_by_side(curves):
    bars = reliability_diagram(curves).axes[0].patches
    spans = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars)
    assert len(spans) == sum(np.count_nonzero(curve.counts) for curve in curves.values())
    for (_, right), (left, _) in itertools.pairwise(spans):
        assert left >= right - 1e-6


def test_given_axes_are_used(curves):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert reliability_diagram(curves, ax=left) is figure
    assert len(points(left)) == 2
    assert not right.lines


def test_rows_have_the_numbers(curves):
    rows = reliability_rows(curves)
    assert len(rows) == 20
    assert rows[0]["accuracy"] is None
    assert [row["accuracy"] for row in rows[10:]][-1] == curves["scaled"].accuracy[-1]
    assert {row["temperature"] for row in rows} == {None, 1.9}


@pytest.mark.parametrize("curves", [{}, None, {"a": 0.5}, [1]])
def test_other_objects_raise_input_errors(curves):
    with pytest.raises(InputError, match="ReliabilityCurve"):
        reliability_diagram(curves)


def test_axes_of_sigmoids_have_their_own_labels(curves, rng):
    p = rng.uniform(0, 1, 200)
    of_sigmoids = curve_of_statistics(p, rng.random(200) < p, multi_label=True)
    top, bottom = reliability_diagram({"a": of_sigmoids, "b": of_sigmoids}).axes
    assert bottom.get_xlabel() == "Probability of the positive class"
    assert top.get_ylabel() == "Frequency of the positive class"
    top, bottom = reliability_diagram(curves).axes
    assert bottom.get_xlabel() == "Confidence (largest probability)"
    assert top.get_ylabel() == "Accuracy (share of examples)"
    with pytest.raises(InputError, match="not both.*with sigmoids in 'labels'"):
        reliability_diagram({**curves, "labels": of_sigmoids})


def curve_of(rng, number=900, **options):
    confidence = rng.uniform(0.3, 1, number)
    return curve_of_statistics(
        confidence, rng.random(number) < confidence**2, num_bins=10, resamples=100, **options
    )


def test_bins_with_few_examples_are_faded():
    # 30 examples at 0.95 and 3 at 0.45, 2 of them right: intervals of 0.12 and 0.90.
    curve = curve_of_statistics(
        [0.95] * 30 + [0.45] * 3, [1] * 30 + [1, 1, 0], num_bins=10, resamples=100
    )
    top, _ = reliability_diagram({"a": curve}).axes
    many, few = points(top)
    assert (many.get_xdata().tolist(), few.get_xdata().tolist()) == (
        [pytest.approx(0.95)],
        [pytest.approx(0.45)],
    )
    assert (many.get_alpha(), few.get_alpha()) == (1.0, style.FADED)
    strong, faint = top.patches
    assert faint.get_alpha() == pytest.approx(style.FADED * strong.get_alpha())
    (line,) = [one for one in top.lines if len(one.get_xdata()) == 2 and one is not top.lines[0]]
    assert line.get_alpha() == style.FADED
    figure = reliability_diagram({"a": curve})
    assert texts(figure)[-1] == "faded: few examples, interval wider than 0.3"
    rows = {round(row["edge_high"], 1): row["count"] for row in reliability_rows({"a": curve})}
    assert (rows[1.0], rows[0.5]) == (30, 3)


def test_curves_of_one_name_are_combined_with_a_band(rng):
    seeds = [curve_of(rng, temperature=t) for t in (1.2, 1.4)]
    figure = reliability_diagram({"hard": seeds})
    top, bottom = figure.axes
    counts = np.array([seed.counts for seed in seeds])
    some = counts.sum(0) > 0
    accuracy = np.nansum(counts * [seed.accuracy for seed in seeds], 0)[some] / counts.sum(0)[some]
    drawn = np.concatenate([line.get_ydata() for line in points(top)])
    np.testing.assert_allclose(np.sort(drawn), np.sort(accuracy))
    band = top.collections[0].get_paths()[0].vertices[:, 1]
    both = np.array([seed.accuracy for seed in seeds])[:, counts.min(0) > 60]
    assert band.min() == pytest.approx(both.min())
    assert band.max() == pytest.approx(both.max())
    mean = (seeds[0].ece + seeds[1].ece) / 2
    assert texts(figure)[1:] == [
        f"hard: ECE {mean:.3f}, T 1.30 (means of 2)",
        "band: smallest to largest accuracy of several curves",
    ]
    shares = bottom.patches[0].get_data().values
    np.testing.assert_allclose(shares, 100 * counts.sum(0) / counts.sum())
    rows = [row for row in reliability_rows({"hard": seeds}) if row["count"]]
    assert {row["curves"] for row in rows} == {2}
    assert rows[-1]["accuracy_low"] == min(seed.accuracy[-1] for seed in seeds)
    assert rows[-1]["accuracy_high"] == max(seed.accuracy[-1] for seed in seeds)


def test_too_many_and_wrong_curves_raise_input_errors(rng):
    curve = curve_of(rng)
    assert len(texts(reliability_diagram({str(n): curve for n in range(6)}))) >= 7
    with pytest.raises(InputError, match=r"at most 6 curves.*as a list\. Received: 7"):
        reliability_diagram({str(n): curve for n in range(7)})
    other = curve_of_statistics([0.5], [1], num_bins=5, resamples=100)
    with pytest.raises(InputError, match="same bins.*'a'"):
        reliability_diagram({"a": [curve, other]})
    with pytest.raises(InputError, match="float for 'a'"):
        reliability_diagram({"a": [curve, 0.5]})


def test_smoothed_curve_replaces_line_through_bins(rng):
    confidence = rng.uniform(0.3, 1, 900)
    correct = rng.random(900) < confidence**2
    curve = curve_of_statistics(confidence, correct, num_bins=10, resamples=100)
    line = smooth_curve_of_statistics(confidence, correct)
    figure = reliability_diagram({"hard": curve}, smooth={"hard": line})
    assert texts(figure)[1] == f"hard: ECE {curve.ece:.3f}, smECE {line.error:.3f}"
    drawn = [one for one in figure.axes[0].lines if len(one.get_xdata()) > 20]
    known = ~np.isnan(line.accuracy)
    x = np.concatenate([one.get_xdata() for one in drawn])
    assert set(x) <= set(line.confidence[known])
    assert len(points(figure.axes[0])[0].get_xdata()) > 5
    rows = reliability_rows({"hard": curve}, {"hard": line})
    assert len(rows) == 10 + 257
    assert {row["kind"] for row in rows} == {"bin", "smooth"}
    assert {row["smece"] for row in rows} == {line.error}
    with pytest.raises(InputError, match="smoothed curves of 'hard'"):
        reliability_diagram({"hard": curve}, smooth={"soft": line})
