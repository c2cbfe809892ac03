"""Warm start: training starts from the weights of another run's model."""

from collections.abc import Mapping

import keras

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import model_sha256
from lsk_engine.settings.config import Config
from lsk_engine.tasks.class_ids import CLASSES_FILE, named_classes
from lsk_engine.tasks.contract import TaskData

_LISTED = 4


def init_from_artifacts(config: Config) -> Mapping[str, bytes] | None:
    """Returns the artifacts (vocabulary) of the run `training.init_from`, or `None`."""
    if config.training.init_from is None:
        return None
    return RunDirectory.open(config.training.init_from).read_artifacts()


def load_initial_weights(
    model: keras.Model, config: Config, data: TaskData, reporter: Reporter
) -> None:
    """Sets the weights of a new model to those of the run `training.init_from`.

    The models must be the same, layer by layer. The last layer, `logits`, keeps its new weights if
    its classes differ; a message says so.

    Args:
        model: A new model.
        config: The new run's configuration.
        data: Its data, with the names of the classes.
        reporter: Receives a message.

    Raises:
        InputError: If the run's model has changed since this run was started, or does not fit.
    """
    run = RunDirectory.open(str(config.training.init_from))
    if model_sha256(run) != config.training.init_sha256:
        raise InputError(
            f"Expected the model that {run.path} had when this run was started from it. "
            "Received: another"
        )
    first = run.load_model()
    (old, old_logits), (new, new_logits) = _weights(first), _weights(model)
    different = [
        f"{b.path} {tuple(b.shape)} for {a.path} {tuple(a.shape)}"
        for a, b in zip(new, old, strict=False)
        if a.shape != b.shape or a.name != b.name
    ]
    if len(new) != len(old) or different:
        what = ", ".join(different[:_LISTED]) or f"{len(old)} weights for {len(new)}"
        raise InputError(
            f"Expected the same model as that of --init-from {run.path}, `logits` apart. "
            f"Received: {what}"
        )
    anew = _why_anew(run, old_logits, new_logits, data)
    pairs = [*zip(new, old, strict=True), *zip(new_logits, old_logits, strict=not anew)]
    for to, value in pairs[: len(new)] if anew else pairs:
        to.assign(value)
    reporter.message(
        f"Started from the weights of {run.path}"
        + (f"; `logits` starts from new weights: {anew}" * bool(anew))
    )


def _weights(model: keras.Model) -> tuple[list, list]:
    """Returns the weights of all layers except `logits`, and those of `logits`."""
    logits = model.get_layer("logits").weights
    own = {id(weight) for weight in logits}
    return [weight for weight in model.weights if id(weight) not in own], logits


def _why_anew(run: RunDirectory, old: list, new: list, data: TaskData) -> str:
    shapes = [[tuple(weight.shape) for weight in weights] for weights in (old, new)]
    if shapes[0] != shapes[1]:
        return f"{shapes[1][-1][-1]} classes for {shapes[0][-1][-1]}"
    before = run.read_artifacts().get(CLASSES_FILE)
    if before is not None and before != named_classes(data.class_names)[CLASSES_FILE]:
        return "classes of other names"
    return ""
