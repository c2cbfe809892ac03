"""Line charts as numbers that a template draws: scales, ticks, and where each point lies.

All positions are in the units of the drawing, `WIDTH` × `HEIGHT`, its origin at the upper left.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 28, 42
SIZE = {
    **{"width": WIDTH, "height": HEIGHT},
    **{"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
}
LOOKS = 7  # colors with a dash and a marker each, in `page.css` and `page.html`
_MOST_MARKERS = 40  # points of a series
_LARGEST = 1e100  # farther out, nothing is told apart, and differences would overflow
_MOST_TOLD = 6  # series in the text for those who can't see the chart
Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        name: What the legend calls it; series of one name and look are told once.
        points: x and y; in the order that they are joined in.
        intervals: The ends of an interval of each y; empty: there are none.
        look: Which color, dash and marker.
        columns: Of a histogram behind the line: the ends of each bin, and its height.
        faded: Whether a point is hardly known, one a point; empty: none is.
    """

    name: str
    points: Sequence[Point]
    intervals: Sequence[Point] = ()
    look: int = 0
    columns: Sequence[tuple[float, float, float]] = ()
    faded: Sequence[bool] = ()


@dataclasses.dataclass(frozen=True)
class Reference:
    """A dotted line that series are seen against.

    Attributes:
        name: What the legend calls it.
        points: Its two ends; an x of NaN is the edge of the chart on that side.
    """

    name: str
    points: tuple[Point, Point]


@dataclasses.dataclass(frozen=True)
class Tick:
    """A tick and its label."""

    at: float
    label: str


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A series as it is drawn.

    Attributes:
        look: Which color, dash and marker.
        path: The line, as an SVG path; empty: all of it is faded.
        markers: Where markers stand.
        band: The intervals as one area, as an SVG path; empty: there are none.
        bars: The intervals as bars: x, and y of both ends.
        columns: The histogram behind it, as SVG paths.
        faint: The parts of the line that end in a faded point, as an SVG path.
        faint_markers: Where faded points are.
        faint_bars: Their intervals, as `bars`.
    """

    look: int
    path: str
    markers: tuple[Point, ...] = ()
    band: str = ""
    bars: tuple[tuple[float, float, float], ...] = ()
    columns: tuple[str, ...] = ()
    faint: str = ""
    faint_markers: tuple[Point, ...] = ()
    faint_bars: tuple[tuple[float, float, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: What it shows.
        x_label: What the horizontal axis is, with its unit.
        y_label: Likewise of the vertical one.
        series: The lines.
        references: What they are seen against.
        bars: Whether intervals are bars at the points; else a band.
        limits: Of both axes, x then y; `None`: what the points need.
        note: What has to be known to read it.
        x_names: What is at each x, where there is no scale; empty: there is one.
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

    # Looked for once: each point is set between them.
    @functools.cached_property
    def x_limits(self) -> Point:
        """The least and the largest x."""
        if self.limits is not None:
            return self.limits[0]
        return _span(x for one in self.series for x, _ in one.points)

    @functools.cached_property
    def y_limits(self) -> Point:
        """The least and the largest y, with some room."""
        if self.limits is not None:
            return self.limits[1]
        values = [y for one in self.series for _, y in one.points]
        values += [y for one in self.series for pair in one.intervals for y in pair]
        values += [y for one in self.references for _, y in one.points]
        low, high = _span(values)
        room = 0.06 * (high - low)
        return (low if 0 <= low < room else low - room), high + room

    def x(self, value: float) -> float:
        """Returns where an x lies."""
        low, high = self.x_limits
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (_near(value) - low) / (high - low), 1)

    def y(self, value: float) -> float:
        """Returns where a y lies."""
        low, high = self.y_limits
        share = (_near(value) - low) / (high - low)
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)

    def x_ticks(self) -> list[Tick]:
        """Returns the ticks of the horizontal axis."""
        if self.x_names:
            return [Tick(self.x(value), name) for value, name in self.x_names.items()]
        return [Tick(self.x(v), tick_label(v)) for v in tick_values(*self.x_limits, 5)]

    def y_ticks(self) -> list[Tick]:
        """Returns the ticks of the vertical axis."""
        return [Tick(self.y(v), tick_label(v)) for v in tick_values(*self.y_limits, 5)]

    def drawn(self) -> list[Drawn]:
        """Returns the series as they are drawn."""
        return [self._drawn(one) for one in self.series]

    def _drawn(self, series: Series) -> Drawn:
        at = [(self.x(x), self.y(y)) for x, y in series.points]
        faded = [*series.faded] or [False] * len(at)
        ends = [(self.y(low), self.y(high)) for low, high in series.intervals]
        bars = [(x, low, high) for (x, _), (low, high) in zip(at, ends, strict=False)]
        strong = [bar for bar, dim in zip(bars, faded, strict=False) if not dim]
        area = [(x, low) for x, low, _ in strong] + [(x, high) for x, _, high in strong[::-1]]
        single = len(at) == 1
        marked = [*zip(at, faded, strict=True)] if len(at) <= _MOST_MARKERS else []
        drawn_as_bars = self.bars or single
        return Drawn(
            look=series.look % LOOKS,
            path=_path(at) if single else _joined(at, faded, dim=False),
            markers=tuple(point for point, dim in marked if not dim),
            band="" if drawn_as_bars or not area else f"{_path(area)}Z",
            bars=tuple(strong) if drawn_as_bars else (),
            columns=tuple(self._column(*column) for column in series.columns),
            faint="" if single else _joined(at, faded, dim=True),
            faint_markers=tuple(point for point, dim in marked if dim),
            faint_bars=tuple(bar for bar, dim in zip(bars, faded, strict=False) if dim)
            if drawn_as_bars
            else (),
        )

    def _column(self, low: float, high: float, height: float) -> str:
        left, right, top, bottom = self.x(low), self.x(high), self.y(height), self.y(0.0)
        return f"M{left:g} {bottom:g}V{top:g}H{right:g}V{bottom:g}Z"

    def dotted(self) -> list[str]:
        """Returns the references as SVG paths."""
        low, high = self.x_limits
        paths = []
        for one in self.references:
            (x0, y0), (x1, y1) = one.points
            x0, x1 = (low if math.isnan(x0) else x0), (high if math.isnan(x1) else x1)
            paths.append(_path([(self.x(x0), self.y(y0)), (self.x(x1), self.y(y1))]))
        return paths

    def legend(self) -> list[tuple[int, str]]:
        """Returns look and name of each series that has a name, each once."""
        return list(dict.fromkeys((one.look % LOOKS, one.name) for one in self.series if one.name))

    def _name(self, x: float) -> str:
        return self.x_names.get(x, f"{x:.4g}")

    def text(self) -> str:
        """Returns what the chart shows, for those who can't see it."""
        told = [
            f"{one.name or 'from'}: {y0:.4g} at {self._name(x0)} to {y1:.4g} at {self._name(x1)}"
            for one in self.series[:_MOST_TOLD]
            for (x0, y0), (x1, y1) in [(one.points[0], one.points[-1])]
        ]
        more = len(self.series) - _MOST_TOLD
        told += [f"and {more} more"] * (more > 0)
        return f"{self.title}. {self.y_label} against {self.x_label}. {'; '.join(told)}."


def tick_values(low: float, high: float, about: int) -> list[float]:
    """Returns round numbers from `low` to `high`.

    Args:
        low: The least.
        high: The largest, above it.
        about: How many.

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

    Args:
        value: Where it is.

    Example:
    >>> tick_label(12000.0), tick_label(0.25)
    ('12,000', '0.25')
    """
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


def _span(values: Iterable[float]) -> Point:
    """Returns the least and the largest value; of one value, some room about it."""
    found = [_near(value) for value in values]
    low, high = min(found), max(found)
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    room = 0.1 * abs(low) or 0.5
    return low - room, high + room


def _near(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _joined(points: Sequence[Point], faded: Sequence[bool], *, dim: bool) -> str:
    """Returns the parts of a line that end in a faded point, or those that don't, as a path."""
    path, last = "", -1
    for i in range(len(points) - 1):
        if (faded[i] or faded[i + 1]) == dim:
            (x, y), start = points[i + 1], points[i]
            path += f"L{x:g} {y:g}" if last == i else f"M{start[0]:g} {start[1]:g}L{x:g} {y:g}"
            last = i + 1
    return path
