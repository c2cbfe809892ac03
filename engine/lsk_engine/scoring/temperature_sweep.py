"""Sweeping the temperature of finished runs: decoded scores, NLL and ECE. Figure 4 of the paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ls_base.errors import InputError
from ls_keras.calibration import temperature_curve
from ls_keras.plots import save_plot, temperature_panels
from lsk_engine.data.datasets import as_dataset, evaluation_source, explain_data_errors
from lsk_engine.devices.distributed_predict import model_on_devices
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import announce_unsmoothing, load_trained
from lsk_engine.runs.stored_run import StoredRun, check_runs
from lsk_engine.scoring.decode_cache import SearchedPoints
from lsk_engine.settings.unsmoothing import unsmooth_alpha


def sweep_temperature(
    runs: Sequence[StoredRun],
    temperatures: Sequence[float],
    output: Path | None,
    reporter: Reporter,
    *,
    split: str = "validation",
) -> list[dict[str, Any]]:
    """Scores runs at each temperature and draws the curves.

    NLL and ECE of a run come from one teacher-forced pass for all temperatures. They are those of
    the model's own p, also where `decoding.unsmooth` has the search take p*. Each temperature
    is decoded on its own; a point that is finished is kept in its run, so that a sweep that was
    stopped goes on where it was.

    Args:
        runs: Finished runs of one task. Their `config.decoding` says how to search.
        temperatures: T > 0.
        output: The PNG to write, the numbers beside it as CSV and JSON; `None`: none.
        reporter: Who is told.
        split: The split to decode.

    Returns:
        A row a run and temperature: `run`, `alpha`, `temperature`, the task's scores with the
        ends of their 95 % intervals, `nll` (nats a label) and `ece`.

    Raises:
        InputError: If there is no run, the runs' tasks differ, or a run has no such split.
    """
    check_runs(runs)
    labels: dict[str, str] = {}
    rows = []
    for stored in runs:
        with stored.directory.lock():
            rows += _sweep_run(stored, temperatures, split, reporter, labels)
    # Points of earlier versions lack scores, and a BLEU of 0 its interval: told is what all have.
    rows = [{name: row[name] for name in row if all(name in one for one in rows)} for row in rows]
    labels = {name: label for name, label in labels.items() if not rows or name in rows[0]}
    if output is not None:
        title = f"Scores by temperature, {split}"
        score = next(iter(labels))
        save_plot(temperature_panels, rows, output, score=score, labels=labels, title=title)
    return rows


def _sweep_run(
    stored: StoredRun,
    temperatures: Sequence[float],
    split: str,
    reporter: Reporter,
    labels: dict[str, str],
) -> list[dict[str, Any]]:
    run, task, config = stored
    model, data = load_trained(task, config, run)
    if split not in data.splits:
        raise InputError(f"Expected a split of {', '.join(data.splits)}. Received: {split!r}")
    source = evaluation_source(config, data, split)
    announce_unsmoothing(config, reporter)
    if alpha := unsmooth_alpha(config.training, config.decoding, config.distillation):
        reporter.message(
            f"{run.path}: searching with the smoothing α = {alpha:g} undone; NLL and ECE are those "
            "of the model as it is"
        )
    reporter.message(f"{run.path}: NLL and ECE on {len(source.examples):,} examples")
    with explain_data_errors(source):
        curve = temperature_curve(
            model_on_devices(model, config),
            as_dataset(source, 0, source.steps_per_epoch),
            temperatures,
            from_logits=True,
            ignore_class=data.ignore_class,
        )
    points = SearchedPoints(stored, model, data, split, reporter)
    rows = []
    for temperature, nll, ece in zip(curve.temperatures, curve.nll, curve.ece, strict=True):
        told = f"{run.path.name}, T = {temperature:g}:"
        scores = points.scores(config, temperature, told, nll=nll, ece=ece)
        labels.update(scores.labels)
        rows.append(
            {
                "run": str(run.path),
                "alpha": config.training.alpha,
                "temperature": temperature,
                **scores.flat(),
                "nll": nll,
                "ece": ece,
            }
        )
        shown = "  ".join(f"{scores.labels[n]} {scores.values[n]:.2f}" for n in scores.labels)
        reporter.message(f"  T = {temperature:g}  {shown}  NLL {nll:.4f}  ECE {ece:.4f}")
    return rows
