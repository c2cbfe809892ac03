"""Does smoothing help a model of one's own? A study in one call, in this process."""

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
from lsk_engine.tasks.contract import Task

if TYPE_CHECKING:
    import keras

    from lsk_engine.keras_model.arrays import Labeled
    from lsk_engine.studies.study_result import StudyResult


class InMemoryTask(OwnModelTask):
    """A function and arrays that this process holds.

    Args:
        build_model: Returns a Keras model.
        splits: Labeled arrays by split.
        class_names: By label; `None`: numbers.
    """

    def __init__(
        self,
        build_model: "Callable[[], keras.Model]",
        splits: "Mapping[str, Labeled]",
        class_names: Sequence[str] | None = None,
    ):
        self._build, self._splits, self._class_names = build_model, splits, class_names

    def splits(self, config: Config) -> "tuple[Mapping[str, Labeled], Sequence[str] | None]":
        """Returns them."""
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
    """Asks whether label smoothing helps a model: trains, measures, decides, writes a report.

    All in this process, so that functions of a notebook and arrays in memory will do. Every run is
    a run directory below `out`; what is finished there is kept, so that the same call goes on after
    an interruption, and more α, seeds or measures take what is there. The random seeds of Python,
    NumPy and the backend are set.

    Args:
        build_model: Returns a new Keras model that ends in logits or in a softmax; takes no
            arguments. The random seed is set before each call. A loss or optimizer that it was
            compiled with is replaced.
        train: `(x, y)`, or a finite `tf.data.Dataset` or `keras.utils.PyDataset` of such batches.
            x is an array, or a tuple or mapping of arrays, one an input; y has integer labels,
            `(n,)` or `(n, time)`, or one-hot ones.
        validation: Likewise; `None`: a tenth of the training examples, drawn at random.
        test: Likewise; `None`: a sixth.
        alphas: Label smoothings α, compared with α = 0.
        smoothings: What the mass follows.
        seeds: Runs of each α.
        epochs: Passes over the training data. Default: 10.
        batch_size: Examples a step. Default: 32.
        optimizer: A name of `OptimizerConfig`. Default: `adam`.
        learning_rate: Its peak. Default: 0.001.
        measure: What is measured, by the names of `lsk study --measure`.
        num_classes: K. Default: the largest label + 1.
        class_names: By label. Default: numbers.
        ignore_class: Label of positions that don't count.
        settings: Any others by dotted key, such as `optimizer.schedule`.
        out: The study's folder. Default: a new one below `runs`, which is told.
        verbose: Whether to tell how far it is, on standard error.

    Returns:
        The numbers by α and seed, decisions and sentences; `print` shows a table and the sentences,
        `report.html` in the folder shows all.

    Raises:
        InputError: If the function or the data can't be used, in one line, before anything is
            trained; or if `out` holds another study.
        KeyboardInterrupt: After Ctrl-C; with `out` of the folder, which is told, the call goes on.
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
    chosen |= _known(settings or {}, task)
    name = getattr(build_model, "__name__", type(build_model).__name__)
    chosen |= _known_by(task, name, chosen, reporter)
    asked = smoothing_question(
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
        result = run_study(asked, task, folder, reporter, command=None)
    except KeyboardInterrupt:
        reporter.message(f"Stopped; with out={str(folder)!r} the same call goes on")
        raise
    written = write_report([folder])
    reporter.message(f"Saved: {written.file}")
    return result


def _in_memory(
    build_model: Any, train: Any, validation: Any, test: Any, class_names: Sequence[str] | None
) -> InMemoryTask:
    from lsk_engine.keras_model.arrays import labeled

    if not callable(build_model):
        raise InputError(
            f"Expected build_model to be a function that returns a model. "
            f"Received: {type(build_model).__name__}"
        )
    given = {"train": train, "validation": validation, "test": test}
    splits = {name: labeled(value, name) for name, value in given.items() if value is not None}
    if "train" not in splits:
        raise InputError("Expected train=(x, y). Received: none")
    return InMemoryTask(build_model, splits, class_names)


def _known(settings: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """Refuses settings that say what arguments say, or that there are none of."""
    for key in settings:
        if key in ("model.name", "model.sha256", "data.source"):
            raise InputError(f"Expected settings without {key}, which arguments say. Received: it")
    return settings


def _known_by(
    task: InMemoryTask, name: str, chosen: Mapping[str, Any], reporter: Reporter
) -> dict[str, str]:
    """Builds the model once, to look at it, and returns what model and data are known by.

    Of the data, their content; of the model, its layers: the code of a function need not be known.
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
