import pytest

from lsk_engine.reports.beam_curves import beam_curves
from lsk_engine.reports.groups import groups_of
from lsk_engine.reports.run_files import read_run
from reported_runs import bare_run


def point(beam_size, bleu, temperature=1.0, undone=0.0, elsewise="e", **more):
    return {
        **{"settings": f"{elsewise}-{beam_size}-{undone}", "temperature": temperature},
        **{"values": {"bleu": bleu}, "labels": {"bleu": "BLEU"}},
        **{"intervals": {"bleu": (bleu - 1, bleu + 1)}, "elsewise": elsewise},
        **{"beam_size": beam_size, "undone_alpha": undone, **more},
    }


def groups(tmp_path, points):
    run = bare_run(tmp_path / "a")
    run.write_json(run.sweep_file("test"), {"points": points})
    return groups_of([read_run("a", run.path)])


def test_a_line_is_a_search_and_beams_stand_at_names(tmp_path):
    points = [point(64, 29.0), point(1, 30.0), point(4, 31.0)]
    points += [point(b, 32.0 + b, undone=0.1) for b in (4, 64)]
    (chart,) = beam_curves(groups(tmp_path, points))
    plain, undone = chart.series
    assert (chart.title, chart.x_label) == ("BLEU, test", "Number of beams")
    assert plain.points == [(0.0, 30.0), (1.0, 31.0), (2.0, 29.0)]
    assert plain.intervals == [(29.0, 31.0), (30.0, 32.0), (28.0, 30.0)]
    assert (plain.name, undone.name) == ("a", "a, α = 0.1 undone")
    assert undone.points == [(1.0, 36.0), (2.0, 96.0)]
    assert plain.look != undone.look
    ticks = chart.x_ticks()
    assert [tick.label for tick in ticks] == ["1", "4", "64"]
    assert ticks[1].at - ticks[0].at == pytest.approx(ticks[2].at - ticks[1].at)
    assert "a: 30 at 1 to 29 at 64" in chart.text()


def test_other_models_and_temperatures_are_other_lines(tmp_path):
    points = [point(b, 30.0) for b in (1, 4)] + [point(b, 31.0, 1.5) for b in (1, 4)]
    (chart,) = beam_curves(groups(tmp_path, points))
    assert [one.name for one in chart.series] == ["a, T = 1", "a, T = 1.5"]
    models = [point(b, 30.0, elsewise=e) for b in (1, 4) for e in ("old", "new")]
    (chart,) = beam_curves(groups(tmp_path / "models", models))
    assert [one.name for one in chart.series] == ["a, sweep 1", "a, sweep 2"]
    apart = [point(1, 30.0), point(4, 31.0, elsewise="another")]
    assert list(beam_curves(groups(tmp_path / "b", apart))) == []


def test_a_score_that_points_lack_has_no_line_and_all_ticks_are_inside(tmp_path):
    both = {"labels": {"bleu": "BLEU", "ratio": "Ratio"}}
    lacking = [point(1, 30.0), point(64, 31.0)]
    having = [
        point(b, 30.0, undone=0.1, values={"bleu": 30.0, "ratio": 0.9}, **both) for b in (4, 16)
    ]
    bleu, ratio = beam_curves(groups(tmp_path, [*lacking, *having]))
    assert len(bleu.series) == 2
    assert [(one.name, one.look) for one in ratio.series] == [("a, α = 0.1 undone", 1)]
    assert [tick.label for tick in ratio.x_ticks()] == ["4", "16"]
    assert {tick.at for tick in ratio.x_ticks()} == {x for x, _ in ratio.drawn()[0].markers}
