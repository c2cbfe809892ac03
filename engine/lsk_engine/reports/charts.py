"""Line charts for the report: scales, ticks and the position of every point in the drawing.

The report does not use the figures of `ls_keras.plots`: as measured, Matplotlib takes 0.3 s and
50 kB for a chart, after a second for its import, and a page about 160 runs has hundreds of charts.
Its SVGs fix their colors in 300 inline styles each, which neither a dark page nor the page's
content security policy allows. These charts take about a millisecond and 3 kB each, and the style
sheet sets their colors.

Positions are in units of the drawing, `WIDTH` × `HEIGHT`, with the origin at the upper left.
`page.html` writes the SVG elements.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 28, 42  # margins, where the labels are
SIZE = {
    **{"width": WIDTH, "height": HEIGHT},
    **{"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
}
LOOKS = 7  # colors, each with a dash pattern and a marker, in `page.css` and `page.html`
_MAX_POINTS = 400  # of a line; a chart is not wide enough to show more
_MAX_MARKERS = 40  # of a line
_MAX_DESCRIBED = 6  # series in the alternative text
_LARGEST = 1e100  # larger values are clamped, as their differences would overflow
Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: The name in the legend; several series may share one, such as the seeds of a setting.
        points: The points (x, y), in the order in which the line connects them.
        intervals: The interval (low, high) of each y; empty: no intervals are known.
        look: The number of the color, dash pattern and marker.
        columns: The columns (left, right, height) of a histogram behind the line.
        faded: For each point, whether to draw it faded; empty: none is.
    """

    name: str
    points: Sequence[Point]
    intervals: Sequence[Point] = ()
    look: int = 0
    columns: Sequence[tuple[float, float, float]] = ()
    faded: Sequence[bool] = ()


@dataclasses.dataclass(frozen=True)
class Reference:
    """A dotted line for comparison.

    Attributes:
        name: The name in the legend.
        points: Its two ends; NaN for x means the left or right edge of the chart.
    """

    name: str
    points: tuple[Point, Point]


@dataclasses.dataclass(frozen=True)
class SeriesPath:
    """A series in drawing units.

    Attributes:
        look: The number of the color, dash pattern and marker.
        line: The line, as an SVG path.
        markers: x, y and whether it is faded, of each marker.
        bars: x, both ends and whether it is faded, of each interval that is drawn as a bar.
        band: The intervals as one area, as an SVG path; empty: they are bars or unknown.
        columns: The columns of the histogram, as SVG paths.
    """

    look: int
    line: str
    markers: list[tuple[float, float, bool]]
    bars: list[tuple[float, float, float, bool]]
    band: str
    columns: list[str]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A line chart.

    Attributes:
        title: The title.
        x_label: The label of the horizontal axis, with its unit.
        y_label: The label of the vertical axis, with its unit.
        series: The lines.
        references: Dotted lines for comparison.
        bars: Whether intervals are drawn as bars at the points, instead of a band.
        limits: The limits of both axes, x then y; `None`: as the points need.
        note: An explanation below the chart.
        x_names: Labels by x for an axis without a scale; empty: the axis has a scale.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    references: Sequence[Reference] = ()
    bars: bool = False
    limits: tuple[Point, Point] | None = None
    note: str = ""
    x_names: Mapping[float, str] = dataclasses.field(default_factory=dict)
    kind: str = "chart"

    # Cached, because every point needs both.
    @functools.cached_property
    def x_limits(self) -> Point:
        """The least and the largest x."""
        if self.limits is not None:
            return self.limits[0]
        return _span(x for one in self.series for x, _ in one.points)

    @functools.cached_property
    def y_limits(self) -> Point:
        """The least and the largest y, with a margin."""
        if self.limits is not None:
            return self.limits[1]
        values = [y for one in self.series for _, y in one.points]
        values += [y for one in self.references for _, y in one.points]
        values += [y for one in self.series for pair in one.intervals for y in pair]
        low, high = _span(values)
        margin = 0.06 * (high - low)
        return (low if 0 <= low < margin else low - margin), high + margin

    def x(self, value: float) -> float:
        """Returns the horizontal position of a value."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x_limits), 1)

    def y(self, value: float) -> float:
        """Returns the vertical position of a value."""
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * _share(value, self.y_limits), 1)

    def x_ticks(self) -> list[tuple[float, str]]:
        """Returns the position and the label of each tick of the horizontal axis."""
        if self.x_names:
            return [(self.x(value), name) for value, name in self.x_names.items()]
        return [(self.x(v), tick_label(v)) for v in tick_values(*self.x_limits, 5)]

    def y_ticks(self) -> list[tuple[float, str]]:
        """Returns the position and the label of each tick of the vertical axis."""
        return [(self.y(v), tick_label(v)) for v in tick_values(*self.y_limits, 5)]

    def paths(self) -> list[SeriesPath]:
        """Returns the series in drawing units."""
        return [self._path(one) for one in self.series]

    def _path(self, series: Series) -> SeriesPath:
        count = len(series.points)
        step = -(-count // _MAX_POINTS)
        some = slice((count - 1) % step, None, step)  # the last point is one of them
        points = [(self.x(x), self.y(y)) for x, y in series.points[some]]
        faded = [*series.faded[some]] or [False] * len(points)
        ends = [(self.y(low), self.y(high)) for low, high in series.intervals[some]]
        band, bars = "", []
        if self.bars or len(points) == 1:
            bars = [
                (x, low, high, dim)
                for (x, _), (low, high), dim in zip(points, ends, faded, strict=False)
            ]
        elif ends:
            lower = [(x, low) for (x, _), (low, _) in zip(points, ends, strict=True)]
            upper = [(x, high) for (x, _), (_, high) in zip(points, ends, strict=True)]
            band = f"{_svg_path([*lower, *upper[::-1]])}Z"
        markers = [(x, y, dim) for (x, y), dim in zip(points, faded, strict=True)]
        return SeriesPath(
            look=series.look % LOOKS,
            line=_svg_path(points),
            markers=markers if len(markers) <= _MAX_MARKERS else [],
            bars=bars,
            band=band,
            columns=[self._column(*column) for column in series.columns],
        )

    def _column(self, low: float, high: float, height: float) -> str:
        left, right, top, bottom = self.x(low), self.x(high), self.y(height), self.y(0.0)
        return f"M{left:g} {bottom:g}V{top:g}H{right:g}V{bottom:g}Z"

    def reference_paths(self) -> list[str]:
        """Returns the references as SVG paths."""
        paths = []
        for one in self.references:
            edges = zip(one.points, self.x_limits, strict=True)
            ends = [(edge if math.isnan(x) else x, y) for (x, y), edge in edges]
            paths.append(_svg_path([(self.x(x), self.y(y)) for x, y in ends]))
        return paths

    def legend(self) -> list[tuple[int, str]]:
        """Returns each look and name once, without series that have no name."""
        return list(dict.fromkeys((one.look % LOOKS, one.name) for one in self.series if one.name))

    def text(self) -> str:
        """Returns the alternative text, for readers who cannot see the chart."""
        parts = [
            f"{one.name or 'from'}: {y0:.4g} at {self._name(x0)} to {y1:.4g} at {self._name(x1)}"
            for one in self.series[:_MAX_DESCRIBED]
            for (x0, y0), (x1, y1) in [(one.points[0], one.points[-1])]
        ]
        more = len(self.series) - _MAX_DESCRIBED
        parts += [f"and {more} more"] * (more > 0)
        return f"{self.title}. {self.y_label} against {self.x_label}. {'; '.join(parts)}."

    def _name(self, x: float) -> str:
        return self.x_names.get(x, f"{x:.4g}")


def tick_values(low: float, high: float, about: int) -> list[float]:
    """Returns round numbers between two limits.

    Args:
        low: The lower limit.
        high: The upper limit, above `low`.
        about: The approximate count.

    Example:
    >>> tick_values(0, 1, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * s for s in (1, 2, 5, 10) if power * s >= 0.999 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Returns the label of a tick.

    Example:
    >>> tick_label(12000.0), tick_label(0.25)
    ('12,000', '0.25')
    """
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


def _span(values: Iterable[float]) -> Point:
    """Returns the least and the largest value, with a margin if they are (nearly) equal."""
    clamped = [_clamp(value) for value in values]
    low, high = min(clamped), max(clamped)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    margin = 0.1 * abs(low) or 0.5
    return low - margin, high + margin


def _share(value: float, limits: Point) -> float:
    low, high = limits
    return (_clamp(value) - low) / (high - low)


def _clamp(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _svg_path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
