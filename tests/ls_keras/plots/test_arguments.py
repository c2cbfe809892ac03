import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.plots.arguments import by_name, check_axes, check_rows, figure_of


def test_one_thing_alone_has_the_empty_name():
    assert by_name(1.5, float) == {"": 1.5}
    named = {"a": 1.5, "b": 2.5}
    assert by_name(named, float) == named
    assert by_name(named, float) is not named


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"Expected an int, or a mapping of names to them. Received: {}"),
        ([1], r"Expected an int, .* Received: \[1\]"),
        ({"a": 1, "b": "2"}, "Expected an int, .* Received: str for 'b'"),
    ],
)
def test_what_is_no_such_thing_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        by_name(data, int)


def test_rows_without_a_key_are_refused():
    check_rows([{"a": 1, "b": 2}], ("a", "b"))
    with pytest.raises(InputError, match="keys b, c. Received: a"):
        check_rows([{"a": 1}], ("a", "b", "c"))
    with pytest.raises(InputError, match="keys a. Received: no rows"):
        check_rows([], ("a",))


def test_axes_are_one_for_each_and_know_their_figure():
    figure = Figure()
    part, _ = figure.subfigures(1, 2)
    axes = part.subplots(1, 2)
    assert check_axes(axes, 2, "a map") == list(axes)
    assert figure_of(axes[0]) is figure
    with pytest.raises(InputError, match="Expected 3 axes, one a map. Received: 2"):
        check_axes(axes, 3, "a map")
