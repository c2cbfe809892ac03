import math

import pytest

from lsk_engine.reports import curves
from lsk_engine.reports.run_collections import group_runs
from lsk_engine.reports.run_files import read_run
from lsk_engine.studies.study_result import read_curves
from reported_runs import bare_run, taught, whole_run


def groups(*runs):
    return group_runs(read_run(run.path.name, run.path) for run in runs)


def test_one_run_has_training_and_validation_in_one_chart(tmp_path):
    (chart,) = curves.learning_curves(groups(bare_run(tmp_path / "a")))
    assert [one.name for one in chart.series] == ["training", "validation"]
    assert chart.series[0].points == [(10.0, 3.0), (20.0, 1.5)]
    assert (chart.x_label, chart.y_label) == ("Training step", "Loss as trained (nats)")


def test_several_runs_have_separate_charts_for_training_and_validation(tmp_path):
    runs = [bare_run(tmp_path / f"{a}-{s}", a, s) for a in (0.0, 0.1) for s in (0, 1)]
    training, validation = curves.learning_curves(groups(*runs))
    assert training.title == "Loss, training"
    assert validation.title == "Loss, validation"
    assert [(one.name, one.look) for one in training.series] == [
        *(("hard", 0), ("hard", 0), ("α 0.1", 1), ("α 0.1", 1))
    ]
    assert "differ only in their seed" in training.note


def test_values_that_are_not_finite_are_left_out(tmp_path):
    run = bare_run(tmp_path / "a")
    for step, value in ((30, math.nan), (40, math.inf), (50, -math.inf)):
        run.append_history(
            {"step": step, "epoch": 3, "train": {"loss": value}, "validation": {"odd": value}}
        )
    (chart,) = curves.learning_curves(groups(run))
    assert [x for x, _ in chart.series[0].points] == [10.0, 20.0]


def test_a_quantity_with_single_points_has_no_chart(tmp_path):
    run = bare_run(tmp_path / "a")
    run.append_history({"step": 30, "epoch": 3, "train": {}, "validation": {"ece": 0.1}})
    assert [chart.title for chart in curves.learning_curves(groups(run))] == [
        "Loss, training and validation"
    ]


def test_temperature_curves_are_sorted_and_have_intervals(tmp_path):
    bleu, ece, nll = curves.temperature_curves(groups(whole_run(tmp_path / "a")))
    assert bleu.series[0].points == [(1.0, 19.0), (2.0, 18.0)]
    assert bleu.series[0].intervals == [(17.0, 21.0), (16.0, 20.0)]
    assert (ece.title, nll.title) == ("ECE, test", "NLL (nats per label), test")
    assert nll.series[0].points == [(1.0, 1.5), (2.0, 3.0)]


def test_two_models_have_two_curves(tmp_path):
    run = whole_run(tmp_path / "a")
    point = {"temperature": 1.0, "values": {"bleu": 9.0}, "labels": {"bleu": "BLEU"}}
    points = [{**point, "search": name, "intervals": {}, "nll": 1.0} for name in ("old", "new")]
    run.write_json(run.sweep_file("test"), {"points": points})
    chart, _ = curves.temperature_curves(groups(run))
    assert [one.name for one in chart.series] == ["a, sweep 1", "a, sweep 2"]


def test_mutual_information_has_reference_lines(tmp_path):
    (chart,) = curves.information_curves(groups(whole_run(tmp_path / "a")))
    assert [one.name for one in chart.references] == ["log 2 (the class alone)"]
    assert "log N (N = 60): 4.09 nats, above the chart" in chart.note
    assert chart.series[0].intervals == [(0.9, 1.1)] * 2
    assert list(curves.information_curves(groups(bare_run(tmp_path / "b")))) == []


def test_figure_5_shows_means_over_seeds(tmp_path):
    score, points = read_curves(taught(tmp_path / "sweep"))
    chart = curves.distillation_chart(points, "BLEU")
    assert score == "bleu"
    assert [one.name for one in chart.series] == ["teacher", "student alone"]
    assert chart.series[0].points == [(0.0, 20.5), (0.2, 20.7)]
    assert chart.series[0].intervals == [(20.0, 21.0), (20.2, 21.2)]


def point(beam_size, bleu, temperature=1.0, undone=0.0, search="e", **more):
    return {
        **{"search": search, "temperature": temperature},
        **{"values": {"bleu": bleu}, "labels": {"bleu": "BLEU"}},
        **{"intervals": {"bleu": (bleu - 1, bleu + 1)}},
        **{"beam_size": beam_size, "undone_alpha": undone, **more},
    }


def swept(tmp_path, points):
    run = bare_run(tmp_path / "a")
    run.write_json(run.sweep_file("test"), {"points": points})
    return group_runs([read_run("a", run.path)])


def test_each_beam_search_is_a_line_with_beam_sizes_at_equal_distances(tmp_path):
    points = [point(64, 29.0), point(1, 30.0), point(4, 31.0)]
    points += [point(b, 32.0 + b, undone=0.1) for b in (4, 64)]
    (chart,) = curves.beam_curves(swept(tmp_path, points))
    plain, undone = chart.series
    assert (chart.title, chart.x_label) == ("BLEU, test", "Number of beams")
    assert plain.points == [(0.0, 30.0), (1.0, 31.0), (2.0, 29.0)]
    assert plain.intervals == [(29.0, 31.0), (30.0, 32.0), (28.0, 30.0)]
    assert (plain.name, undone.name) == ("a", "a, α = 0.1 undone")
    assert undone.points == [(1.0, 36.0), (2.0, 96.0)]
    assert plain.look != undone.look
    ticks = chart.x_ticks()
    assert [label for _, label in ticks] == ["1", "4", "64"]
    assert ticks[1][0] - ticks[0][0] == pytest.approx(ticks[2][0] - ticks[1][0])
    assert "a: 30 at 1 to 29 at 64" in chart.text()


def test_models_and_temperatures_have_separate_lines(tmp_path):
    points = [point(b, 30.0) for b in (1, 4)] + [point(b, 31.0, 1.5) for b in (1, 4)]
    (chart,) = curves.beam_curves(swept(tmp_path, points))
    assert [one.name for one in chart.series] == ["a, T = 1", "a, T = 1.5"]
    models = [point(b, 30.0, search=e) for b in (1, 4) for e in ("old", "new")]
    (chart,) = curves.beam_curves(swept(tmp_path / "models", models))
    assert [one.name for one in chart.series] == ["a, sweep 1", "a, sweep 2"]
    apart = [point(1, 30.0), point(4, 31.0, search="another")]
    assert list(curves.beam_curves(swept(tmp_path / "b", apart))) == []


def test_a_line_without_a_score_is_left_out_of_its_chart(tmp_path):
    both = {"labels": {"bleu": "BLEU", "ratio": "Ratio"}}
    lacking = [point(1, 30.0), point(64, 31.0)]
    having = [
        point(b, 30.0, undone=0.1, values={"bleu": 30.0, "ratio": 0.9}, **both) for b in (4, 16)
    ]
    bleu, ratio = curves.beam_curves(swept(tmp_path, [*lacking, *having]))
    assert len(bleu.series) == 2
    assert [(one.name, one.look) for one in ratio.series] == [("a, α = 0.1 undone", 1)]
    assert [label for _, label in ratio.x_ticks()] == ["4", "16"]
    assert {at for at, _ in ratio.x_ticks()} == {x for x, *_ in ratio.paths()[0].markers}
