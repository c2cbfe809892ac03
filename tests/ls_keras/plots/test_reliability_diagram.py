import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from ls_base.errors import InputError
from ls_keras.calibration import curve_of_statistics
from ls_keras.plots import reliability_diagram, reliability_rows


@pytest.fixture
def curves(rng):
    confidence = rng.uniform(0.3, 1, 900)
    hard = curve_of_statistics(confidence, rng.random(900) < confidence**2, num_bins=10)
    scaled = curve_of_statistics(
        confidence, rng.random(900) < confidence, num_bins=10, temperature=1.9
    )
    return {"hard": hard, "scaled": scaled}


def without_text(figure):
    """Fonts differ between versions of FreeType; lines and bars don't."""
    for ax in figure.axes:
        ax.set(title="", xlabel="", ylabel="", xticks=[], yticks=[])
        if ax.get_legend():
            ax.get_legend().remove()
    return figure


def test_one_curve_looks_like_a_plain_drawing_of_its_numbers(curves, tmp_path):
    curve = curves["hard"]
    figure = Figure(figsize=(4, 4))
    reliability_diagram(curve, ax=figure.add_axes((0.1, 0.1, 0.8, 0.8)))
    without_text(figure).savefig(tmp_path / "actual.png", dpi=80)

    expected = Figure(figsize=(4, 4))
    ax = expected.add_axes((0.1, 0.1, 0.8, 0.8), xlim=(0, 1), ylim=(0, 1))
    ax.plot([0, 1], [0, 1], "k:", linewidth=1)
    for i, count in enumerate(curve.counts):
        if count:
            x, y = curve.confidence[i], curve.accuracy[i]
            left, right = curve.edges[i : i + 2]
            ax.fill_between([left, right], x, y, color="#0072B2", alpha=0.18, linewidth=0)
            ax.plot([x, x], [curve.accuracy_low[i], curve.accuracy_high[i]], "#0072B2",
                    linewidth=1, alpha=0.8)  # fmt: skip
    some = np.array(curve.counts) > 0
    ax.plot(np.array(curve.confidence)[some], np.array(curve.accuracy)[some], "o-",
            color="#0072B2", markersize=5)  # fmt: skip
    without_text(expected)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    expected.savefig(tmp_path / "expected.png", dpi=80)
    names = [str(tmp_path / name) for name in ("expected.png", "actual.png")]
    assert compare_images(*names, tol=3) is None

    figure.axes[0].lines[-1].set_ydata(np.array(curve.accuracy)[some] + 0.05)
    figure.savefig(names[1], dpi=80)
    assert compare_images(*names, tol=3) is not None  # the comparison can fail


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
    lines = top.lines[1:]
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 2


def test_draws_what_the_curve_says(curves):
    figure = reliability_diagram(curves["hard"])
    top, bottom = figure.axes
    some = np.array(curves["hard"].counts) > 0
    assert 0 < some.sum() < 10
    np.testing.assert_allclose(top.lines[1].get_ydata(), np.array(curves["hard"].accuracy)[some])
    values = bottom.patches[0].get_data().values
    np.testing.assert_allclose(values, 100 * np.array(curves["hard"].counts) / 900)
    bars = [patch for patch in top.patches if patch.get_width() > 0]
    gaps = sum(abs(b.get_height()) * n for b, n in zip(bars, np.array(curves["hard"].counts)[some],
                                                       strict=True))  # fmt: skip
    assert gaps / 900 == pytest.approx(curves["hard"].ece)


def test_gaps_of_several_curves_lie_side_by_side(curves):
    bars = reliability_diagram(curves).axes[0].patches
    spans = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars)
    assert len(spans) == sum(np.count_nonzero(curve.counts) for curve in curves.values())
    for (_, right), (left, _) in itertools.pairwise(spans):
        assert left >= right - 1e-6


def test_draws_on_given_axes(curves):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert reliability_diagram(curves, ax=left, intervals=False) is figure
    assert len(left.lines) == 3
    assert not left.collections
    assert not right.lines


def test_rows_hold_what_is_drawn(curves):
    rows = reliability_rows(curves)
    assert len(rows) == 20
    assert rows[0]["accuracy"] is None
    assert [row["accuracy"] for row in rows[10:]][-1] == curves["scaled"].accuracy[-1]
    assert {row["temperature"] for row in rows} == {None, 1.9}


@pytest.mark.parametrize("curves", [{}, None, {"a": 0.5}, [1]])
def test_what_is_no_curve_is_refused(curves):
    with pytest.raises(InputError, match="ReliabilityCurve"):
        reliability_diagram(curves)


def test_the_axes_say_what_curves_of_sigmoids_have(curves, rng):
    p = rng.uniform(0, 1, 200)
    of_sigmoids = curve_of_statistics(p, rng.random(200) < p, multi_label=True)
    top, bottom = reliability_diagram({"a": of_sigmoids, "b": of_sigmoids}).axes
    assert bottom.get_xlabel() == "Probability of the positive class"
    assert top.get_ylabel() == "Frequency of the positive class"
    top, bottom = reliability_diagram(curves).axes
    assert bottom.get_xlabel() == "Confidence (largest probability)"
    assert top.get_ylabel() == "Accuracy (share of examples)"
    with pytest.raises(InputError, match="not both.*of which of sigmoids 'labels'"):
        reliability_diagram({**curves, "labels": of_sigmoids})
