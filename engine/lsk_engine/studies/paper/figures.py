"""The paper's figures, drawn from a study's runs with the first seed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ls_base.errors import LsKerasError
from ls_base.records import read_record
from lsk_engine.progress import Reporter
from lsk_engine.runs.schemas import InformationPoint
from lsk_engine.runs.stored_run import StoredRun, open_run
from lsk_engine.settings.parsing import flat
from lsk_engine.studies.distillation import draw_figure
from lsk_engine.studies.measurements import TEMPERATURES
from lsk_engine.studies.paper.paper_studies import Part
from lsk_engine.studies.settings_diff import comparable_settings, differing_keys
from lsk_engine.studies.study_folder import FIGURE_FILE, RUNS
from lsk_engine.studies.study_result import StudyResult
from lsk_engine.studies.text_tables import heading

Draw = Callable[[Sequence[StoredRun], Part, Path, Reporter], object]


def draw(
    figure: str, part: Part, result: StudyResult, folder: Path, file: Path, reporter: Reporter
) -> Path:
    """Draws a figure, its numbers beside it as CSV and JSON.

    Args:
        figure: A name of `FIGURES`, or `distillation`, which is drawn into the study's folder.
        part: The study.
        result: Its result.
        folder: Its folder.
        file: The PNG to write.
        reporter: Receives progress.

    Returns:
        The file of the figure.

    Raises:
        LsKerasError: If the numbers for the figure are missing.
    """
    if figure == "distillation":
        draw_figure(result, folder, f"{part.study.preset}, {result.split}")
        return folder / FIGURE_FILE
    paths = [folder / RUNS / f"{arm}-seed0" for arm in result.arms]
    runs = [open_run(path) for path in paths if path.name not in result.missing]
    if not runs:
        raise LsKerasError(f"Expected a finished run with seed 0. Received: none in {folder}")
    FIGURES[figure](runs, part, file, reporter)
    return file


def _projection(runs: Sequence[StoredRun], part: Part, file: Path, reporter: Reporter) -> None:
    from lsk_engine.scoring.project import project_runs

    project_runs(runs, reporter, file, classes=part.classes)


def _reliability(runs: Sequence[StoredRun], part: Part, file: Path, reporter: Reporter) -> None:
    from lsk_engine.studies.comparison.reliability import compare_reliability

    compare_reliability([run.directory for run in runs], part.study.split, file)


def _temperature(runs: Sequence[StoredRun], part: Part, file: Path, reporter: Reporter) -> None:
    from lsk_engine.scoring.temperature_sweep import sweep_temperature

    sweep_temperature(runs, TEMPERATURES, file, reporter)


def _information(runs: Sequence[StoredRun], part: Part, file: Path, reporter: Reporter) -> None:
    from ls_keras.plots import information_curve, save_plot

    alphas = [f"α = {config.training.alpha:g}" for *_, config in runs]
    settings = [comparable_settings(flat(config.to_dict())) for *_, config in runs]
    if len(set(alphas)) == len(alphas):
        names = alphas
    else:
        keys = differing_keys(settings)
        names = [heading({key: one.get(key) for key in keys}) for one in settings]
    curves = {}
    for name, (directory, *_) in zip(names, runs, strict=True):
        found = directory.information_file.with_suffix(".json")
        points = read_record(found, list[InformationPoint])
        curves[name] = [point.to_dict() for point in points]
    save_plot(information_curve, curves, file)


FIGURES: Mapping[str, Draw] = {
    "projection": _projection,
    "reliability": _reliability,
    "temperature": _temperature,
    "information": _information,
}
