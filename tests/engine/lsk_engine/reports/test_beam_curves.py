import pytest

from lsk_engine.reports.beam_curves import beam_curves, swept_beams
from lsk_engine.reports.curves import temperature_curves
from lsk_engine.reports.groups import groups_of
from lsk_engine.reports.run_files import read_run
from lsk_engine.runs.records import SweepPoint
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
    apart = [point(1, 30.0), point(4, 31.0, elsewise="another")]
    assert list(beam_curves(groups(tmp_path / "b", apart))) == []


def test_points_of_earlier_versions_and_of_one_beam_are_no_sweep():
    old = point(4, 30.0, elsewise=None)
    points = [SweepPoint(**one) for one in (point(4, 30.0), point(4, 31.0, 1.5), old)]
    assert swept_beams(points) == {}


def test_a_beam_at_one_temperature_is_not_drawn_by_temperature(tmp_path):
    of_beams = [point(1, 30.0), point(4, 31.0, nll=1.5, ece=0.1)]
    by_temperature = point(4, 32.0, 1.5, nll=1.6, ece=0.2)
    both = groups(tmp_path, [*of_beams, by_temperature])
    bleu, ece, _ = temperature_curves(both)
    assert [one.name for one in bleu.series] == ["a"]
    assert bleu.series[0].points == [(1.0, 31.0), (1.5, 32.0)]
    assert ece.series[0].points == [(1.0, 0.1), (1.5, 0.2)]
    assert list(temperature_curves(groups(tmp_path / "b", of_beams))) == []
