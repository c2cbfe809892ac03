import pickle

from ls_keras.plots import style


def test_series_differ_in_color_marker_and_line():
    assert len(set(style.COLORS)) == len(set(style.MARKERS)) == len(set(style.LINE_STYLES)) == 7
    first, second, *_ = zip(style.looks(), range(8), strict=False)
    assert all(a != b for a, b in zip(first[0], second[0], strict=True))


def test_a_notebook_shows_a_figure_that_is_the_value_of_a_cell():
    figure = style.new_figure(2, 2)
    figure.subplots().plot([0, 1], [1, 0])
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure)).axes  # as Matplotlib's can be
