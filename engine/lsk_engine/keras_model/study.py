"""A study of label smoothing for your own model: one call, in this process."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ls_base.errors import InputError
from lsk_engine.keras_model.config import PYTHON
from lsk_engine.keras_model.plugin import OwnModelTask
from lsk_engine.progress import Reporter
from lsk_engine.runs.naming import unique_paths
from lsk_engine.settings.config import Config

if TYPE_CHECKING:
    import keras

    from lsk_engine.keras_model.arrays import Labeled
    from lsk_engine.studies.study_result import StudyResult


class InMemoryTask(OwnModelTask):
    """The task `keras` with a function and arrays of this process.

    Args:
        build_model: Returns a Keras model.
        splits: Labeled arrays by split.
        class_names: Names of the classes, by label; `None`: numbers.
    """

    def __init__(
        self,
        build_model: "Callable[[], keras.Model]",
        splits: "Mapping[str, Labeled]",
        class_names: Sequence[str] | None = None,
    ):
        self._build, self._splits, self._class_names = build_model, splits, class_names

    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Returns the splits and the names of the classes."""
        return self._splits, self._class_names

    def builder(self, config: Config) -> Callable[[], Any]:
        """Returns the function."""
        return self._build


def smoothing_study(
    build_model: "Callable[[], keras.Model]",
    *,
    train: Any,
    validation: Any = None,
    test: Any = None,
    alphas: Sequence[float] = (0.0, 0.05, 0.1, 0.2),
    smoothings: Sequence[str] = ("uniform",),
    seeds: int = 3,
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    measure: Sequence[str] = ("accuracy", "calibration"),
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    ignore_class: int | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    verbose: bool = True,
) -> "StudyResult":
    """Decides whether label smoothing helps a model: trains, measures, writes a report.

    All runs are trained in this process, so functions of a notebook and arrays in memory work.
    Every run is a run directory in `out`. Finished runs are reused: the same call resumes after an
    interruption, and further α, seeds or measures train only the missing runs. The random seeds of
    Python, NumPy and the backend are set.

    Args:
        build_model: A function without arguments that returns a new Keras model with logits or a
            softmax as output. The random seed is set before each call. Loss and optimizer of a
            compiled model are replaced.
        train: `(x, y)`, or a finite `tf.data.Dataset` or `keras.utils.PyDataset` of such batches.
            x is an array, or a tuple or mapping with an array for each input; y has integer labels,
            `(n,)` or `(n, time)`, or one-hot labels.
        validation: Validation data in the same form; `None`: a tenth of the training examples,
            drawn at random.
        test: Test data in the same form; `None`: a sixth of the training examples.
        alphas: Label smoothings α, compared with α = 0.
        smoothings: Distributions of the smoothing mass.
        seeds: Number of runs of each α.
        epochs: Passes over the training data. Default: 10.
        batch_size: Examples per step. Default: 32.
        optimizer: A name of `OptimizerConfig`. Default: `adam`.
        learning_rate: Peak of the learning rate. Default: 0.001.
        measure: Names of measures, as for `lsk study --measure`.
        num_classes: Number K of classes. Default: the largest label + 1.
        class_names: Names of the classes, by label. Default: numbers.
        ignore_class: Label of positions that do not count.
        settings: Further settings by dotted key, such as `optimizer.schedule`.
        out: The study's folder. Default: a new folder in `runs`, whose path is logged.
        verbose: Whether to show messages and progress on standard error.

    Returns:
        The numbers by α and seed, verdicts and sentences; `print` shows means and sentences,
        `report.html` in the folder shows everything.

    Raises:
        InputError: If the function or the data cannot be used, before anything is trained; or if
            `out` holds another study.
        KeyboardInterrupt: After Ctrl-C; the same call with `out` set to the logged folder resumes.
    """
    from lsk_engine.devices.backend import load_backend
    from lsk_engine.reports.page import write_report
    from lsk_engine.studies.run_study import run_study
    from lsk_engine.studies.smoothing import smoothing_question

    load_backend()
    reporter = Reporter(verbosity=0 if verbose else -1)
    task = _in_memory(build_model, train, validation, test, class_names)
    given = {
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "optimizer.name": optimizer,
        "optimizer.learning_rate": learning_rate,
        "data.num_classes": num_classes,
        "data.ignore_class": ignore_class,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    for key in settings or {}:
        if key in ("model.name", "model.sha256", "data.source"):
            raise InputError(f"Expected settings that are no arguments. Received: {key}")
    chosen |= settings or {}
    name = getattr(build_model, "__name__", type(build_model).__name__)
    chosen |= _identify(task, name, chosen, reporter)
    study = smoothing_question(
        task.name,
        alphas=alphas,
        smoothings=smoothings,
        settings=chosen,
        seeds=seeds,
        measures=tuple(measure),
    )
    free = unique_paths(Path("runs") / f"study-smoothing-{name}")
    folder = next(free) if out is None else Path(out)
    reporter.message(f"Study: {folder}")
    try:
        result = run_study(study, task, folder, reporter, command=None)
    except KeyboardInterrupt:
        reporter.message(f"Interrupted; the same call with out={str(folder)!r} resumes")
        raise
    written = write_report([folder])
    reporter.message(f"Saved: {written.file}")
    return result


def _in_memory(
    build_model: Any, train: Any, validation: Any, test: Any, class_names: Sequence[str] | None
) -> InMemoryTask:
    from lsk_engine.keras_model.arrays import read_split

    if not callable(build_model):
        raise InputError(
            f"Expected build_model to be a function that returns a model. "
            f"Received: {type(build_model).__name__}"
        )
    given = {"train": train, "validation": validation, "test": test}
    splits = {name: read_split(value, name) for name, value in given.items() if value is not None}
    if "train" not in splits:
        raise InputError("Expected train=(x, y). Received: none")
    return InMemoryTask(build_model, splits, class_names)


def _identify(
    task: InMemoryTask, name: str, chosen: Mapping[str, Any], reporter: Reporter
) -> dict[str, str]:
    """Builds the model once, and returns the settings that identify model and data.

    They are hashes of the content of the data and of the model's layers, because the code of a
    function may be unknown.
    """
    from lsk_engine.data.fingerprint import fingerprint_data
    from lsk_engine.settings.resolving import resolve_config

    first = {"data.source": PYTHON, "model.name": f"{PYTHON}{name}", **chosen}
    config = resolve_config(task, None, first)
    data = task.load_data(config)
    model = task.build_model(config, data)
    if model.compiled:
        reporter.message(
            f"Note: {name} compiles its model; the study's loss and optimizer replace its own"
        )
    # Keras counts the layers of a process in their names.
    layers = re.sub(r'_\d+(?=["/])', "", model.to_json())
    content = json.dumps(fingerprint_data(data).to_dict(), sort_keys=True)
    return {
        "data.source": f"{PYTHON}{_digest(content)}",
        "model.name": f"{PYTHON}{name}",
        "model.sha256": _digest(layers),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
