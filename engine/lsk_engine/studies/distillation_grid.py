"""Which networks a sweep over teachers and students has, and where each is kept."""

import dataclasses
import math
from collections.abc import Iterator

from ls_base.errors import InputError

ALPHAS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)
SEEDS = 5


@dataclasses.dataclass(frozen=True)
class Grid:
    """Which points the curves have; the defaults are the paper's.

    Attributes:
        alphas: Of teachers and of students alone, 0 … 1; teachers above 0 get students at T = 1.
        temperatures: Of the students of the teacher with α = 0.
        seeds: How many of each point: 0, 1, …
    """

    alphas: tuple[float, ...] = ALPHAS
    temperatures: tuple[float, ...] = TEMPERATURES
    seeds: int = SEEDS

    def __post_init__(self):
        if not self.alphas or not all(0 <= alpha <= 1 for alpha in self.alphas):
            raise InputError(f"Expected at least one α, all in [0, 1]. Received: {self.alphas}")
        if not self.temperatures or not all(0 < t < math.inf for t in self.temperatures):
            raise InputError(
                "Expected at least one temperature, all finite and above 0. "
                f"Received: {self.temperatures}"
            )
        if 0 not in self.alphas:
            raise InputError(
                "Expected α = 0 among the alphas: that teacher's students go over the "
                f"temperatures. Received: {self.alphas}"
            )
        if self.seeds < 1:
            raise InputError(f"Expected at least one seed. Received: {self.seeds}")


@dataclasses.dataclass(frozen=True)
class Point:
    """One network of a sweep.

    Attributes:
        curve: One of `ls_keras.plots.distillation_curves.CURVES`.
        alpha: Of the loss or, of a student, of its teacher's.
        temperature: Of the teacher's logits; 1 where there is no teacher.
        seed: Of the network and of its teacher.
    """

    curve: str
    alpha: float
    temperature: float
    seed: int

    @property
    def folder(self) -> str:
        """The run's path below the sweep's."""
        if self.curve == "teacher":
            return f"teachers/alpha{self.alpha:g}-seed{self.seed}"
        setting = f"alpha{self.alpha:g}"
        if self.curve == "student alone":
            setting = f"alone-{setting}"
        elif self.alpha == 0:
            setting = f"of-hard-T{self.temperature:g}"
        else:
            setting = f"of-{setting}"
        return f"students/{setting}-seed{self.seed}"

    @property
    def teacher(self) -> "Point | None":
        """The student's teacher; `None`: it has none."""
        if self.curve in ("teacher", "student alone"):
            return None
        return Point("teacher", self.alpha, 1.0, self.seed)

    def __str__(self) -> str:
        setting = f"α = {self.alpha:g}"
        if self.curve == "student of hard teacher":
            setting = f"T = {self.temperature:g}"
        return f"{self.curve}, {setting}, seed {self.seed}"


def points_of(grid: Grid) -> Iterator[Point]:
    """Yields the points seed by seed, each teacher before its students.

    The teacher with α = 0 at T = 1 is where both curves of students begin: its student, one run, is
    a point of both.
    """
    for seed in range(grid.seeds):
        for curve in ("teacher", "student alone"):
            for alpha in grid.alphas:
                yield Point(curve, alpha, 1.0, seed)
        for temperature in grid.temperatures:
            yield Point("student of hard teacher", 0.0, temperature, seed)
        for alpha in grid.alphas:
            if alpha > 0 or 1 in grid.temperatures:
                yield Point("student of smoothed teacher", alpha, 1.0, seed)
