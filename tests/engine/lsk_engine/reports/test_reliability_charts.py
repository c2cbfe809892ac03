"""Reliability diagrams of runs: both models of one, one model of several, seeds as one."""

import inspect

import pytest

from ls_base.files import write_json
from ls_keras.plots import reliability_diagram, reliability_plot_data
from lsk_engine.reports.reliability_charts import MOST_CURVES, WIDE, reliability_diagrams
from lsk_engine.reports.run_collections import group_runs
from lsk_engine.reports.run_files import read_run
from reported_runs import whole_run


def groups(*runs):
    return group_runs(read_run(run.path.name, run.path) for run in runs)


def test_one_run_has_both_models_in_one_diagram(tmp_path):
    (chart,) = reliability_diagrams(groups(whole_run(tmp_path / "a")))
    assert chart.title == "Reliability, test"
    assert [one.name for one in chart.series] == [
        *("as trained: ECE 0.100", "scaled: ECE 0.100, T 1.50")
    ]
    assert chart.series[0].points == [(0.4, 0.4), (0.8, 0.8)]  # the empty bin has none
    # The two share the width of a bin.
    left, right = (one.columns for one in chart.series)
    assert [pytest.approx(column) for column in left] == [(0.3, 0.45, 0.25), (0.6, 0.8, 0.75)]
    assert [pytest.approx(column) for column in right] == [(0.45, 0.6, 0.25), (0.8, 1.0, 0.75)]
    assert chart.limits == ((0.0, 1.0), (0.0, 1.0))


def test_several_runs_have_a_diagram_as_trained_and_one_after_scaling(tmp_path):
    runs = [whole_run(tmp_path / f"{a}", a) for a in (0.0, 0.1, 0.2)]
    trained, scaled = reliability_diagrams(groups(*runs))
    assert (trained.title, scaled.title) == (
        *("Reliability, test, as trained", "Reliability, test, after scaling"),
    )
    assert [one.look for one in trained.series] == [0, 1, 2]
    assert not any(one.intervals for one in trained.series)  # too many to distinguish


def rewrite(run, accuracies):
    """Gives a run's two bins these accuracies, with intervals of 0.1 and 0.8."""
    rows = [
        {
            **{"edge_low": low, "edge_high": high, "count": count, "ece": 0.1},
            **{"confidence": high - 0.1, "accuracy": accuracy},
            **{"accuracy_low": accuracy - half, "accuracy_high": accuracy + half},
        }
        for (low, high, count, half), accuracy in zip(
            [(0.0, 0.5, 5, 0.4), (0.5, 1.0, 15, 0.05)], accuracies, strict=True
        )
    ]
    write_json(run.reliability_file("test").with_suffix(".json"), rows)


def test_bins_of_few_examples_are_faded(tmp_path):
    run = whole_run(tmp_path / "a")
    rewrite(run, (0.4, 0.8))
    (chart,) = reliability_diagrams(groups(run))
    assert chart.series[0].faded == [True, False]
    assert chart.note.endswith("Faded: few examples, 95 % interval wider than 0.3.")
    drawn = chart.paths()[0]
    assert [faded for *_, faded in drawn.markers] == [True, False]
    assert [faded for *_, faded in drawn.bars] == [True, False]


def test_more_than_six_curves_are_pooled_over_seeds(tmp_path):
    runs = []
    for alpha in (0.0, 0.1):
        for seed in range(4):
            runs.append(whole_run(tmp_path / f"{alpha}-{seed}", alpha, seed))
            rewrite(runs[-1], (0.4, 0.7 + seed / 100))
    few = groups(*runs[:6])
    assert len(next(reliability_diagrams(few)).series) == 6
    trained, _ = reliability_diagrams(groups(*runs))
    assert [one.name for one in trained.series] == ["hard: ECE 0.100", "α 0.1: ECE 0.100"]
    hard = trained.series[0]
    assert hard.points == [pytest.approx((0.4, 0.4)), pytest.approx((0.9, 0.715))]
    assert hard.intervals[1] == pytest.approx((0.7, 0.73))
    assert not trained.bars
    assert "lowest to highest accuracy" in trained.note


def test_the_limits_are_those_of_the_library():
    assert WIDE == reliability_plot_data.WIDE
    assert inspect.unwrap(reliability_diagram).__globals__["MOST_CURVES"] == MOST_CURVES
