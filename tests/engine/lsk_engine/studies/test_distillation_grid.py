import pytest

from ls_base.errors import InputError
from lsk_engine.studies.distillation_grid import Grid, points_of


def test_the_default_is_the_papers():
    points = list(points_of(Grid()))
    assert len({p.folder for p in points}) == 5 * (6 + 6 + 7 + 5)
    assert len(points) == 5 * (6 + 6 + 7 + 6)  # both curves of students begin with one run


def test_points_have_their_teachers_before_them():
    points = list(points_of(Grid((0.0, 0.3), (1.0, 4.0), seeds=2)))
    for number, point in enumerate(points):
        if point.teacher is not None:
            assert point.teacher in points[:number]
            assert point.teacher.seed == point.seed
    folders = [p.folder for p in points if p.seed == 1]
    assert folders == [
        "teachers/alpha0-seed1",
        "teachers/alpha0.3-seed1",
        "students/alone-alpha0-seed1",
        "students/alone-alpha0.3-seed1",
        "students/of-hard-T1-seed1",
        "students/of-hard-T4-seed1",
        "students/of-hard-T1-seed1",
        "students/of-alpha0.3-seed1",
    ]


def test_without_temperature_1_no_student_is_of_both_curves():
    points = list(points_of(Grid((0.0, 0.3), (4.0,), seeds=1)))
    assert len({p.folder for p in points}) == len(points) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alphas": ()}, r"at least one α, all in \[0, 1\]"),
        ({"alphas": (0.0, 1.5)}, r"all in \[0, 1\].*1.5"),
        ({"alphas": (0.0, float("nan"))}, r"all in \[0, 1\].*nan"),
        ({"alphas": (0.1,)}, "α = 0 among the alphas"),
        ({"temperatures": ()}, "at least one temperature"),
        ({"temperatures": (0.0, 1.0)}, "all finite and above 0"),
        ({"temperatures": (float("inf"),)}, "all finite and above 0"),
        ({"seeds": 0}, "at least one seed"),
    ],
)
def test_grids_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Grid(**arguments)
