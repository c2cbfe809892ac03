"""The learning curves that every run draws of its history."""

from typing import Any

from ls_base.files import nan_to_none
from ls_keras.plots import learning_curves, save_plot
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config

_LABELS = {
    "loss": "Loss as trained (nats)",
    "nll": "NLL, unsmoothed (nats)",
    "accuracy": "Accuracy (share of positions)",
    "ece": "ECE (15 bins)",
}


def draw_learning_curves(run: RunDirectory, config: Config) -> None:
    """Draws loss, NLL, accuracy and ECE over the steps, with their numbers beside the picture.

    Args:
        run: The run, with its history.
        config: Its configuration, for the title.
    """
    rows: list[dict[str, Any]] = [
        {
            "step": entry["step"],
            "epoch": entry["epoch"],
            **nan_to_none(entry["train"]),
            **{f"val_{name}": value for name, value in nan_to_none(entry["validation"]).items()},
        }
        for entry in run.read_history()
    ]
    if rows:
        title = f"{config.task}, α = {config.training.alpha:g}, seed {config.training.seed}"
        save_plot(learning_curves, rows, run.learning_curves_file, labels=_LABELS, title=title)
