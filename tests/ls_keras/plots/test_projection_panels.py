import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from ls_base.errors import InputError
from ls_keras.plots import projection_panels, projection_rows
from ls_keras.representation import Projection


def projection(rng, scale=1.0, names=("a", "b", "c")):
    corners = scale * np.array([[-1.0, -0.5], [1.0, -0.5], [0.0, 1.0]])
    labels = np.repeat([4, 7, 9], 5)
    coordinates = np.repeat(corners, 5, axis=0) + rng.normal(size=(15, 2)) * 0.2 * scale
    return Projection((4, 7, 9), names, labels, coordinates, corners)


def without_text(figure):
    for ax in figure.axes:
        ax.set(title="", xlabel="", ylabel="", xticks=[], yticks=[])
    for legend in figure.legends:
        legend.remove()
    return figure


def test_a_panel_equals_a_plain_drawing(rng, tmp_path):
    one = projection(rng)
    figure = Figure(figsize=(4, 4))
    projection_panels({"x": one}, axes=[figure.add_axes((0.1, 0.1, 0.8, 0.8))])
    without_text(figure).savefig(tmp_path / "actual.png", dpi=80)

    expected = Figure(figsize=(4, 4))
    ax = expected.add_axes((0.1, 0.1, 0.8, 0.8))
    everything = np.concatenate([one.coordinates, one.corners])
    low, high = everything.min(0), everything.max(0)
    half = 0.55 * (high - low).max()
    middle = (low + high) / 2
    ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    ax.plot([-1, 1, 0, -1], [-0.5, -0.5, 1, -0.5], "k:", linewidth=1)
    styles = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"))
    for i, (color, marker) in enumerate(styles):
        x, y = one.coordinates[5 * i : 5 * i + 5].T
        ax.plot(x, y, marker, color=color, markersize=13**0.5, alpha=0.55, markeredgewidth=0)
        ax.plot(*one.corners[i], marker, color=color, markersize=75**0.5, markeredgecolor="k",
                markeredgewidth=1.3)  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    without_text(expected).savefig(tmp_path / "expected.png", dpi=80)
    names = [str(tmp_path / name) for name in ("expected.png", "actual.png")]
    assert compare_images(*names, tol=3) is None

    ax.lines[-1].set_xdata([0.5])
    expected.savefig(names[0], dpi=80)
    assert compare_images(*names, tol=3) is not None  # the comparison can fail


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


def test_axes_are_counted(rng):
    with pytest.raises(InputError, match="2 axes"):
        projection_panels(
            {"a": projection(rng), "b": projection(rng)}, axes=[Figure().add_subplot()]
        )


def test_long_titles_do_not_overlap(rng):
    panels = {f"α = 0 (image-digits-mlp-seed{i}), validation": projection(rng) for i in range(4)}
    figure = projection_panels(panels)
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert all(not one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    rows = [(round(box.y0), round(box.x0)) for box in boxes]
    assert len({y for y, _ in rows}) == len({x for _, x in rows}) == 2
