"""Tests of every figure: it is readable on a phone, and no legend covers data."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from ls_base.errors import InputError
from ls_keras.calibration import curve_of_statistics, risk_coverage
from ls_keras.plots import (
    AttentionMap,
    attention_map,
    beam_panels,
    distillation_curves,
    information_curve,
    learning_curves,
    mean_logits_map,
    projection_panels,
    reliability_diagram,
    risk_coverage_diagram,
    save,
    temperature_panels,
)
from ls_keras.plots.distillation_curves import CURVES
from ls_keras.plots.saving import ROW_FUNCTIONS
from ls_keras.representation import MeanLogits, Projection

PHONE = 390  # pixels
LEAST = 8.0  # pixels of numbers in the cells of a map; other text has 9
RNG = np.random.default_rng(0)
LONG = "a name that is as long as names of settings are"


def _projection():
    corners = np.array([[-1.0, -0.5], [1.0, -0.5], [0.0, 1.0]])
    points = np.repeat(corners, 5, axis=0) + RNG.normal(size=(15, 2))
    return Projection((0, 1, 2), ("a", "b", LONG), np.repeat([0, 1, 2], 5), points, corners)


def _reliability():
    confidence = RNG.uniform(0.3, 1, 60)
    return curve_of_statistics(confidence, RNG.random(60) < confidence, resamples=100)


SWEPT = [
    {"run": f"{n}/{LONG}", "alpha": 0.1, "temperature": t, "nll": 1.0, "ece": 0.1, "bleu": 9 + n}
    for n in range(3)
    for t in (0.8, 1.0, 1.2)
]
BEAMS = [
    {"name": f"{LONG}, {n}", "beam_size": b, "bleu": 30.0 + n, "ratio": 0.9}
    for n in range(3)
    for b in (1, 4, 16, 64, 100)
]
PROBED = [
    {"step": step, "mutual_information": 1.0, "low": 0.9, "high": 1.1, "num_examples": 600}
    for step in (0, 40_000)
]
TAUGHT = [
    {"curve": curve, "alpha": gamma, "temperature": 1.0, "gamma": gamma, "error": 9.0}
    for curve in CURVES
    for gamma in (0.0, 0.15)
]
LEARNED = [{"step": 10_000 * n, "loss": 1 / n, "val_nll": 2 / n, "val_ece": 0.1} for n in (1, 2)]
FIGURES = {
    attention_map: lambda: attention_map(
        {
            name: AttentionMap(RNG.dirichlet(np.ones(30), size=n), ["token"] * n, 0.08)
            for name, n in ((LONG, 5), ("many", 120))
        }
    ),
    beam_panels: lambda: beam_panels(BEAMS, scores=["bleu", "ratio"], title=LONG),
    distillation_curves: lambda: distillation_curves(TAUGHT, score="error", title=LONG),
    information_curve: lambda: information_curve({LONG: PROBED, "α = 0.1": PROBED}),
    learning_curves: lambda: learning_curves(LEARNED, title=LONG),
    mean_logits_map: lambda: mean_logits_map(
        {
            name: MeanLogits(tuple(range(10)), RNG.normal(size=(10, 10)), np.ones(10, int))
            for name in (LONG, "other")
        },
        class_names=[f"{n}, {LONG}" for n in range(10)],
    ),
    projection_panels: lambda: projection_panels(
        {name: _projection() for name in (LONG, "validation", "more")}, title=LONG
    ),
    reliability_diagram: lambda: reliability_diagram(
        {f"{LONG}, {n}": [_reliability()] * (1 + n % 2) for n in range(6)}
    ),
    risk_coverage_diagram: lambda: risk_coverage_diagram(
        {LONG: risk_coverage([1, 0, 1, 1], [0.9, 0.8, 0.7, 0.6])}
    ),
    temperature_panels: lambda: temperature_panels(SWEPT, score="bleu"),
}


MANY = 12  # more than there are colors
OF_MANY = {
    beam_panels: lambda number: beam_panels(
        [{**row, "name": f"α = {n}"} for n in range(number) for row in BEAMS[:2]], scores=["bleu"]
    ),
    information_curve: lambda number: information_curve(
        {f"{LONG}, {n}": PROBED for n in range(number)}
    ),
    risk_coverage_diagram: lambda number: risk_coverage_diagram(
        {f"α = {n}": risk_coverage([1, 0, 1], [0.9, 0.8, 0.7]) for n in range(number)}
    ),
    temperature_panels: lambda number: temperature_panels(
        [{**row, "run": f"{n}/{LONG}"} for n in range(number) for row in SWEPT[:3]], score="bleu"
    ),
}
BY_NAME = {
    attention_map: lambda: AttentionMap(np.eye(2), ["a", "b"], 0.1),
    information_curve: lambda: PROBED,
    mean_logits_map: lambda: MeanLogits((0, 1), np.eye(2), np.ones(2, int)),
    projection_panels: _projection,
    reliability_diagram: _reliability,
    risk_coverage_diagram: lambda: risk_coverage([1, 0, 1, 1], [0.9, 0.8, 0.7, 0.6]),
}


def test_every_figure_is_tested():
    assert set(FIGURES) == set(ROW_FUNCTIONS)


@pytest.mark.parametrize("draw", BY_NAME, ids=lambda draw: draw.__name__)
def test_names_that_are_numbers_raise_input_errors(draw):
    for function in (draw, ROW_FUNCTIONS[draw]):
        with pytest.raises(InputError, match="Expected names that are strings.* Received: 0.0"):
            function({0.0: BY_NAME[draw](), 0.1: BY_NAME[draw]()})


def _legend(figure):
    legend = figure.legends[0] if figure.legends else figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()]


def _appearance(line):
    return line.get_color(), line.get_marker(), line._unscaled_dash_pattern


@pytest.mark.parametrize("draw", OF_MANY, ids=lambda draw: draw.__name__)
def test_many_series_can_be_distinguished(draw):
    figure, few = (OF_MANY[draw](number) for number in (MANY, 7))
    figure.draw_without_rendering()
    drawn = [line for line in figure.axes[0].lines if line.get_label() in _legend(figure)]
    assert len(drawn) >= MANY
    for one, other in itertools.combinations(drawn[:MANY], 2):
        assert _appearance(one) != _appearance(other)
    test_no_legend_covers_data(figure)
    few.draw_without_rendering()
    heights = [one.axes[0].get_window_extent().height for one in (figure, few)]
    assert heights[0] > 0.95 * heights[1]


@pytest.fixture(params=FIGURES, ids=lambda draw: draw.__name__)
def figure(request):
    figure = FIGURES[request.param]()
    figure.draw_without_rendering()
    return figure


def test_text_is_readable_on_a_phone(figure):
    scale = PHONE / figure.get_size_inches()[0] / 72
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert min(text.get_fontsize() for text in texts) * scale >= LEAST
    box = figure.get_tightbbox()
    assert box.width <= figure.get_size_inches()[0] + 0.5  # hardly wider when saved


def test_no_legend_covers_data(figure):
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    for legend in legends:
        box = legend.get_window_extent()
        assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)
        labels = (ax.xaxis.label.get_window_extent() for ax in figure.axes if ax.get_xlabel())
        assert not any(box.overlaps(label) for label in labels)


def test_figures_are_saved_on_white_with_a_margin(figure, tmp_path):
    from matplotlib.image import imread

    save(figure, tmp_path / "figure", {}, dpi=40)
    pixels = imread(tmp_path / "figure.png")
    edge = np.concatenate([pixels[[0, -1]].reshape(-1, 4), pixels[:, [0, -1]].reshape(-1, 4)])
    assert (edge == 1).all()  # white and opaque
    assert 'style="fill: #ffffff"' in (tmp_path / "figure.svg").read_text()[:3000]
