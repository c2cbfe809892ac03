"""Reliability diagrams of runs: both models of one, one model of several, seeds as one."""

import inspect

import pytest

from ls_base.files import write_json
from ls_keras.plots import reliability_diagram, reliability_plot_data
from lsk_engine.reports.groups import groups_of
from lsk_engine.reports.reliability_charts import MOST_CURVES, WIDE, reliability_diagrams
from lsk_engine.reports.run_files import read_run
from reported_runs import whole_run


def groups(*runs):
    return groups_of(read_run(run.path.name, run.path) for run in runs)


def test_reliability_of_one_run_has_both_models(tmp_path):
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


def test_reliability_of_several_runs_is_a_chart_a_model(tmp_path):
    runs = [whole_run(tmp_path / f"{a}", a) for a in (0.0, 0.1, 0.2)]
    trained, scaled = reliability_diagrams(groups(*runs))
    assert (trained.title, scaled.title) == (
        *("Reliability, test, as trained", "Reliability, test, after scaling"),
    )
    assert [one.look for one in trained.series] == [0, 1, 2]
    assert not any(one.intervals for one in trained.series)  # too many to be told apart


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
    drawn = chart.drawn()[0]
    assert (len(drawn.markers), len(drawn.faint_markers)) == (1, 1)
    assert (len(drawn.bars), len(drawn.faint_bars)) == (1, 1)
    assert drawn.path == ""
    assert drawn.faint.count("L") == 1


def test_of_more_than_six_curves_seeds_are_one(tmp_path):
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
    assert "least to most accurate" in trained.note


def test_the_rules_are_those_of_the_library():
    assert WIDE == reliability_plot_data.WIDE
    assert inspect.unwrap(reliability_diagram).__globals__["MOST_CURVES"] == MOST_CURVES
