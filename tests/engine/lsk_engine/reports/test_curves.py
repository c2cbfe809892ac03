import math

from lsk_engine.reports import curves
from lsk_engine.reports.groups import groups_of
from lsk_engine.reports.run_files import read_run
from lsk_engine.studies.study_result import read_curves
from reported_runs import bare_run, taught, whole_run


def groups(*runs):
    return groups_of(read_run(run.path.name, run.path) for run in runs)


def test_one_run_has_training_and_validation_in_a_chart(tmp_path):
    (chart,) = curves.learning_curves(groups(bare_run(tmp_path / "a")))
    assert [one.name for one in chart.series] == ["training", "validation"]
    assert chart.series[0].points == [(10.0, 3.0), (20.0, 1.5)]
    assert (chart.x_label, chart.y_label) == ("Training step", "Loss as trained (nats)")


def test_several_runs_have_a_chart_each_for_training_and_validation(tmp_path):
    runs = [bare_run(tmp_path / f"{a}-{s}", a, s) for a in (0.0, 0.1) for s in (0, 1)]
    training, validation = curves.learning_curves(groups(*runs))
    assert training.title == "Loss, training"
    assert validation.title == "Loss, validation"
    assert [(one.name, one.look) for one in training.series] == [
        *(("hard", 0), ("hard", 0), ("α 0.1", 1), ("α 0.1", 1))
    ]
    assert "differ in their seed" in training.note


def test_what_is_not_finite_is_not_drawn(tmp_path):
    run = bare_run(tmp_path / "a")
    for step, value in ((30, math.nan), (40, math.inf), (50, -math.inf)):
        run.append_history(
            {"step": step, "epoch": 3, "train": {"loss": value}, "validation": {"odd": value}}
        )
    (chart,) = curves.learning_curves(groups(run))
    assert [x for x, _ in chart.series[0].points] == [10.0, 20.0]


def test_curves_by_temperature_are_in_order_with_their_intervals(tmp_path):
    bleu, ece, nll = curves.temperature_curves(groups(whole_run(tmp_path / "a")))
    assert bleu.series[0].points == [(1.0, 19.0), (2.0, 18.0)]
    assert bleu.series[0].intervals == [(17.0, 21.0), (16.0, 20.0)]
    assert (ece.title, nll.title) == ("ECE, test", "NLL (nats a label), test")
    assert nll.series[0].points == [(1.0, 1.5), (2.0, 3.0)]


def test_points_of_two_models_are_two_curves(tmp_path):
    run = whole_run(tmp_path / "a")
    point = {"temperature": 1.0, "values": {"bleu": 9.0}, "labels": {"bleu": "BLEU"}}
    points = [{**point, "settings": name, "intervals": {}} for name in ("old", "new")]
    run.write_json(run.sweep_file("test"), {"points": points})
    (chart,) = curves.temperature_curves(groups(run))  # of an earlier version: no NLL, no ECE
    assert [one.name for one in chart.series] == ["a, sweep 1", "a, sweep 2"]


def test_information_has_its_references(tmp_path):
    (chart,) = curves.information_curves(groups(whole_run(tmp_path / "a")))
    assert [one.name for one in chart.references] == ["log 2 (the class alone)"]
    assert "log N (N = 60): 4.09 nats, above the chart" in chart.note
    assert chart.series[0].intervals == [(0.9, 1.1)] * 2
    assert list(curves.information_curves(groups(bare_run(tmp_path / "b")))) == []


def test_figure_5_has_means_over_seeds(tmp_path):
    score, points = read_curves(taught(tmp_path / "sweep"))
    chart = curves.distillation_chart(points, "BLEU")
    assert score == "bleu"
    assert [one.name for one in chart.series] == ["teacher", "student alone"]
    assert chart.series[0].points == [(0.0, 20.5), (0.2, 20.7)]
    assert chart.series[0].intervals == [(20.0, 21.0), (20.2, 21.2)]
