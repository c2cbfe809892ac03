import itertools

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.plots import projection_panels, projection_rows
from ls_keras.representation import Projection


def projection(rng, scale=1.0, names=("a", "b", "c")):
    corners = scale * np.array([[-1.0, -0.5], [1.0, -0.5], [0.0, 1.0]])
    labels = np.repeat([4, 7, 9], 5)
    coordinates = np.repeat(corners, 5, axis=0) + rng.normal(size=(15, 2)) * 0.2 * scale
    return Projection((4, 7, 9), names, labels, coordinates, corners)


def test_dots_are_examples_and_marks_are_templates(rng):
    one = projection(rng)
    (ax,) = projection_panels({"x": one}).axes
    drawn = [np.asarray(marks.get_offsets()) for marks in ax.collections]
    for i in range(3):
        np.testing.assert_array_equal(drawn[2 * i], one.coordinates[5 * i : 5 * i + 5])
        np.testing.assert_array_equal(drawn[2 * i + 1], one.corners[i : i + 1])
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), one.corners[[0, 1, 2, 0]])
    colors = [tuple(marks.get_facecolor()[0, :3]) for marks in ax.collections]
    assert len(set(colors)) == 3
    assert colors[::2] == colors[1::2]


def test_common_and_separate_limits(rng):
    panels = {"large": projection(rng, 5.0), "small": projection(rng)}
    common = projection_panels(panels).axes
    assert common[0].get_xlim() == common[1].get_xlim()
    assert common[0].get_ylim() == common[1].get_ylim()
    own = projection_panels(panels, common_axes=False).axes
    assert np.ptp(own[0].get_xlim()) > 3 * np.ptp(own[1].get_xlim())
    for ax, one in zip(own, panels.values(), strict=True):
        assert ax.get_aspect() == 1
        assert ax.get_xlim()[0] < one.coordinates[:, 0].min()
        assert ax.get_ylim()[1] > one.coordinates[:, 1].max()


def test_titles_and_shared_legend(rng):
    panels = {"train": projection(rng), "validation": projection(rng)}
    figure = projection_panels(panels, title="Run")
    assert [ax.get_title() for ax in figure.axes] == ["train", "validation"]
    assert figure.get_suptitle() == "Run"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    panels["other"] = projection(rng, names=("d", "e", "f"))
    figure = projection_panels(panels)
    assert not figure.legends
    assert [text.get_text() for text in figure.axes[2].get_legend().get_texts()] == ["d", "e", "f"]
    figure.draw_without_rendering()
    for ax in figure.axes:
        legend = ax.get_legend().get_window_extent()
        assert not any(legend.overlaps(other.get_window_extent()) for other in figure.axes)


def test_names_with_a_leading_underscore_are_in_the_legend(rng):
    names = ("_silence_", "_unknown_", "_")
    panels = {"train": projection(rng, names=names)}
    figure = projection_panels(panels)
    assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == [*names]
    panels["other"] = projection(rng)
    legend = projection_panels(panels).axes[0].get_legend()
    assert [text.get_text().strip() for text in legend.get_texts()] == [*names]


def test_rows_have_the_numbers(rng):
    one = projection(rng)
    rows = projection_rows({"train": one, "validation": projection(rng)})
    assert len(rows) == 2 * 18
    first = rows[:18]
    assert [row["kind"] for row in first] == ["template"] * 3 + ["example"] * 15
    np.testing.assert_array_equal([[r["x"], r["y"]] for r in first[3:]], one.coordinates)
    assert [(row["class"], row["name"]) for row in first[:3]] == [(4, "a"), (7, "b"), (9, "c")]


@pytest.mark.parametrize("panels", [{}, None, {"a": 3}, []])
def test_other_objects_raise_input_errors(panels):
    with pytest.raises(InputError, match="Projections"):
        projection_panels(panels)


def test_long_titles_do_not_overlap(rng):
    panels = {f"α = 0 (image-digits-mlp-seed{i}), validation": projection(rng) for i in range(4)}
    figure = projection_panels(panels)
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert all(not one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    rows = [(round(box.y0), round(box.x0)) for box in boxes]
    assert len({y for y, _ in rows}) == len({x for _, x in rows}) == 2
