import numpy as np
import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.calibration import risk_coverage
from ls_keras.plots import risk_coverage_diagram, risk_coverage_rows, style


@pytest.fixture
def curves(rng):
    confidence = rng.uniform(0.3, 1, 300)
    correct = rng.random(300) < confidence
    return {
        "softmax": risk_coverage(correct, confidence),
        "chance": risk_coverage(correct, rng.random(300)),
    }


def test_lines_have_the_values_of_the_curve(curves):
    (ax,) = risk_coverage_diagram(curves["softmax"]).axes
    curve, best, _ = ax.lines
    np.testing.assert_array_equal(curve.get_xdata(), curves["softmax"].coverage)
    np.testing.assert_array_equal(curve.get_ydata(), curves["softmax"].risk)
    area = np.mean(curve.get_ydata() - best.get_ydata())
    assert area == pytest.approx(curves["softmax"].excess)
    assert (best.get_ydata() <= curve.get_ydata() + 1e-12).all()


def test_title_labels_and_a_legend_below_the_data(curves):
    figure = risk_coverage_diagram(curves, title="Test set")
    (ax,) = figure.axes
    assert ax.get_title() == "Test set"
    assert ax.get_xlabel() == "Coverage (share of predictions kept)"
    assert ax.get_ylabel() == "Risk (error rate of those kept)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        *(f"{k}: AURC {c.aurc:.4f}, E-AURC {c.excess:.4f}" for k, c in curves.items()),
        "best possible ranking",
    ]
    figure.draw_without_rendering()
    legend, data = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert legend.y1 <= data.y0
    assert figure.bbox.x0 <= legend.x0 <= legend.x1 <= figure.bbox.x1
    lines = ax.lines[0], ax.lines[2]
    assert {line.get_color() for line in lines} == set(style.COLORS[:2])
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_many_predictions_are_thinned_out(rng):
    confidence = rng.random(20_000)
    curve = risk_coverage(rng.random(20_000) < confidence, confidence)
    (ax,) = risk_coverage_diagram(curve, title=None).axes
    drawn = ax.lines[0]
    assert len(drawn.get_xdata()) == 500
    assert drawn.get_xdata()[-1] == 1
    assert drawn.get_ydata()[-1] == curve.risk[-1]
    assert drawn.get_ydata()[0] == curve.risk[0]
    assert ax.get_title() == ""


def test_rows_have_the_numbers(curves):
    rows = risk_coverage_rows(curves)
    assert len(rows) == 600
    assert [row["risk"] for row in rows[:300]] == curves["softmax"].risk.tolist()
    assert np.mean([row["best_risk"] for row in rows[300:]]) == pytest.approx(
        curves["chance"].aurc - curves["chance"].excess
    )
    assert {row["curve"] for row in rows} == {"softmax", "chance"}


def test_given_axes_and_curves_without_errors():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert risk_coverage_diagram(risk_coverage([1, 1], [0.5, 0.6]), ax=left) is figure
    assert len(left.lines) == 3
    assert not right.lines
    assert left.get_ylim() == (0, 1)


@pytest.mark.parametrize("curves", [{}, None, {"a": 0.5}, [1]])
def test_other_objects_raise_input_errors(curves):
    with pytest.raises(InputError, match="Expected RiskCoverage, or a mapping"):
        risk_coverage_diagram(curves)
