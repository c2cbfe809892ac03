"""What a report doesn't show because nobody has made it, and the commands that do."""

from collections.abc import Sequence

from ls_base.errors import shell_command
from lsk_engine.reports.run_files import ReadRun, swept_beams, swept_temperatures


def missing(runs: Sequence[ReadRun]) -> list[tuple[str, str]]:
    """Returns what no run has, and for the first finished one the command that makes it.

    Args:
        runs: The runs.
    """
    finished = [run for run in runs if run.metrics is not None]
    if not finished:
        return []
    path = finished[0].directory.path
    calibrate = shell_command("lsk", "calibrate", path)
    evaluate = shell_command("lsk", "evaluate", path)
    makes = {
        "reliability diagrams": (
            any(run.reliability for run in runs),
            evaluate,
        ),
        "references beside outputs": (
            any(run.references for run in runs) or not any(run.outputs for run in runs),
            evaluate,
        ),
        "a fitted temperature": (
            any(run.calibrated is not None for run in runs),
            f"{calibrate} && {evaluate} --calibrated",
        ),
        "scores by temperature": (
            any(swept_temperatures(points) for run in runs for points in run.sweeps.values()),
            shell_command("lsk", "sweep-temperature", path),
        ),
        "scores by number of beams": (
            any(swept_beams(points) for run in runs for points in run.sweeps.values())
            or "decoding.beam_size" not in finished[0].settings,
            shell_command("lsk", "sweep-beams", path),
        ),
        "a projection": (
            any("projection" in run.pictures for run in runs),
            shell_command("lsk", "project", path, "--classes", "A,B,C"),
        ),
        "mutual information": (
            any(run.information for run in runs),
            shell_command("lsk", "probe", path, "--classes", "A,B"),
        ),
    }
    return [(what, command) for what, (there, command) in makes.items() if not there]
