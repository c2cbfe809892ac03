"""Sweeping the beam of finished runs, with and without undoing their smoothing in the search."""

from collections.abc import Sequence
from typing import Any

from ls_base.errors import InputError, shown
from lsk_engine.assembly.trained_model import load_trained
from lsk_engine.progress import Reporter
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.searched_points import SearchedPoints
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import with_decoding
from lsk_engine.settings.unsmoothing import undone_alpha


def sweep_beams(
    runs: Sequence[StoredRun],
    beam_sizes: Sequence[int],
    unsmooth: Sequence[float | str | None],
    reporter: Reporter,
    *,
    split: str = "validation",
) -> list[dict[str, Any]]:
    """Decodes and scores runs with each number of beams, and each α undone.

    The other settings of a search are those of `config.decoding`. What is finished is kept in its
    run, so that a sweep that was stopped goes on where it was.

    Args:
        runs: Finished runs of one task that searches.
        beam_sizes: Numbers of live beams; 1 is greedy search.
        unsmooth: What is undone, as `decoding.unsmooth` has it; `None`: as the run has it. Two that
            are the same to a run, such as 0 and `fitted` with α = 0, are decoded once.
        reporter: Who is told.
        split: The split to decode.

    Returns:
        A row a run, α undone and number of beams, in this order: `run`, `alpha`, `undone_alpha`,
        `beam_size`, and the task's scores with the ends of their 95 % intervals.

    Raises:
        InputError: If there is no run, the runs' tasks differ or do not search, a run has no such
            split, or its smoothing can't be undone: before anything is decoded.
    """
    names = sorted({stored.task.name for stored in runs})
    if len(names) != 1 or len({s.directory.path.resolve() for s in runs}) < len(runs):
        raise InputError(
            "Expected one or more different runs of one task. "
            f"Received: {[str(s.directory.path) for s in runs]} ({', '.join(names) or 'none'})"
        )
    if not beam_sizes or not unsmooth:
        raise InputError(
            "Expected a number of beams and an α to undo, or 0, at least. "
            f"Received: {shown(list(beam_sizes))} and {shown(list(unsmooth))}"
        )
    searches = [_searches(stored.config, beam_sizes, unsmooth) for stored in runs]
    points = []
    for stored, of_run in zip(runs, searches, strict=True):
        with stored.directory.at_work():
            points += _sweep_run(stored, of_run, split, reporter)
    return points


def _searches(
    config: Config, beam_sizes: Sequence[int], unsmooth: Sequence[float | str | None]
) -> dict[tuple[float, int], Config]:
    """Returns the configurations by what tells them apart: α undone, and beam."""
    found: dict[tuple[float, int], Config] = {}
    for undone in unsmooth:
        for beam_size in beam_sizes:
            changes: dict[str, Any] = {"beam_size": beam_size}
            if undone or hasattr(config.decoding, "unsmooth"):  # nothing is undone without it
                changes["unsmooth"] = undone
            one = with_decoding(config, changes)
            alpha = undone_alpha(one.training, one.decoding, one.distillation)
            found.setdefault((alpha, beam_size), one)
    return found


def _sweep_run(
    stored: StoredRun,
    searches: dict[tuple[float, int], Config],
    split: str,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    run, task, config = stored
    model, data = load_trained(task, config, run)
    if split not in data.splits:
        raise InputError(f"Expected a split of {', '.join(data.splits)}. Received: {split!r}")
    points = SearchedPoints(stored, model, data, split, reporter)
    rows = []
    for (alpha, beam_size), searched in searches.items():
        told = f"{run.path.name}, beam {beam_size}" + f", α = {alpha:g} undone" * bool(alpha)
        scores = points.scores(searched, searched.decoding.temperature, f"{told}:")
        rows.append(
            {
                "run": str(run.path),
                "alpha": config.training.alpha,
                "undone_alpha": alpha,
                "beam_size": beam_size,
                **scores.flat(),
            }
        )
        values = "  ".join(f"{scores.labels[n]} {scores.values[n]:.2f}" for n in scores.labels)
        reporter.message(f"{told}:  {values}")
    return rows
