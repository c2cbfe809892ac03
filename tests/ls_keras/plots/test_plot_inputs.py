import pytest
from matplotlib.figure import Figure

from ls_base.errors import InputError
from ls_keras.plots.plot_inputs import as_named, check_axes, check_rows, check_strings, get_figure


def test_a_single_object_has_the_empty_name():
    assert as_named(1.5, float) == {"": 1.5}
    named = {"a": 1.5, "b": 2.5}
    assert as_named(named, float) == named
    assert as_named(named, float) is not named


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"Expected an int, or a mapping of names to them. Received: {}"),
        ([1], r"Expected an int, .* Received: \[1\]"),
        ({"a": 1, "b": "2"}, "Expected an int, .* Received: str for 'b'"),
    ],
)
def test_objects_of_another_class_raise_input_errors(data, message):
    with pytest.raises(InputError, match=message):
        as_named(data, int)


@pytest.mark.parametrize("name", [0.0, 1, None])
def test_names_must_be_strings(name):
    check_strings(("", "a"))
    with pytest.raises(InputError, match=f"Expected names that are strings.* Received: {name}$"):
        as_named({name: 1}, int)


def test_rows_without_a_key_raise_input_errors():
    check_rows([{"a": 1, "b": 2}], ("a", "b"))
    with pytest.raises(InputError, match="keys b, c. Received: a"):
        check_rows([{"a": 1}], ("a", "b", "c"))
    with pytest.raises(InputError, match="keys a. Received: no rows"):
        check_rows([], ("a",))


def test_ends_of_intervals_are_numbers_or_none():
    row = {"a": 1, "a_high": 2.0, "b": 1, "b_low": "of another kind"}
    check_rows([row, row | {"a_low": None}], ("a", "b"), banded=("a",))
    for end in ("a_low", "a_high"):
        for value in (float("nan"), float("inf"), "0.5", True):
            with pytest.raises(InputError, match=f"Expected {end} to be a finite number"):
                check_rows([row | {end: value}], ("a", "b"), banded=("a",))


def test_axes_are_counted_and_have_a_figure():
    figure = Figure()
    part, _ = figure.subfigures(1, 2)
    axes = part.subplots(1, 2)
    assert check_axes(axes, 2, "a map") == list(axes)
    assert get_figure(axes[0]) is figure
    with pytest.raises(InputError, match="Expected 3 axes, one for a map. Received: 2"):
        check_axes(axes, 3, "a map")
