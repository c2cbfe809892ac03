"""Draws several runs in one reliability diagram: Figures 2 and 3 of the paper."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from os.path import lexists
from pathlib import Path
from typing import Any, Literal

from ls_base.errors import FileError, InputError, shell_command
from ls_keras.calibration import ReliabilityCurve, SmoothReliability, smooth_curve_of_statistics
from ls_keras.plots import reliability_diagram, reliability_rows, save, style
from ls_keras.plots.reliability_diagram import MOST_CURVES
from lsk_engine.runs.naming import name_by_alpha
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.scoring.position_statistics import Predictions
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.settings_diff import name_settings

Models = Literal["both", "as-trained", "scaled"]

_SOURCE = "data.source"
_HEIGHT, _LINE = 6.6, 0.21  # inches of a panel, and of a line of its legend


@dataclasses.dataclass(frozen=True, eq=False)
class RunCurve:
    """The reliability curve of a run's model.

    Attributes:
        panel: Its panel: the task and its data.
        name: Its name in the panel.
        setting: Name of the setting if seeds are drawn together; empty otherwise.
        curve: The curve.
        smooth: The curve without bins.
    """

    panel: str
    name: str
    setting: str
    curve: ReliabilityCurve
    smooth: SmoothReliability


def compare_reliability(
    runs: Sequence[RunDirectory],
    split: str,
    output: Path,
    *,
    models: Models = "both",
    smooth: bool = False,
) -> list[RunCurve]:
    """Draws the curves of evaluated runs, with a panel for each task and data set.

    A run contributes its curve and, after `lsk evaluate --calibrated`, the curve of its calibrated
    model. If a panel would have more than six curves, those of runs that differ only in the seed
    are drawn as one.

    Args:
        runs: Evaluated runs.
        split: The split.
        output: The PNG to write; the SVG, and the numbers as CSV and JSON, are written beside it.
        models: Which curves: those of the models as trained, those after scaling, or both.
        smooth: Whether lines are smoothed with the kernel of the smECE, instead of joining the
            bins. Curves that are drawn as one are not smoothed.

    Returns:
        The curves, one for each run and model.

    Raises:
        InputError: If there is no run, one is given twice, there are more than six settings, or no
            run has such a model.
        FileError: If a run has not been evaluated on `split`.
    """
    if not runs or len({run.path.resolve() for run in runs}) < len(runs):
        raise InputError(
            f"Expected one or more different runs. Received: {[str(r.path) for r in runs]}"
        )
    configs = [flat(run.read_config()) for run in runs]
    titles = _title_panels(configs)
    found: list[RunCurve] = []
    for title in dict.fromkeys(titles):
        inside = [i for i, other in enumerate(titles) if other == title]
        panel_configs = [configs[i] for i in inside]
        alphas = [config["training.alpha"] for config in panel_configs]
        names = name_by_alpha([runs[i].path for i in inside], alphas)
        settings = _name_settings(panel_configs)
        for i, name, setting in zip(inside, names, settings, strict=True):
            found += _curves(runs[i], title, name, setting, split, models)
    if not found:
        raise InputError(
            "Expected runs whose scaled model has been scored (`lsk calibrate RUN`, then "
            f"`lsk evaluate --calibrated RUN`). Received: {', '.join(str(r.path) for r in runs)}"
        )
    panels = {one.panel: _group_lines([o for o in found if o.panel == one.panel]) for one in found}
    _draw(panels, split, output, smooth)
    return found


def _title_panels(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the title of each run's panel: its task, and its data if several are used."""
    sources: dict[str, dict[str, None]] = {}
    for config in configs:
        sources.setdefault(config["task"], {})[str(config.get(_SOURCE))] = None
    return [
        f"{config['task']}, {Path(str(config.get(_SOURCE))).name}"
        if len(sources[config["task"]]) > 1
        else str(config["task"])
        for config in configs
    ]


def _name_settings(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the name of each run's setting, for runs that are drawn with their other seeds."""
    full = name_settings(configs)
    by_alpha = [f"α = {config['training.alpha']:g}" for config in configs]
    return by_alpha if len(set(by_alpha)) == len(set(full)) else full


def _curves(
    run: RunDirectory, panel: str, name: str, setting: str, split: str, models: Models
) -> Iterable[RunCurve]:
    file = run.statistics_file(split)
    if not lexists(file):
        raise FileError(
            f"Expected a run evaluated on split '{split}' "
            f"(`{shell_command('lsk', 'evaluate', run.path)}`). "
            f"Received: {run.path} without {file.name}"
        )
    if models != "scaled":
        yield _curve(run, file, panel, name, setting, None)
    scaled = run.statistics_file(split, calibrated=True)
    if models == "as-trained" or not lexists(scaled):
        return
    calibration = run.read_calibration()
    if calibration is None:
        raise FileError(
            f"Expected a calibrated run (`{shell_command('lsk', 'calibrate', run.path)}`). "
            f"Received: {run.path} without {run.calibration_file.name}"
        )
    how = f", {calibration.method} scaling"
    yield _curve(run, scaled, panel, name + how, setting + how, calibration.temperature)


def _curve(
    run: RunDirectory, file: Path, panel: str, name: str, setting: str, temperature: float | None
) -> RunCurve:
    run.checksums.check(file)
    predictions = Predictions.load(file)
    return RunCurve(
        panel,
        name,
        setting,
        predictions.curve(temperature=temperature),
        smooth_curve_of_statistics(predictions.confidences, predictions.columns["correct"]),
    )


def _group_lines(found: Sequence[RunCurve]) -> dict[str, list[RunCurve]]:
    """Returns the curves of each line of a panel, by name: one, or all seeds of a setting."""
    if len(found) <= MOST_CURVES:
        return {one.name: [one] for one in found}
    by_setting: dict[str, list[RunCurve]] = {}
    for one in found:
        by_setting.setdefault(one.setting, []).append(one)
    if len(by_setting) > MOST_CURVES:
        raise InputError(
            f"Expected at most {MOST_CURVES} curves in a diagram, with seeds of a setting as one: "
            f"name fewer RUNS, or use --only as-trained or --only scaled. Received: "
            f"{len(by_setting)} of {found[0].panel} ({', '.join(by_setting)})"
        )
    return by_setting


def _draw(
    panels: Mapping[str, Mapping[str, Sequence[RunCurve]]], split: str, output: Path, smooth: bool
) -> None:
    """Draws the panels below one another, and writes their numbers."""
    heights = [_HEIGHT + _LINE * (len(lines) + 2) for lines in panels.values()]
    figure = style.new_figure(height=sum(heights))
    parts = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    rows = []
    for part, (panel, lines) in zip(parts, panels.items(), strict=True):
        ax, counts_ax = part.subplots(2, 1, sharex=True, height_ratios=(3.2, 1.0))
        curves = {name: [one.curve for one in group] for name, group in lines.items()}
        smoothed = {name: group[0].smooth for name, group in lines.items() if len(group) == 1}
        wanted = smoothed if smooth and smoothed else None
        title = f"Reliability: {panel}, {split}"
        reliability_diagram(curves, ax=ax, counts_ax=counts_ax, title=title, smooth=wanted)
        first = {"panel": panel} if len(panels) > 1 else {}
        rows += [first | row for row in reliability_rows(curves, wanted)]
    names = dict.fromkeys(name for row in rows for name in row)
    save(figure, output, [{name: row.get(name) for name in names} for row in rows])
