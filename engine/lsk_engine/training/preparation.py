"""Everything that training needs, built and checked before anything is written to the run."""

import dataclasses

import keras
import numpy as np

from ls_base.errors import FileError
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import evaluation_source, training_source
from lsk_engine.devices.keras_patches import patch_for_strategy, patch_layers
from lsk_engine.devices.precision import with_loss_scaling
from lsk_engine.devices.xla import compiles_replicas, jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.schemas import HistoryEntry
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.checkpointing import pending_validation_loss
from lsk_engine.training.distillation import build_learner
from lsk_engine.training.early_stopping import EarlyStopping, trim_history
from lsk_engine.training.init_from import load_initial_weights
from lsk_engine.training.optimizers import build_optimizer
from lsk_engine.training.unused_settings import unused_settings
from lsk_engine.training.validation import build_validator
from lsk_engine.training.weight_averaging import steps_to_average


@dataclasses.dataclass(frozen=True)
class Training:
    """What is trained, on what, and from where.

    Attributes:
        model: The model that is saved at the end.
        learner: The model that `fit` trains: the model, or a `Distiller` around it.
        validator: The model, compiled for evaluation.
        source: The training batches.
        validation: The validation batches.
        checkpoints: The states.
        early_stopping: Follows the validations.
        history: The entries up to `start`.
        start: The step that training continues from; 0: a new run.
        total: The last step.
        averaged: Steps whose weights are averaged in the end; none: they are not.
        restored: The arrays of the checkpoint that training continues from, if any.
    """

    model: keras.Model
    learner: keras.Model
    validator: keras.Model
    source: BatchSource
    validation: BatchSource
    checkpoints: Checkpoints
    early_stopping: EarlyStopping
    history: list[HistoryEntry]
    start: int
    total: int
    averaged: tuple[int, ...]
    restored: dict[str, np.ndarray] | None

    @property
    def pending_loss(self) -> float | None:
        """Loss of an epoch whose validation and history are still to be done, or `None`."""
        return pending_validation_loss(self.restored)


def prepare_training(
    task: Task,
    config: Config,
    data: TaskData,
    run: RunDirectory,
    reporter: Reporter,
    *,
    resume: bool,
) -> Training:
    """Builds the models and restores the state; raises if anything does not fit.

    Args:
        task: The task.
        config: The configuration.
        data: The data, whose training split may have the teacher's logits.
        run: The run, which is only read.
        reporter: Receives messages.
        resume: Whether to continue from the newest checkpoint, if there is one.
    """
    options = config.training
    source = training_source(config, data)
    total = options.steps or (options.epochs or 1) * source.steps_per_epoch
    averaged = steps_to_average(total, options.checkpoint_every, options.average_checkpoints)
    kept = set(averaged)
    checkpoints = Checkpoints(run.checkpoints, options.max_to_keep, options.keep_every, kept)
    reporter.start_stage("building the model")
    model, learner = _build_models(task, config, data, total, reporter)
    validator = build_validator(model, config, data)
    reporter.end_stage()
    reporter.message(
        f"{len(source.examples):,} training examples, {data.num_classes:,} classes, "
        f"{model.count_params():,} parameters, {total:,} steps"
    )
    for text in unused_settings(task, config, total):
        reporter.warning(text)
    start, restored = 0, None
    if resume and checkpoints.steps():
        restored = checkpoints.restore(learner, warn=reporter.warning)
        start = int(restored["step"])
        if start > total:
            raise FileError(
                f"Expected a checkpoint of one of the run's {total:,} steps in "
                f"{run.checkpoints}. Received: step {start:,}"
            )
        reporter.message(f"Resuming after step {start:,}")
    elif options.init_from is not None:
        task.import_layers(config)
        load_initial_weights(model, config, data, reporter)
    history = trim_history(
        run.read_history(),
        start,
        options,
        pending=pending_validation_loss(restored) is not None,
        ended=start == total or start % source.steps_per_epoch == 0,
    )
    early_stopping = EarlyStopping(options, history, kept, start)
    if restored is not None:
        early_stopping.check(checkpoints)
    return Training(
        model=model,
        learner=learner,
        validator=validator,
        source=source,
        validation=evaluation_source(config, data, "validation"),
        checkpoints=checkpoints,
        early_stopping=early_stopping,
        history=history,
        start=start,
        total=total,
        averaged=averaged,
        restored=restored,
    )


def _build_models(
    task: Task, config: Config, data: TaskData, total: int, reporter: Reporter
) -> tuple[keras.Model, keras.Model]:
    """Returns the model, and the compiled model that `fit` trains."""
    options = config.training
    model = task.build_model(config, data)
    if model.compiled:
        reporter.message(
            "Note: the model was compiled before; the run's loss and optimizer replace its own"
        )
    varying = patch_layers(model, sync_batch_norm=options.sync_batch_norm)
    if varying:
        reporter.message(
            "Note: with another number of devices, the random numbers of these layers differ: "
            + ", ".join(varying)
        )
    loss = build_loss(config, data, reduction="sum")  # the weights contain the denominator
    learner = build_learner(model, loss, task, config, data)
    optimizer = build_optimizer(config.optimizer, total, loss_weight=options.loss_weight)
    learner.compile(
        optimizer=with_loss_scaling(optimizer),
        loss=loss if learner is model else None,
        jit_compile=jit_compile(config),
    )
    patch_for_strategy(
        learner, parts=options.gradient_accumulation_steps, xla=compiles_replicas(config)
    )
    # Otherwise TensorFlow traces the first step twice: once to create the variables.
    learner.optimizer.build(learner.trainable_variables)
    return model, learner
