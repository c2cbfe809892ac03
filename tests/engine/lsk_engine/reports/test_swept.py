from lsk_engine.reports.swept import Search, swept_beams, swept_temperatures
from lsk_engine.runs.records import SweepPoint


def point(settings, temperature=1.0, beam_size=None, undone=0.0, elsewise="e", nll=None):
    return SweepPoint(
        settings=settings,
        temperature=temperature,
        values={},
        labels={},
        intervals={},
        nll=nll,
        elsewise=elsewise,
        beam_size=beam_size,
        undone_alpha=undone,
    )


def test_beams_of_one_model_temperature_and_undone_alpha_belong_together():
    wide, narrow = point("16", beam_size=16), point("4", beam_size=4)
    undone = point("u", beam_size=4, undone=0.1)
    warmer = point("4", temperature=2.0, beam_size=4)
    other = point("o", beam_size=8, elsewise="another model")
    found = swept_beams([wide, narrow, undone, warmer, other])
    assert found == {Search("e", 1.0, 0.0): [narrow, wide]}


def test_points_of_earlier_versions_tell_no_beam():
    assert swept_beams([point("a", beam_size=b, elsewise=None) for b in (1, 4)]) == {}


def test_beams_at_one_temperature_are_no_sweep_over_temperatures():
    beams = [point("1", beam_size=1), point("4", beam_size=4)]
    assert swept_temperatures(beams) == []
    measured = [point("4", t, beam_size=4, nll=1.0) for t in (1.0, 1.5)]
    assert swept_temperatures([*beams[:1], *measured]) == [measured]
    assert swept_temperatures(measured[:1]) == [measured[:1]]


def test_a_point_that_a_sweep_over_beams_has_found_stays_with_those_of_its_search():
    old = [point("a", t, elsewise=None) for t in (0.9, 1.1)]
    found_again = point("a", 1.0, beam_size=4)
    assert swept_temperatures([*old, found_again]) == [[*old, found_again]]
    assert swept_temperatures(old[:1]) == [old[:1]]
