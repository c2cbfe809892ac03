"""Several runs in one reliability diagram: Figures 2 and 3 of the paper."""

from collections.abc import Sequence
from pathlib import Path

from ls_base.errors import FileError, InputError
from ls_base.reading import is_there
from ls_keras.calibration import ReliabilityCurve
from ls_keras.plots import reliability_diagram, save_plot
from lsk_engine.runs.records import Compared
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.scoring.predictions import Predictions


def compare_reliability(
    runs: Sequence[RunDirectory], split: str, output: Path
) -> dict[str, ReliabilityCurve]:
    """Draws the curves of evaluated runs over one another.

    A run contributes its curve and, if `lsk evaluate --calibrated` has been there, the curve of
    its calibrated model.

    Args:
        runs: Evaluated runs.
        split: Which split.
        output: The PNG to write; the numbers go beside it as CSV and JSON.

    Returns:
        The curves by name.

    Raises:
        InputError: If there is no run, or one is given twice.
        FileError: If a run has not been evaluated on `split`.
    """
    if not runs or len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            f"Expected one or more different runs. Received: {[str(r.path) for r in runs]}"
        )
    configs = [run.read(run.config_file, Compared, schema=SCHEMA) for run in runs]
    alphas = [config.training.alpha for config in configs]
    tasks = {config.task for config in configs}
    curves: dict[str, ReliabilityCurve] = {}
    for run, alpha in zip(runs, alphas, strict=True):
        name = f"α = {alpha:g}"
        if alphas.count(alpha) > 1:
            name += f" ({run.path.name})"
        file = run.statistics_file(split)
        if not is_there(file):
            raise FileError(
                f"Expected a run evaluated on split '{split}' (`lsk evaluate {run.path}`). "
                f"Received: {run.path} without {file.name}"
            )
        curves[name] = _load(run, file).curve()
        scaled = run.statistics_file(split, calibrated=True)
        if is_there(scaled):
            calibration = run.read_calibration()
            if calibration is None:
                raise FileError(
                    f"Expected a calibrated run (`lsk calibrate {run.path}`). "
                    f"Received: {run.path} without {run.calibration_file.name}"
                )
            curves[f"{name}, {calibration.method} scaling"] = _load(run, scaled).curve(
                temperature=calibration.temperature
            )
    title = f"Reliability: {', '.join(sorted(tasks))}, {split}"
    save_plot(reliability_diagram, curves, output, title=title)
    return curves


def _load(run: RunDirectory, file: Path) -> Predictions:
    run.checksums.check(file)
    return Predictions.load(file)
