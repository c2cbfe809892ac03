from ls_keras.plots import style


def test_series_differ_in_color_marker_and_line():
    assert len(set(style.COLORS)) == len(set(style.MARKERS)) == len(set(style.LINE_STYLES)) == 7
    first, second, *_ = zip(style.looks(), range(8), strict=False)
    assert all(a != b for a, b in zip(first[0], second[0], strict=True))
