"""Sweeping the beam of finished runs, with and without undoing their smoothing in the search."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ls_base.errors import InputError, short_repr
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import announce_unsmoothing, load_trained
from lsk_engine.runs.stored_run import StoredRun, check_runs
from lsk_engine.scoring.decode_cache import SearchedPoints
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import replace_decoding
from lsk_engine.settings.unsmoothing import FITTED, unsmooth_alpha

_Searches = Mapping[tuple[float, int], Config]  # by α undone and beam


class BeamSweep(NamedTuple):
    """What `sweep_beams` found.

    Attributes:
        rows: One a run, α undone and number of beams, in this order: `run`, `alpha`,
            `undone_alpha`, `beam_size`, and the scores with the ends of their 95 % intervals,
            `<score>_low` and `<score>_high`, where they are known.
        labels: What the scores are called that all rows have.
    """

    rows: list[dict[str, Any]]
    labels: dict[str, str]


def sweep_beams(
    runs: Sequence[StoredRun],
    beam_sizes: Sequence[int],
    unsmooth: Sequence[float | str | None],
    reporter: Reporter,
    *,
    split: str = "validation",
) -> BeamSweep:
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

    Raises:
        FileError: If a run has no model, or it is damaged.
        InputError: If there is no run, the runs' tasks differ or do not search, a run has no such
            split, or its smoothing can't be undone. What the settings of all runs tell of that is
            told before anything is decoded.
    """
    check_runs(runs)
    if not beam_sizes or not unsmooth:
        raise InputError(
            "Expected a number of beams and an α to undo, or 0, at least. "
            f"Received: {short_repr(list(beam_sizes))} and {short_repr(list(unsmooth))}"
        )
    searches = [_searches(stored, beam_sizes, unsmooth) for stored in runs]
    hard = [stored.config for stored in runs if stored.config.training.alpha == 0]
    if FITTED in unsmooth and hard:
        announce_unsmoothing(replace_decoding(hard[0], {"unsmooth": FITTED}), reporter)
    rows: list[dict[str, Any]] = []
    labels: dict[str, str] = {}
    for stored, of_run in zip(runs, searches, strict=True):
        with stored.directory.lock():
            rows += _sweep_run(stored, of_run, split, reporter, labels)
    kept = {name: label for name, label in labels.items() if all(name in row for row in rows)}
    if missing := [label for name, label in labels.items() if name not in kept]:
        reporter.message(
            f"Left out, as points that earlier versions decoded lack it: {', '.join(missing)}"
        )
    return BeamSweep(rows, kept)


def _searches(
    stored: StoredRun, beam_sizes: Sequence[int], unsmooth: Sequence[float | str | None]
) -> _Searches:
    found: dict[tuple[float, int], Config] = {}
    for undone in unsmooth:
        for beam_size in beam_sizes:
            changes: dict[str, Any] = {"beam_size": beam_size}
            if undone or hasattr(stored.config.decoding, "unsmooth"):  # 0 is all that others do
                changes["unsmooth"] = undone
            try:
                one = replace_decoding(stored.config, changes)
                alpha = unsmooth_alpha(one.training, one.decoding, one.distillation)
            except InputError as error:
                raise InputError(f"{stored.directory.path}: {error}") from None
            found.setdefault((alpha, beam_size), one)
    return found


def _sweep_run(
    stored: StoredRun,
    searches: _Searches,
    split: str,
    reporter: Reporter,
    labels: dict[str, str],
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
        labels.update(scores.labels)
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
