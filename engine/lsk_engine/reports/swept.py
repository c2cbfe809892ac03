"""Which points of a run are of a sweep over beams, and which of one over temperatures."""

from collections.abc import Iterable
from typing import NamedTuple

from lsk_engine.runs.records import SweepPoint


class Search(NamedTuple):
    """A way to search, whatever the beam: a digest of model and settings, T, and the α undone."""

    elsewise: str
    temperature: float
    undone_alpha: float


def swept_beams(points: Iterable[SweepPoint]) -> dict[Search, list[SweepPoint]]:
    """Returns the points of searches that were made with several beams, in the order of these.

    Args:
        points: Of a run and split; those of earlier versions don't tell their beam.
    """
    found: dict[Search, dict[int, SweepPoint]] = {}
    for point in points:
        if point.elsewise is not None and point.beam_size is not None:
            search = Search(point.elsewise, point.temperature, point.undone_alpha or 0.0)
            found.setdefault(search, {})[point.beam_size] = point
    return {
        search: [of_search[beam_size] for beam_size in sorted(of_search)]
        for search, of_search in found.items()
        if len(of_search) > 1
    }


def swept_temperatures(points: Iterable[SweepPoint]) -> list[list[SweepPoint]]:
    """Returns the points of sweeps over temperatures, those of one model and search together.

    A point of a sweep over beams, which has no NLL, is among them where the same search was made
    at other temperatures, too.

    Args:
        points: Of a run and split; those of earlier versions have no NLL either.
    """
    found: dict[str, list[SweepPoint]] = {}
    for point in points:
        found.setdefault(point.settings, []).append(point)
    return [
        of_search
        for of_search in found.values()
        if len(of_search) > 1 or of_search[0].nll is not None or of_search[0].elsewise is None
    ]
