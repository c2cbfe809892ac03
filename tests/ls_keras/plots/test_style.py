import itertools
import pickle

import pytest

from ls_base.errors import InputError
from ls_keras.plots import style


def test_seven_series_differ_in_color_marker_and_line():
    assert len(set(style.COLORS)) == len(set(style.MARKERS)) == len(set(style.LINE_STYLES)) == 7
    first, second, *_ = style.series_styles(7)
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_any_two_of_many_series_differ_in_two_ways():
    assert style.series_styles(49)[:7] == style.series_styles(7)
    for one, other in itertools.combinations(style.series_styles(49), 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 2
    with pytest.raises(InputError, match="Expected at most 49 series.* Received: 50"):
        style.series_styles(50)


def test_notebooks_display_figures():
    figure = style.new_figure(2, 2)
    figure.subplots().plot([0, 1], [1, 0])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure)).axes
