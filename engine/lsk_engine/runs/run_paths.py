"""The names of a run directory's files."""

import os
from pathlib import Path

from ls_base.errors import InputError, short_repr


class RunPaths:
    """The files of one run.

    ```
    RUN/config.json       the resolved configuration
    RUN/environment.json  versions, machine, command and time of each start
    RUN/data.json         the data fingerprint
    RUN/artifacts/        files that belong to the model (vocabulary)
    RUN/checkpoints/      full training states, by step
    RUN/history.jsonl     one line per evaluation during training
    RUN/model.keras       the trained model
    RUN/metrics.json      the final scores, one schema for all tasks
    RUN/model-calibrated.keras, calibration.json, metrics-calibrated.json
                          results of `lsk calibrate`, and the scores with it
    RUN/outputs/          decoded outputs, one JSON list per split
    RUN/evaluation/       figures and numbers of `lsk evaluate` and later stages
    RUN/new-data/NAME/    the same for other data (`lsk evaluate --data`), with their scores
    RUN/tensorboard/      written by `lsk train --tensorboard`, read by TensorBoard only
    RUN/log.txt           the messages of the terminal
    RUN/checksums.json    the SHA-256 of each file, without log and history
    RUN/.lock             held while a process writes the run; empty
    ```

    Args:
        path: The directory; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.environment_file = self.path / "environment.json"
        self.data_file = self.path / "data.json"
        self.artifacts = self.path / "artifacts"
        self.checkpoints = self.path / "checkpoints"
        self.history_file = self.path / "history.jsonl"
        self.model_file = self.path / "model.keras"
        self.calibrated_model_file = self.path / "model-calibrated.keras"
        self.calibration_file = self.path / "calibration.json"
        self.metrics_file = self.path / "metrics.json"
        self.calibrated_metrics_file = self.path / "metrics-calibrated.json"
        self.outputs = self.path / "outputs"
        self.evaluation = self.path / "evaluation"
        # Figures, each with its numbers in a file beside it; γ of the run as a teacher.
        self.learning_curves_file = self.evaluation / "learning-curves.png"
        self.projection_file = self.evaluation / "projection.png"
        self.information_file = self.evaluation / "mutual-information.png"
        self.gamma_file = self.evaluation / "equivalent-smoothing.json"
        self.tensorboard = self.path / "tensorboard"
        self.log_file = self.path / "log.txt"
        self.lock_file = self.path / ".lock"
        self.checksums_file = self.path / "checksums.json"

    def new_data_folder(self, name: str) -> Path:
        """Returns the folder of scores on other data of this name; it has no `config.json`."""
        return self.path / "new-data" / _check_name(name)

    def sweep_file(self, split: str) -> Path:
        """Returns the file of a split's sweeps over temperatures and beam sizes."""
        return self.evaluation / f"{_check_name(split)}-temperature-sweep.json"

    def outputs_file(self, split: str) -> Path:
        """Returns the file of a split's decoded outputs."""
        return self.outputs / f"{_check_name(split)}.json"

    def references_file(self, split: str) -> Path:
        """Returns the file of the texts that a split's outputs are compared with."""
        return self.evaluation / f"references-{_check_name(split)}.json"

    def statistics_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns the file of a split's statistics by position."""
        name = f"statistics-{_check_name(split)}{'-calibrated' * calibrated}.npz"
        return self.evaluation / name

    def reliability_file(self, split: str, *, calibrated: bool = False) -> Path:
        """Returns the file of a split's reliability diagram; its numbers are beside it."""
        name = f"reliability-{_check_name(split)}{'-calibrated' * calibrated}.png"
        return self.evaluation / name

    def picture_file(self, name: str, split: str) -> Path:
        """Returns the file of a figure that the task drew of a split; its numbers are beside it."""
        return self.evaluation / f"{_check_name(name)}-{_check_name(split)}.png"

    def measured_file(self, measure: str) -> Path:
        """Returns the file of the numbers of a study's measure."""
        return self.evaluation / f"measured-{_check_name(measure)}.json"


def _check_name(name: str) -> str:
    """Returns the name of a split, which the data choose, if it can be part of a file's name."""
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0") or len(name) > 100:
        raise InputError(
            "Expected the name of a split that can be part of a file's name. "
            f"Received: {short_repr(name)}"
        )
    return name
